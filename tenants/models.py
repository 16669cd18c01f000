"""Who serves whom, and what the public schema must know of each customer. All of it lives in `public`.

django-tenants has no types: its mixins are models already, and `models.Model` beside them tells the type checker.
"""

import re
import uuid
from collections.abc import Collection, Iterable
from typing import Any, NoReturn, Self

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Lower, Now, Replace
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from accounts.addresses import AddressField
from accounts.lists import by_name
from accounts.names import addresses_in
from tenants import slugs
from tenants.details import FIRST_DAY, LAST_DAY, DetailsField, MomentField
from tenants.errors import AppendOnly
from tenants.networks import validate_networks

NAME_LENGTH = 200  # of a provider or customer
PHONE_LENGTH, WEBSITE_LENGTH = 40, 300
GROUP_LENGTH, TAG_LENGTH, MOST_TAGS = 60, 40, 10  # the provider's own words for a customer
REASON_LENGTH = 500
# Every server takes as much (RFC 5321 4.5.3.1.7): below that a slip of the pen would send all mail back for good.
LEAST_MESSAGE_OCTETS = 64 * 1024


class NamedInMails:
    """A provider or customer, as mails tell of it."""

    slug: Any
    name: Any

    def get_mail_name(self) -> str:
        """As our mails say people's names: never with an address, of which mail programs make a link."""
        return str(self.slug if addresses_in(self.name) else self.name)


class Provider(NamedInMails, models.Model):
    """A managed service provider."""

    slug = models.CharField(_("short name"), max_length=slugs.MAX_LENGTH, unique=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    require_second_factor = models.BooleanField(
        _("second factor required"),
        default=False,
        help_text=_("Of its own people, and of its customers' people."),
    )
    # By whose days its customers' figures are told (tenants.figures).
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", db_default="UTC")

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def customers_by_name(self) -> "models.QuerySet[Customer]":
        return self.customers.order_by(*by_name())


class Branding(models.Model):
    """How a provider looks to its people and its customers' people. Read by tenants.branding.brand_of, written by its verbs."""

    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, related_name="branding")
    # Of what browsers keep, in its addresses: nobody guesses it, for on the operators' host no provider is known yet.
    key = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=NAME_LENGTH, blank=True, default="", db_default="")
    colour = models.CharField(max_length=7, blank=True, default="", db_default="")  # #rrggbb
    support_email = models.CharField(max_length=254, blank=True, default="", db_default="")
    support_phone = models.CharField(max_length=PHONE_LENGTH, blank=True, default="", db_default="")
    support_url = models.CharField(max_length=WEBSITE_LENGTH, blank=True, default="", db_default="")
    # What pages need to know of the logo. Its octets stand apart: they are read when a browser asks for them.
    logo_digest = models.CharField(max_length=64, blank=True, default="", db_default="")  # SHA-256
    logo_width = models.PositiveSmallIntegerField(default=0, db_default=0)  # pixels
    logo_height = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints = (
            # It goes into a stylesheet as it stands.
            models.CheckConstraint(
                name="branding_colour_is_one", condition=Q(colour__regex=r"^(#[0-9a-f]{6})?$")
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider_id}: {self.name}"


class Logo(models.Model):
    """A PNG of our own making (tenants.branding.logos)."""

    branding = models.OneToOneField(Branding, on_delete=models.CASCADE, related_name="logo")
    octets = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.branding_id}: {len(self.octets)}"


class CustomerQuerySet(models.QuerySet["Customer"]):
    def set_consent(self, *, given: bool) -> int:
        """To the provider's identity provider, for whom it is another. Raises the series: how many changed."""
        changed = self.filter(identity_provider_consent=not given)
        return changed.update(identity_provider_consent=given, consent_series=F("consent_series") + 1)


