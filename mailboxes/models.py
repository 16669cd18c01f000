"""What a customer's schema holds. Nothing here refers to a row in `public` by foreign key (docs/invariants.md)."""

import uuid
from typing import Any

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Max, Q, Sum
from django.db.models.functions import Coalesce, Greatest, Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailboxes import errors
from mailboxes.vault import key_id
from tenants.models import OpenJob


class MailboxQuerySet(models.QuerySet["Mailbox"]):
    """Questions about mailboxes."""

    def with_activity(self) -> "MailboxQuerySet":
        """Annotate waiting, waiting_octets, last_mail_at and last_collection_at: folded counters plus what came since."""

        def since(field: str, combine: type[models.Aggregate]) -> models.Subquery:
            changes = TallyChange.objects.filter(mailbox=models.OuterRef("pk")).order_by()
            return models.Subquery(changes.values("mailbox").annotate(all=combine(field)).values("all"))

        return self.annotate(
            waiting=Coalesce("tally__messages", 0) + Coalesce(since("messages", Sum), 0),
            waiting_octets=Coalesce("tally__octets", 0) + Coalesce(since("octets", Sum), 0),
            last_mail_at=Greatest("tally__last_mail_at", since("mail_at", Max)),
            last_collection_at=Greatest("tally__last_collection_at", since("collection_at", Max)),
        )

    def with_locked_mail(self) -> "MailboxQuerySet":
        """Annotate locked: messages that only an earlier password opens."""
        keys = MailboxKey.objects.filter(mailbox=models.OuterRef("pk"), state=MailboxKey.State.LOCKED)

        def summed(related: str) -> models.Subquery:
            rows = keys.order_by().values("mailbox").annotate(all=Sum(f"{related}__messages"))
            return models.Subquery(rows.values("all"))

        return self.annotate(locked=Coalesce(summed("tally"), 0) + Coalesce(summed("changes"), 0))

    def with_damaged_mail(self) -> "MailboxQuerySet":
        """Annotate damaged: messages that can't be read."""
        rows = Message.objects.filter(mailbox=models.OuterRef("pk"), damaged_at__isnull=False).order_by()
        counted = rows.values("mailbox").annotate(all=models.Count("pk")).values("all")
        return self.annotate(damaged=Coalesce(models.Subquery(counted), 0))

    def with_refusals(self, *, since: Any) -> "MailboxQuerySet":
        """Annotate refused: whether sign-ins were refused since then."""
        rows = SignInRefusal.objects.filter(mailbox=models.OuterRef("pk"), last_at__gte=since)
        return self.annotate(refused=models.Exists(rows))


