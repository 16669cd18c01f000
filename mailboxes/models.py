"""What a customer's schema holds. Nothing here refers to a row in `public` by foreign key (docs/invariants.md)."""

import uuid

from django.db import models
from django.db.models import Max, Q, Sum
from django.db.models.functions import Coalesce, Greatest, Lower
from django.utils.translation import gettext_lazy as _


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


class Mailbox(models.Model):
    """A gateway mailbox: an address that takes mail and a maildrop that gives it back to who has the password."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        DELETING = "deleting", _("Being deleted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=100)
    description = models.CharField(_("description"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE)
    address = models.CharField(_("address"), max_length=254, unique=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by_email = models.CharField(_("created by"), max_length=254, blank=True)

    objects = MailboxQuerySet.as_manager()

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [models.UniqueConstraint(Lower("name"), name="mailbox_name_unique")]

    def __str__(self) -> str:
        return self.name


class MailboxKey(models.Model):
    """One generation of a mailbox's key pair. The private half exists only inside its locks."""

    class State(models.TextChoices):
        CURRENT = "current"  # new mail is sealed to it
        RETIRED = "retired"  # still opens what waits

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="keys")
    generation = models.PositiveIntegerField()
    public_key = models.BinaryField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.CURRENT)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("mailbox", "generation", name="mailbox_key_generation_unique"),
            models.UniqueConstraint("mailbox", condition=Q(state="current"), name="mailbox_key_one_current"),
        ]

    def __str__(self) -> str:
        return f"{self.mailbox_id} generation {self.generation}"


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
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "key",
                condition=Q(kind="password"),
                name="key_lock_one_password",
                violation_error_code="locked",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} lock of key {self.key_id}"


class Message(models.Model):
    """A sealed message that waits. The row never exists without its blob (docs/invariants.md)."""

    id = models.BigAutoField(primary_key=True)  # the order of arrival
    uid = models.UUIDField(unique=True)  # what POP3 calls it, for ever; bound into the sealed container
    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="messages", db_index=False)
    key = models.ForeignKey(MailboxKey, on_delete=models.PROTECT, related_name="messages")
    octets = models.PositiveBigIntegerField()  # as it will be collected, trace fields included
    blob = models.CharField(max_length=200, unique=True)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # The maildrop in order of arrival, at each sign-in of an archiver.
        indexes = [models.Index("mailbox", "id", name="message_maildrop")]

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

    def __str__(self) -> str:
        return f"{self.messages} messages"


class TallyChange(models.Model):
    """One change of the counters. Deliveries only ever insert here, so that no row of theirs is hot."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE)  # its index serves lists and folds
    messages = models.IntegerField(default=0)
    octets = models.BigIntegerField(default=0)
    mail_at = models.DateTimeField(null=True)
    collection_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.messages:+d} messages"


class MaildropLock(models.Model):
    """Who is in a maildrop now (RFC 1939 section 4: exclusive access). It expires unless renewed, so a crash frees it."""

    mailbox = models.OneToOneField(Mailbox, on_delete=models.CASCADE, primary_key=True)
    session = models.UUIDField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.session} until {self.expires_at}"