class Customer(NamedInMails, TenantMixin, models.Model):
    """A provider's customer: one schema, one host. Made by services.create_customer, which finds it a schema.

    The database's defaults are for the release before, which makes customers without these columns.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = (
            "suspended",
            _("Suspended"),
        )  # its own people are shut out, new mail is put off, data stays

    # What is decided about a customer besides its name; judged by services.facts.
    FACTS = (
        "language",
        "time_zone",
        "group",
        "tags",
        "mailbox_limit",
        "waiting_quota_octets",
        "mailbox_quota_octets",
        "message_limit_octets",
        "allowed_networks",
    )
    # The provider's own words: its customers' people don't read them, not even in the activity.
    PROVIDERS_OWN = ("group", "tags")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        Provider, verbose_name=_("provider"), on_delete=models.PROTECT, related_name="customers"
    )
    slug = models.CharField(_("short name"), max_length=slugs.MAX_LENGTH, unique=True)
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    allowed_networks = models.JSONField(
        _("mail only from these networks"),
        default=list,
        blank=True,
        validators=[validate_networks],
    )
    # Limits: None is none. What waits counts as the counters of mailboxes have it (mailboxes.services.tallies).
    mailbox_quota_octets = models.PositiveBigIntegerField(_("limit for each mailbox"), null=True, blank=True)
    waiting_quota_octets = models.PositiveBigIntegerField(
        _("limit for all waiting mail"), null=True, blank=True
    )
    message_limit_octets = models.PositiveBigIntegerField(
        _("limit for each message"),
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_MESSAGE_OCTETS)],
    )
    mailbox_limit = models.PositiveIntegerField(_("limit for the number of mailboxes"), null=True, blank=True)
    # Of who comes to the customer, and of sheets for it. Nothing: as for everybody.
    language = models.CharField(_("language"), max_length=10, blank=True, default="", db_default="")
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="", db_default="")
    group = models.CharField(_("group"), max_length=GROUP_LENGTH, blank=True, default="", db_default="")
    tags = models.JSONField(_("tags"), blank=True, default=list, db_default=[])
    # Written by services.suspend_customer and activate_customer alone.
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.ACTIVE, db_default=Status.ACTIVE
    )
    suspended_at = models.DateTimeField(_("suspended since"), null=True, blank=True)
    suspended_by_email = models.CharField(
        _("suspended by"), max_length=254, blank=True, default="", db_default=""
    )
    suspension_reason = models.CharField(
        _("reason"), max_length=REASON_LENGTH, blank=True, default="", db_default=""
    )
    # That the provider's identity provider may sign in this customer's people: it could act as any of them.
    identity_provider_consent = models.BooleanField(default=False, db_default=False, editable=False)
    # Raised whenever that changes: a consent that is given anew is another one (tenants.identity.gate). Both are written
    # by set_consent() alone.
    consent_series = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects = CustomerQuerySet.as_manager()

    auto_create_schema = False
    auto_drop_schema = False

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.status == self.Status.SUSPENDED

    @property
    def host(self) -> str:
        """The name under which the console answers, without a port."""
        return f"{self.slug}.{settings.BASE_DOMAIN}"


class Domain(DomainMixin, models.Model):
    """A host name that leads to a customer's console."""

    class Meta:
        verbose_name = _("host name")
        verbose_name_plural = _("host names")

    def __str__(self) -> str:
        return self.domain


# Of memberships and invitations alike.
ROLE_FITS_ITS_PLACE = Q(
    provider__isnull=False, customer__isnull=True, role__in=["owner", "operator", "auditor"]
) | Q(provider__isnull=True, customer__isnull=False, role__in=["admin", "viewer"])