class Mailbox(models.Model):
    """A gateway mailbox: an address that takes mail and a maildrop that gives it back to who has the password."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        DELETING = "deleting", _("Being deleted")

    class Cause(models.TextChoices):
        """Of a suspension that nobody asked for: it came so."""

        RESTORED = "restored", _("Restored from a backup")
        IMPORTED = "imported", _("Imported from an export")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=100)
    # See services.naming. None only in what the release before creates while this one is rolled out.
    canonical_name = models.CharField(max_length=400, null=True, editable=False)  # noqa: DJ001
    description = models.CharField(_("description"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE)
    address = models.CharField(_("address"), max_length=254, unique=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by_email = models.CharField(_("created by"), max_length=254, blank=True)
    suspended_at = models.DateTimeField(_("suspended since"), null=True, blank=True)
    suspended_by_email = models.CharField(_("suspended by"), max_length=254, blank=True)
    suspension_reason = models.CharField(_("reason"), max_length=500, blank=True)
    # With defaults in the database, for the release before inserts without them.
    suspension_cause = models.CharField(
        _("reason"), max_length=20, choices=Cause.choices, blank=True, db_default=""
    )
    suspension_backup_at = models.DateTimeField(_("backup taken"), null=True, blank=True)

    # The last test of the way to it (services.reach): when it was asked for, and what was found.
    reach_test = models.JSONField(null=True, editable=False)

    # What people say of a mailbox besides its name: verbs, the form and the command take each of these. A line, at most
    # as long as its field; else it is refused so.
    DETAILS = {"description": errors.InvalidDescription}

    objects = MailboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [
            models.UniqueConstraint("canonical_name", name="mailbox_canonical_name_unique"),
            # Asked for by the release before only.
            models.UniqueConstraint(Lower("name"), name="mailbox_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def unfinished_job(self) -> "Job | None":
        """The job to show in a list, a live one first; `services.list_mailboxes` has fetched it."""
        fetched: list[Job] | None = getattr(self, "unfinished_jobs", None)
        newest = self.jobs.unfinished().order_by("-created_at") if fetched is None else fetched
        return min(newest, key=lambda job: not job.is_live, default=None)


class MailboxKey(models.Model):
    """One generation of a mailbox's key pair. The private half exists only inside its locks."""

    class State(models.TextChoices):
        CURRENT = "current"  # new mail is sealed to it
        RETIRED = "retired"  # the current password still opens it; its mail is being re-encrypted
        LOCKED = "locked"  # only an earlier password opens it
        DESTROYED = "destroyed"  # its locks are gone, and its mail is being removed

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="keys")
    generation = models.PositiveIntegerField()
    public_key = models.BinaryField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.CURRENT)
    created_at = models.DateTimeField(auto_now_add=True)
    # Of one that came with a customer restored under another id: pairs of the ids of customer and mailbox, in hexadecimal,
    # that it had before. Its locks and messages of then are bound to these; whatever is sealed or locked since, to ours.
    sealed_as = models.JSONField(default=list, db_default=[])

    class Meta:
        constraints = [
            models.UniqueConstraint("mailbox", "generation", name="mailbox_key_generation_unique"),
            models.UniqueConstraint("mailbox", condition=Q(state="current"), name="mailbox_key_one_current"),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id} generation {self.generation}"

    @property
    def earlier_owners(self) -> list[tuple[uuid.UUID, uuid.UUID]]:
        return [(uuid.UUID(customer), uuid.UUID(mailbox)) for customer, mailbox in self.sealed_as]

    @property
    def fingerprint(self) -> str:
        """The public key's name in hexadecimal, as sealed messages and certificates state it."""
        return key_id(bytes(self.public_key)).hex()