class Membership(models.Model):
    """A person's role at one provider or at one customer. What it allows stands in tenants.access."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        OPERATOR = "operator", _("Operator")
        AUDITOR = "auditor", _("Auditor")
        ADMIN = "admin", _("Administrator")
        VIEWER = "viewer", _("Viewer")

    PROVIDER_ROLES = (Role.OWNER, Role.OPERATOR, Role.AUDITOR)
    CUSTOMER_ROLES = (Role.ADMIN, Role.VIEWER)

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.CASCADE,
        related_name="memberships",
    )
    provider = models.ForeignKey(
        Provider,
        verbose_name=_("provider"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="memberships",
    )
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="memberships",
    )
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    # Of operators and auditors. Says whether `customers` counts: if an empty list meant all, a limit would end with its
    # last customer. Written by services.authority.limit_to.
    limited = models.BooleanField(default=False)
    customers = models.ManyToManyField(
        Customer, verbose_name=_("only these customers"), blank=True, related_name="limited_memberships"
    )
    # Raised with each change of role or reach: one that is given anew is another one (tenants.identity.gate). Written with
    # them, by reassign() alone.
    series = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = (
            models.CheckConstraint(
                name="membership_role_fits_its_place",
                condition=ROLE_FITS_ITS_PLACE,
                violation_error_message=_(
                    "Choose either a provider or a customer, and a role that exists there."
                ),
            ),
            # Both also serve access.rights_of: every request on a customer's host asks it.
            models.UniqueConstraint(fields=["user", "provider"], name="membership_once_per_provider"),
            models.UniqueConstraint(fields=["user", "customer"], name="membership_once_per_customer"),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()}, {self.provider or self.customer}"

    def reassign(self, role: str, customers: Collection[Customer] | None) -> None:
        """Another role or reach (None: all customers), of a row that is held. Raises the series."""
        self.role, self.limited, self.series = role, customers is not None, self.series + 1
        self.save(update_fields=["role", "limited", "series"])
        self.customers.set(customers or ())


class Invitation(models.Model):
    """A way in for one email address, once, until it expires. Only a hash of what the link holds is kept."""

    email = AddressField(_("email address"))
    provider = models.ForeignKey(
        Provider, on_delete=models.CASCADE, null=True, blank=True, related_name="invitations"
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, null=True, blank=True, related_name="invitations"
    )
    role = models.CharField(_("role"), max_length=10, choices=Membership.Role.choices)
    limited = models.BooleanField(default=False)  # as of memberships
    customers = models.ManyToManyField(Customer, blank=True, related_name="limited_invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by_email = models.CharField(_("invited by"), max_length=254, blank=True)
    created_at = models.DateTimeField(_("invited"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = (
            models.CheckConstraint(name="invitation_role_fits_its_place", condition=ROLE_FITS_ITS_PLACE),
        )

    def __str__(self) -> str:
        return self.email


class IdentityProviderQuerySet(models.QuerySet["IdentityProvider"]):
    def switch(self, *, active: bool) -> int:
        """On or off, those that are not so. Raises the series: how many changed."""
        return self.filter(active=not active).update(active=active, series=F("series") + 1)


class IdentityProvider(models.Model):
    """Where a provider's people, and its customers' people, sign in instead: OpenID Connect or Microsoft Entra ID.

    The client's id and secret stand in allauth's SocialApp.
    """

    class Kind(models.TextChoices):
        OPENID_CONNECT = "oidc", "OpenID Connect"
        ENTRA_ID = "entra", "Microsoft Entra ID"

    provider = models.OneToOneField(
        Provider, on_delete=models.CASCADE, related_name="identity_provider", verbose_name=_("provider")
    )
    app = models.OneToOneField("socialaccount.SocialApp", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    # Whose addresses it speaks for. Without this it could sign in anybody by naming their address.
    email_domains = models.JSONField(_("email domains"), default=list)
    active = models.BooleanField(_("active"), default=True)
    # Raised when it is switched, and when it speaks for a domain less: what it said before then admits nobody any more
    # (tenants.identity.gate). With another service all accounts there go, which does the same. Written with what it is
    # raised for, by switch() and speak_for() alone.
    series = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects = IdentityProviderQuerySet.as_manager()

    class Meta:
        verbose_name = _("identity provider")
        verbose_name_plural = _("identity providers")

    def __str__(self) -> str:
        return f"{self.provider}: {self.get_kind_display()}"

    def speak_for(self, domains: Iterable[str]) -> None:
        """For these email domains and no others, of a row that is held. Raises the series if one is left out."""
        domains, before = list(domains), self.email_domains
        raised = int(not set(before) <= set(domains))
        same = IdentityProvider.objects.filter(pk=self.pk)
        same.update(email_domains=domains, series=F("series") + raised)
        self.email_domains = domains

    @property
    def issuer(self) -> str:
        """Its address."""
        return str(self.app.settings["server_url"])

    @property
    def service(self) -> str:
        """What customers consent to: another address or another client there is another service."""
        return f"{self.issuer} {self.app.client_id}"


class ProvenDomain(models.Model):
    """An email domain that has shown by DNS that the provider's identity provider may speak for it (tenants.identity.domains)."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="proven_domains")
    domain = models.CharField(max_length=253)
    checked_at = models.DateTimeField(null=True)  # when the record was last seen
    missing_since = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            # Serves the question at each sign-in as well.
            models.UniqueConstraint(fields=["provider", "domain"], name="a_domain_is_proven_once"),
        )

    def __str__(self) -> str:
        return self.domain


class DirectoryEntry(models.Model):
    """How the gateway finds a mailbox in one indexed query. Written by tenants.directory in the mailbox's transaction."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        DELETING = "deleting", _("Being deleted")
        RETIRED = "retired", _("Retired")  # stays for ever, so that nobody gets the address again

    address = models.CharField(_("address"), max_length=254, unique=True)
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="directory_entries"
    )
    mailbox_id = models.UUIDField(_("mailbox"), unique=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    public_key = models.BinaryField(_("public key"))
    generation = models.PositiveIntegerField(_("number of the key"))
    # What people call it, to be found by among all customers'. Empty in what the release before writes, until the daily round.
    name = models.CharField(_("name"), max_length=100, blank=True, db_default="")
    description = models.CharField(_("description"), max_length=500, blank=True, db_default="")
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("directory entry")
        verbose_name_plural = _("directory")
        constraints = (
            # Look-ups lower the address that they are given, so a row in other letters would never be found.
            models.CheckConstraint(
                name="directory_address_is_lower_case", condition=Q(address=Lower("address"))
            ),
        )

    def __str__(self) -> str:
        return self.address


class RetiredAddress(models.Model):
    """What a customer that was given up leaves in the directory: the addresses of mailboxes that it had deleted."""

    address = models.CharField(max_length=254, unique=True)

    def __str__(self) -> str:
        return self.address


class OpenJob(models.Model):
    """A customer's job that workers or a person still have to end: what all customers' jobs are looked for by.

    Written by mailboxes.services.jobs with each change of the job, so that nobody has to ask every schema. The
    database's defaults are for the release before, which knows customer and job only.
    """

    STOPPED = ("failed", "waiting-for-password")  # states in which a person has to act

    class Trouble(models.TextChoices):
        """What can be wrong with a job; what to do about it, mailboxes.services.progress knows."""

        STORE_FULL = "store-full", _("The message store is full.")
        STORE_FAILED = "store-failed", _("The message store did not take or give what it was asked for.")
        DATABASE_FAILED = "database-failed", _("The database did not answer.")
        WORKER_KEY = "worker-key", _("The workers can't open what was locked for them.")
        UNFORESEEN = "unforeseen", _("Something went wrong that was not foreseen.")
        UNREADABLE = "unreadable", _("Some messages can't be read: their files are missing or were altered.")
        NO_LOCK = "no-lock", _("The workers' access to the earlier key has ended.")
        PASSWORD_LOST = (
            "password-lost",
            _("The password was reset again, without the current one, while this job ran."),
        )
        MAILBOX_DELETED = "mailbox-deleted", _("The mailbox was deleted while this job ran.")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="open_jobs")
    job_id = models.UUIDField(unique=True)
    kind = models.CharField(_("kind"), max_length=30, db_default="")
    state = models.CharField(_("state"), max_length=30, db_default="queued")
    trouble = models.CharField(max_length=40, blank=True, db_default="")
    mailbox_name = models.CharField(_("mailbox"), max_length=100, db_default="")
    wake_at = models.DateTimeField(db_default=Now())  # no sign of life by then: beat rings again
    since = models.DateTimeField(_("since"), db_default=Now())  # that state

    class Meta:
        verbose_name = _("open job")
        verbose_name_plural = _("open jobs")

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.job_id}"


class Side(models.TextChoices):
    """Where somebody who acted belongs. The trail keeps the first three; the others are told of who has left."""

    PROVIDER = "provider", _("Provider")
    CUSTOMER = "customer", _("Customer")
    STAFF = "staff", _("Platform staff")
    FORMER_PROVIDER = "former-provider", _("Provider (formerly)")
    FORMER_CUSTOMER = "former-customer", _("Customer (formerly)")
    UNKNOWN = "unknown", _("Without a role here")


# By what the trail tells that somebody had a role.
ROLE_ACTIONS = ("membership.added", "membership.removed")


# "mailbox.password-reset": the thing, and what happened to it.
SPELLING = re.compile(r"[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*")


def spelled_now(action: str) -> str:
    """Rows that earlier releases wrote have `_` in some names, and can't be changed."""
    return action.replace("_", "-")