class KeyLock(models.Model):
    """A private key, locked in one way (docs/formats/locks.md). Without its last lock a key is gone."""

    class Kind(models.TextChoices):
        PASSWORD = "password"  # noqa: S105  a kind of lock
        SUCCESSOR = "successor"
        WORKER = "worker"
        RECOVERY = "recovery"

    key = models.ForeignKey(MailboxKey, on_delete=models.CASCADE, related_name="locks")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    data = models.BinaryField()
    # The later generation whose private key opens a successor lock. It can't go while it is needed.
    opener = models.ForeignKey(
        MailboxKey, on_delete=models.PROTECT, null=True, blank=True, related_name="opens"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("key", "kind", name="key_lock_one_of_a_kind"),
            models.CheckConstraint(
                name="key_lock_successor_has_opener",
                condition=Q(kind="successor", opener__isnull=False)
                | (~Q(kind="successor") & Q(opener__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} lock of key {self.key_id}"


class Message(models.Model):
    """A sealed message that waits. The row never exists without its blob, but in a deletion, whose keys are
    gone (docs/invariants.md).
    """

    class Damage(models.TextChoices):
        MISSING = "missing"  # or not whole: its size tells when it is back
        ALTERED = "altered"

    id = models.BigAutoField(primary_key=True)  # the order of arrival
    uid = models.UUIDField(unique=True)  # what POP3 calls it, for ever; bound into the sealed container
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="messages", db_index=False)
    key = models.ForeignKey(MailboxKey, on_delete=models.PROTECT, related_name="messages", db_index=False)
    octets = models.PositiveBigIntegerField()  # as it will be collected, trace fields included
    blob = models.CharField(max_length=200, unique=True)
    received_at = models.DateTimeField(auto_now_add=True)
    # When it was found missing. Of an altered file its own time, so that another one is newer, whatever our clock says.
    damaged_at = models.DateTimeField(null=True, blank=True)
    # Which of both. With a default in the database, for the release before inserts without it.
    damage = models.CharField(max_length=10, choices=Damage.choices, blank=True, db_default="")

    class Meta:
        indexes = [
            # The maildrop in order of arrival, at each sign-in of an archiver.
            models.Index("mailbox", "id", name="message_maildrop"),
            # What is left of a key's mail, for each step of its re-encryption.
            models.Index("key", "id", name="message_of_key"),
            # The few damaged ones, for the mailbox's page.
            models.Index("mailbox", name="message_damaged", condition=Q(damaged_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.uid.hex


class Tally(models.Model):
    """A mailbox's counters, as of the last fold; what came since stands in TallyChange."""

    mailbox = models.OneToOneField(Mailbox, on_delete=models.CASCADE, primary_key=True)
    messages = models.BigIntegerField(default=0)
    octets = models.BigIntegerField(default=0)
    first_mail_at = models.DateTimeField(null=True)
    last_mail_at = models.DateTimeField(null=True)
    first_collection_at = models.DateTimeField(null=True)
    last_collection_at = models.DateTimeField(null=True)
    put_off = models.BigIntegerField(default=0)  # attempts to deliver that a suspension refused

    def __str__(self) -> str:
        return f"{self.messages} messages"


class KeyTally(models.Model):
    """How much of the mail is sealed to one key, as of the last fold."""

    key = models.OneToOneField(MailboxKey, on_delete=models.CASCADE, primary_key=True, related_name="tally")
    messages = models.BigIntegerField(default=0)
    octets = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.messages} messages"


class TallyChange(models.Model):
    """One change of the counters. Deliveries only ever insert here, so that no row of theirs is hot."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE)  # its index serves lists and folds
    key = models.ForeignKey(MailboxKey, on_delete=models.SET_NULL, null=True, related_name="changes")
    messages = models.IntegerField(default=0)
    octets = models.BigIntegerField(default=0)
    mail_at = models.DateTimeField(null=True)
    collection_at = models.DateTimeField(null=True)
    put_off = models.IntegerField(default=0)
    # When. What is changed together has the same moment, for a sum in between is no amount that there was. The database's own
    # is for the release before.
    at = models.DateTimeField(db_default=TransactionNow())
    # That keys were destroyed: nobody has collected what is less by it.
    given_up = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.messages:+d} messages"


class MaildropLock(models.Model):
    """Who is in a maildrop now (RFC 1939 section 4: exclusive access). It expires unless renewed, so a crash frees it."""

    mailbox = models.OneToOneField(Mailbox, on_delete=models.CASCADE, primary_key=True)
    session = models.UUIDField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.session} until {self.expires_at}"


class SignInRefusal(models.Model):
    """Sign-ins by POP3 that one network was refused, since a time and until a right password comes from there."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="refusals", db_index=False)
    network = models.CharField(max_length=50)  # 192.0.2.0/24
    since = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Also the index for the mailbox's page and for each sign-in.
            models.UniqueConstraint("mailbox", "network", name="sign_in_refusal_one_of_a_network")
        ]

    def __str__(self) -> str:
        return f"{self.network} since {self.since}"


class LogLine(models.Model):
    """A line of a mailbox's delivery log: a message that came, a session that collected, or an attempt at either.

    It knows neither senders nor subjects, nor anything else of a mail's text. Attempts that anybody can make any number of
    are summed (`services.delivery_log`).
    """

    class Direction(models.TextChoices):
        DELIVERY = "delivery"
        COLLECTION = "collection"

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted"
        PUT_OFF = "put-off"  # comes again
        REFUSED = "refused"  # for good, as long as nothing is changed

    class Reason(models.TextChoices):
        """Why it ended so. Pages have a sentence for each, and what to do."""

        # Of deliveries
        KEPT = "kept"
        SUSPENDED = "suspended"
        FULL = "full"
        NETWORK = "network"
        TOO_LARGE = "too-large"
        BARE_LF = "bare-lf"
        NO_ROOM = "no-room"  # in the message store
        WITH_OTHERS = "with-others"  # another recipient of the same message did not take it
        # Of collections
        COLLECTED = "collected"
        NOTHING = "nothing"  # signed in and left, and took nothing
        WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a reason, not a password
        NO_TLS = "no-tls"
        IN_USE = "in-use"
        AT_ONCE = "at-once"
        ENDED = "ended"  # by a reset or a deletion
        NOT_DELETED = "not-deleted"
        # Of both
        TROUBLE = "trouble"  # of ours
        BROKEN_OFF = "broken-off"
        TOO_SLOW = "too-slow"
        STOPPED = "stopped"  # by us: the gateway was told to end, or others needed the place
        LIMITS = "limits"  # of one connection

    id = models.BigAutoField(primary_key=True)
    # Without a constraint: the release before, which deletes mailboxes beside this one, knows nothing of these lines.
    mailbox = models.ForeignKey(
        Mailbox, on_delete=models.CASCADE, related_name="log_lines", db_index=False, db_constraint=False
    )
    at = models.DateTimeField()
    since = models.DateTimeField(null=True)  # of several attempts, the first one
    attempts = models.PositiveIntegerField(default=1)
    direction = models.CharField(max_length=10)
    outcome = models.CharField(max_length=10)
    reason = models.CharField(max_length=20)
    reply = models.CharField(
        max_length=20, blank=True
    )  # its code and enhanced status, or response code; none was given
    peer = models.GenericIPAddressField(null=True)
    hello = models.CharField(
        max_length=64, blank=True
    )  # what a sender calls itself, as far as it can be shown
    tls = models.CharField(max_length=10, blank=True)  # version; empty: none
    octets = models.PositiveBigIntegerField(null=True)  # of the message, or of all that was collected
    messages = models.PositiveIntegerField(null=True)  # that were collected
    deleted = models.PositiveIntegerField(null=True)  # at the end of a collection

    class Meta:
        indexes = [
            # The newest deliveries, or collections, of a mailbox, for its page.
            models.Index("mailbox", "direction", "id", name="log_line_of_mailbox"),
            # The few others than accepted ones, for the same.
            models.Index("mailbox", "id", name="log_line_not_accepted", condition=~Q(outcome="accepted")),
        ]

    def __str__(self) -> str:
        return f"{self.direction} {self.reason} {self.reply}"


class JobQuerySet(models.QuerySet["Job"]):
    """Questions about jobs."""

    def live(self) -> "JobQuerySet":
        """Those that somebody or something still works on."""
        return self.filter(state__in=Job.LIVE)

    def unfinished(self) -> "JobQuerySet":
        """The live ones, and those that failed and can be taken up again."""
        return self.filter(Q(state__in=Job.LIVE) | Q(state=Job.State.FAILED) & ~Q(error__in=Job.OVERTAKEN))


class Job(models.Model):
    """Long work on a mailbox. This row is the truth; Celery only works on it (docs/jobs.md).

    It outlives its mailbox, whose id, name and address it therefore keeps.
    """

    class Kind(models.TextChoices):
        REENCRYPTION = "re-encryption", _("Re-encryption")
        DELETION = "deletion", _("Deletion of the mailbox")
        CLEARING = "locked-mail-deletion", _("Deletion of locked mail")

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting for its turn")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        WAITING = "waiting-for-password", _("Waiting for the password")

    WORKABLE = (State.QUEUED, State.RUNNING)
    LIVE = (State.QUEUED, State.RUNNING, State.WAITING)
    # Errors after which there is nothing left to do.
    OVERTAKEN = (OpenJob.Trouble.PASSWORD_LOST, OpenJob.Trouble.MAILBOX_DELETED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=30, choices=Kind.choices)
    state = models.CharField(max_length=30, choices=State.choices, default=State.QUEUED)
    mailbox = models.ForeignKey(Mailbox, on_delete=models.SET_NULL, null=True, related_name="jobs")
    mailbox_uuid = models.UUIDField()
    mailbox_name = models.CharField(max_length=100)
    mailbox_address = models.CharField(max_length=254)
    total = models.BigIntegerField(default=0)  # messages
    done = models.BigIntegerField(default=0)
    octets = models.BigIntegerField(default=0)  # of the mail that is done
    error = models.CharField(max_length=40, blank=True)  # an OpenJob.Trouble
    failures = models.PositiveIntegerField(default=0)  # in a row
    paused_until = models.DateTimeField(null=True, blank=True)  # after a failure
    wake_at = models.DateTimeField(default=timezone.now)  # of the release before; OpenJob has it now
    created_at = models.DateTimeField(default=timezone.now)
    created_by_email = models.CharField(max_length=254, blank=True)
    # Since when there has been no pause, and what was done by then: from here on its rate is reckoned.
    started_at = models.DateTimeField(null=True, blank=True)
    done_at_start = models.BigIntegerField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "mailbox",
                "kind",
                condition=Q(state__in=["queued", "running", "waiting-for-password"]),
                name="job_one_live_of_a_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.mailbox_address}"

    @property
    def is_live(self) -> bool:
        return self.state in self.LIVE