SPELLED_NOW = Replace("action", Value("_"), Value("-"))  # the same, for queries


def _spellings(actions: Iterable[str]) -> list[str]:
    return [spelling for action in actions for spelling in sorted({action, action.replace("-", "_")})]


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """The trail only grows."""

    def of(self, *actions: str) -> "AuditEventQuerySet":
        """Only these acts, whichever spelling their rows have."""
        return self.filter(action__in=_spellings(actions))

    def of_others_than(self, *actions: str) -> "AuditEventQuerySet":
        """All but these acts, whichever spelling their rows have."""
        return self.exclude(action__in=_spellings(actions))

    def datetimes(self, *args: Any, **kwargs: Any) -> Any:
        """Of which the administration offers a choice: those of calendars."""
        return super(AuditEventQuerySet, self.filter(at__range=(FIRST_DAY, LAST_DAY))).datetimes(
            *args, **kwargs
        )

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class AuditEvent(models.Model):
    """Who did what, when, from where. Plain ids and names, so that it outlives what it speaks of.

    A database trigger refuses changes and deletion as well, whoever asks.
    """

    at = MomentField(_("time"), auto_now_add=True)
    actor_id = models.BigIntegerField(_("person's ID"), null=True, blank=True)
    actor_email = models.CharField(_("person"), max_length=254, blank=True)
    # In that moment, for people change sides. Empty when they had no role there (a newcomer's first act), and in events
    # of before this was kept.
    actor_side = models.CharField(_("belonged to"), max_length=16, blank=True)
    origin = models.CharField(_("IP address"), max_length=45, blank=True)  # the longest IPv6 address
    # Whose identity provider said that it was this person. Empty when the portal asked for password or passkey itself.
    vouched_by = models.CharField(_("vouched for by"), max_length=200, blank=True, db_default="")
    action = models.CharField(_("action"), max_length=60)
    provider_id = models.BigIntegerField(_("provider's ID"), null=True, blank=True)
    customer_id = models.UUIDField(_("customer's ID"), null=True, blank=True)
    target_type = models.CharField(_("kind of object"), max_length=40, blank=True)
    target_id = models.CharField(_("object's ID"), max_length=64, blank=True)
    target_name = models.CharField(_("object"), max_length=254, blank=True)
    data = DetailsField(_("details"), default=dict, blank=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit trail")
        ordering = ("-at", "-id")
        indexes = (
            models.Index(fields=["-at"], name="audit_by_time"),  # the whole trail, newest first
            models.Index(
                fields=["customer_id", "-at"], name="audit_by_customer"
            ),  # a customer's activity page
            # A provider's: without it a provider where little happens would have everybody's events read.
            models.Index(fields=["provider_id", "-at"], name="audit_by_provider"),
            # Whether somebody ever had a role: asked before their address changes.
            models.Index(fields=["target_id"], name="audit_of_roles", condition=Q(action__in=ROLE_ACTIONS)),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.target_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        # Without this a new object with a known id would become an UPDATE.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        """Whoever reads events needs to know one spelling only."""
        event = super().from_db(*args, **kwargs)
        if "action" in event.__dict__:
            event.action = spelled_now(event.action)
        return event


class SpareSchema(models.Model):
    """A schema that stands migrated and ready for the next customer (tenants.spares)."""

    schema_name = models.CharField(_("schema"), max_length=63, unique=True)
    # Of the tenant apps' migrations, so that one made by an older release is never handed out.
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("spare schema")
        verbose_name_plural = _("spare schemas")

    def __str__(self) -> str:
        return self.schema_name


class LastBackup(models.Model):
    """The backup that last ended well: one row (tenants.last_backup)."""

    name = models.CharField(max_length=100)
    at = models.DateTimeField()  # of which moment it is

    def __str__(self) -> str:
        return self.name


class WorkerAnswer(models.Model):
    """When a worker last took up anything at all: one row (tenants.answering)."""

    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"


# Rows of this app in a file of their own: Django looks for them here.
from tenants.counts import CustomerDay, MailboxDay, MailboxFigures  # noqa: E402, F401
