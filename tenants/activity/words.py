"""The audit trail in words: one table from each action to its sentence, and how the details of an act are shown.

A new action needs a line in WORDINGS, and its details a label in LABELS; what has neither is shown by its bare name.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, TextChoices
from django.template.defaultfilters import filesizeformat
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from tenants.models import AuditEvent, Membership, OpenJob

Text = str | Promise


class Kind(TextChoices):
    """By what people look for an act."""

    MAILBOXES = "mailboxes", _("Mailboxes")
    PASSWORDS = "passwords", _("Passwords and locked mail")
    JOBS = "jobs", _("Jobs")
    PEOPLE = "people", _("People and roles")
    SIGN_IN = "sign-in", _("Sign-in and security")
    SETTINGS = "settings", _("Settings")
    OTHER = "other", _("Other")


@dataclass(frozen=True)
class Wording:
    """What is said of an action. Places: `object` and the keys of the event's data, both as people read them."""

    kind: Kind
    sentence: Text
    by: str = ""  # the detail that the sentence depends on
    told: Mapping[Any, Text] = field(
        default_factory=dict
    )  # by its values; else, as of old events, `sentence`
    automatic: bool = False  # the last step of an act that somebody asked for earlier: nobody does it by hand
    # The details that only say which object it was, or when. Whatever else is told is what was done, and acts that differ
    # in it are never told as one: so a detail that is not named here tells them apart, and so does each of a new action.
    of_object: tuple[str, ...] = ()


WORDINGS: dict[str, Wording] = {
    "mailbox.created": Wording(
        Kind.MAILBOXES, _("The mailbox “%(object)s” was created."), of_object=("address",)
    ),
    "mailbox.edited": Wording(Kind.MAILBOXES, _("The details of the mailbox “%(object)s” were changed.")),
    "mailbox.suspended": Wording(
        Kind.MAILBOXES, _("The mailbox “%(object)s” was suspended."), of_object=("suspended_at",)
    ),
    "mailbox.activated": Wording(
        Kind.MAILBOXES, _("The mailbox “%(object)s” was activated."), of_object=("suspended_at",)
    ),
    "mailbox.reach-tested": Wording(
        Kind.MAILBOXES,
        _("The way of mail to the mailbox “%(object)s” was tested."),
        by="test_message",
        told={
            True: _("The way of mail to the mailbox “%(object)s” was tested, and a test message was sent.")
        },
    ),
    "mailbox.deletion-started": Wording(
        Kind.MAILBOXES,
        _("The deletion of the mailbox “%(object)s” began, and all its keys were destroyed."),
        of_object=("keys", "job"),
    ),
    "mailbox.deleted": Wording(
        Kind.MAILBOXES,
        _("The mailbox “%(object)s” was deleted completely, and its certificate was issued."),
        automatic=True,
        of_object=("keys",),
    ),
    "mailbox.password-reset": Wording(
        Kind.PASSWORDS,
        _("The password of the mailbox “%(object)s” was reset."),
        by="locked_mail",
        told={
            "keep": _(
                "The password of the mailbox “%(object)s” was reset without the current one, "
                "and any mail that waited was locked."
            ),
            "delete": _(
                "The password of the mailbox “%(object)s” was reset without the current one, "
                "and any mail that waited was deleted."
            ),
        },
        of_object=("generation", "fingerprint", "job"),
    ),
    "mailbox.password-refused": Wording(
        Kind.PASSWORDS,
        _("A wrong current password was typed for the mailbox “%(object)s”."),
        by="earlier",
        told={True: _("A wrong earlier password was typed for the mailbox “%(object)s”.")},
    ),
    "mailbox.unlocked": Wording(
        Kind.PASSWORDS,
        _("Locked mail of the mailbox “%(object)s” was unlocked with an earlier password."),
        of_object=("job",),
    ),
    "mailbox.locked-mail-deleted": Wording(
        Kind.PASSWORDS, _("Locked mail of the mailbox “%(object)s” was deleted."), of_object=("job",)
    ),
    "job.failed": Wording(
        Kind.JOBS,
        _("A job of the mailbox “%(object)s” failed and needs somebody."),
        automatic=True,
        of_object=("job",),
    ),
    "job.waits": Wording(
        Kind.JOBS,
        _("A job of the mailbox “%(object)s” waits for its password."),
        automatic=True,
        of_object=("job",),
    ),
    "job.retried": Wording(
        Kind.JOBS,
        _("A job of the mailbox “%(object)s” that had failed was started again."),
        of_object=("job",),
    ),
    "job.resumed": Wording(
        Kind.JOBS,
        _("A job of the mailbox “%(object)s” went on after its password was typed."),
        of_object=("job",),
    ),
    "person.created": Wording(Kind.PEOPLE, _("The account of %(object)s was created.")),
    "person.switched-off": Wording(Kind.PEOPLE, _("The account of %(object)s was switched off.")),
    "person.switched-on": Wording(Kind.PEOPLE, _("The account of %(object)s was switched on again.")),
    "person.address-changed": Wording(
        Kind.SIGN_IN, _("The address with which %(object)s signs in was changed.")
    ),
    "person.access-changed": Wording(
        Kind.SIGN_IN, _("What %(object)s may do in the administration was changed.")
    ),
    "person.details-changed": Wording(
        Kind.PEOPLE, _("The name or the settings of %(object)s were changed by platform staff.")
    ),
    "membership.added": Wording(Kind.PEOPLE, _("%(object)s was given the role “%(role)s”.")),
    "membership.changed": Wording(
        Kind.PEOPLE, _("The role of %(object)s was changed and is “%(role)s” now.")
    ),
    "membership.removed": Wording(Kind.PEOPLE, _("The role “%(role)s” was taken from %(object)s.")),
    "invitation.created": Wording(
        Kind.PEOPLE, _("%(object)s was invited with the role “%(role)s”."), of_object=("expires_at",)
    ),
    "invitation.resent": Wording(
        Kind.PEOPLE,
        _("The invitation of %(object)s with the role “%(role)s” was sent again."),
        of_object=("expires_at",),
    ),
    "invitation.withdrawn": Wording(
        Kind.PEOPLE, _("The invitation of %(object)s with the role “%(role)s” was withdrawn.")
    ),
    "invitation.accepted": Wording(
        Kind.PEOPLE, _("%(object)s accepted the invitation with the role “%(role)s”.")
    ),
    "person.let-in": Wording(Kind.SIGN_IN, _("%(object)s, who was locked out, was let in again.")),
    "person.second-factor-added": Wording(
        Kind.SIGN_IN, _("%(object)s added the second factor “%(factor)s”.")
    ),
    "person.second-factor-removed": Wording(
        Kind.SIGN_IN, _("%(object)s removed the second factor “%(factor)s”.")
    ),
    "person.recovery-codes-made": Wording(Kind.SIGN_IN, _("%(object)s made new recovery codes.")),
    "provider.security-changed": Wording(
        Kind.SIGN_IN,
        _("The rules for signing in at “%(object)s” were changed."),
        by="require_second_factor",
        told={
            True: _("The rules for signing in at “%(object)s” were changed: a second factor is required."),
            False: _(
                "The rules for signing in at “%(object)s” were changed: a second factor is no longer required."
            ),
        },
    ),
    "identity-provider.set-up": Wording(
        Kind.SIGN_IN, _("Signing in by the identity provider “%(object)s” was set up.")
    ),
    "identity-provider.changed": Wording(
        Kind.SIGN_IN, _("The settings of the identity provider “%(object)s” were changed.")
    ),
    "identity-provider.switched-on": Wording(
        Kind.SIGN_IN, _("Signing in by the identity provider “%(object)s” was switched on.")
    ),
    "identity-provider.switched-off": Wording(
        Kind.SIGN_IN, _("Signing in by the identity provider “%(object)s” was switched off.")
    ),
    "identity-provider.domain-proven": Wording(
        Kind.SIGN_IN, _("A domain has agreed to the identity provider “%(object)s”.")
    ),
    "identity-provider.domain-lapsed": Wording(
        Kind.SIGN_IN,
        _("A domain no longer agrees to the identity provider “%(object)s”: its record is gone."),
        automatic=True,
    ),
    "identity-provider.consent-given": Wording(
        Kind.PEOPLE, _("The identity provider of “%(object)s” was allowed to sign in the customer's people.")
    ),
    "identity-provider.consent-withdrawn": Wording(
        Kind.PEOPLE, _("The identity provider of “%(object)s” may no longer sign in the customer's people.")
    ),
    "identity-provider.person-forgotten": Wording(
        Kind.SIGN_IN, _("The account of %(object)s at the identity provider was forgotten.")
    ),
    "person.signed-in-by-identity-provider": Wording(
        Kind.SIGN_IN, _("%(object)s signed in by the identity provider.")
    ),
    "provider.created": Wording(Kind.SETTINGS, _("The provider “%(object)s” was created.")),
    "provider.renamed": Wording(Kind.SETTINGS, _("The provider was renamed to “%(object)s”.")),
    "provider.time-zone-set": Wording(
        Kind.SETTINGS, _("The time zone by which days of “%(object)s” are counted was changed.")
    ),
    "provider.branding-changed": Wording(Kind.SETTINGS, _("The branding of “%(object)s” was changed.")),
    "provider.logo-changed": Wording(Kind.SETTINGS, _("The logo of “%(object)s” was changed.")),
    "provider.logo-removed": Wording(Kind.SETTINGS, _("The logo of “%(object)s” was removed.")),
    "provider.branding-reset": Wording(
        Kind.SETTINGS, _("The branding of “%(object)s” was reset to Gatehouse's own look.")
    ),
    "customer.created": Wording(Kind.SETTINGS, _("The customer “%(object)s” was created.")),
    "customer.removed": Wording(Kind.SETTINGS, _("The empty customer “%(object)s” was removed.")),
    "customer.restored": Wording(Kind.SETTINGS, _("The customer “%(object)s” was restored from a backup.")),
    "customer.imported": Wording(
        Kind.SETTINGS, _("The customer “%(object)s” was imported from an export at %(place)s.")
    ),
    "customer.exported": Wording(
        Kind.SETTINGS, _("The customer “%(object)s” was exported for another installation, to %(place)s.")
    ),
    "customer.given-up": Wording(
        Kind.SETTINGS, _("The customer “%(object)s”, whose data was lost, was given up for good.")
    ),
    "customer.changed": Wording(Kind.SETTINGS, _("The settings of the customer “%(object)s” were changed.")),
    "customer.suspended": Wording(
        Kind.SETTINGS,
        _("The customer “%(object)s” was suspended: its people are shut out, and new mail is put off."),
    ),
    "customer.activated": Wording(
        Kind.SETTINGS, _("The customer “%(object)s” was activated."), of_object=("suspended_at",)
    ),
}

LABELS: dict[str, Text] = {
    "active": _("Active"),
    "address": _("Address"),
    "as_staff": _("By platform staff"),
    "backup_at": _("Backup taken"),
    "before": _("Before"),
    "allowed_networks": _("Mail only from these networks"),
    "client_id": _("Client ID"),
    "client_secret_changed": _("New client secret"),
    "colour": _("Colour"),
    "customers": _("Only these customers"),
    "description": _("Description"),
    "email_domains": _("Email domains"),
    "expires_at": _("Valid until"),
    "email": _("Email address"),
    "fingerprint": _("Fingerprint of the new key"),
    "further_details": _("Further details"),
    "generation": _("Number of the key"),
    "group": _("Group"),
    "groups": _("Groups"),
    "invited_by": _("Invited by"),
    "is_staff": _("Platform staff"),
    "is_superuser": _("May do everything in the administration"),
    "issuer": _("Address of the identity provider"),
    "job": _("Job ID"),
    "keys": _("Fingerprints of the destroyed keys"),
    "kind": _("Kind"),
    "language": _("Language"),
    "logo": _("Fingerprint of the picture"),
    "locked_mail": _("Mail that only the lost password opens"),
    "mailbox_limit": _("Limit for the number of mailboxes"),
    "mailbox_quota_octets": _("Limit for each mailbox"),
    "mailboxes": _("Mailboxes"),
    "message_limit_octets": _("Limit for each message"),
    "messages": _("Messages"),
    "mistyped": _("Was mistyped"),
    "name": _("Name"),
    "octets": _("Size"),
    "reason": _("Reason"),
    "require_second_factor": _("Second factor required"),
    "recovery_key": _("ID of the recovery key"),
    "restored_from": _("Restored from"),
    "role": _("Role"),
    "second_factors_removed": _("Second factors removed"),
    "set": _("Name of the backup"),
    "staff": _("Platform staff"),
    "support_email": _("Support by email"),
    "support_phone": _("Support by telephone"),
    "support_url": _("Support on the web"),
    "tags": _("Tags"),
    "status": _("Status"),
    "trouble": _("Trouble"),
    "theme": _("Appearance"),
    "time_zone": _("Time zone"),
    "suspended_at": _("Suspended since"),
    "suspended_by_email": _("Suspended by"),
    "suspension_backup_at": _("Backup taken"),
    "suspension_cause": _("Reason"),
    "suspension_reason": _("Reason"),
    "waiting_quota_octets": _("Limit for all waiting mail"),
    "with_current_password": _("With the current password"),
}

VALUES: dict[str, dict[str, Text]] = {
    "role": dict(Membership.Role.choices),
    "theme": dict(User.Theme.choices),
    "groups": {"translators": _("Translators")},
    "status": {"active": _("Active"), "suspended": _("Suspended"), "deleting": _("Being deleted")},
    "suspension_cause": {
        "restored": _("Restored from a backup"),
        "imported": _("Imported from an export"),
    },
    "factor": {"totp": _("Authenticator app"), "webauthn": _("Passkey")},
    "locked_mail": {"keep": _("Kept"), "delete": pgettext_lazy("locked mail", "Deleted")},
    "kind": {
        "re-encryption": _("Re-encryption"),
        "deletion": _("Deletion of the mailbox"),
        "locked-mail-deletion": _("Deletion of locked mail"),
        "oidc": "OpenID Connect",
        "entra": "Microsoft Entra ID",
    },
    "trouble": dict(OpenJob.Trouble.choices),
}

NOTHING: dict[str, Text] = {
    "customers": pgettext_lazy("customers", "all")
}  # what it means when none were chosen

# Of which part of an act's details a single "before" speaks.
CHANGED = {
    "person.address-changed": "email",
    "membership.changed": "role",
    "provider.security-changed": "require_second_factor",
}

PLACE = re.compile(r"%\((\w+)\)s")
MISSING = "\N{EN DASH}"  # in the place of what an old event does not tell
# Beyond that nobody reads on, and a page with many such lines would take long. Ours have less than 20 details, and texts of at
# most the 2,048 characters of a URL.
MOST_DETAILS, MOST_PARTS, MOST_CHARACTERS = 50, 1_000, 2_500

SIZES = {"octets", "mailbox_quota_octets", "waiting_quota_octets", "message_limit_octets"}
CODES = {
    "address",
    "client_id",
    "email_domains",
    "issuer",
    "fingerprint",
    "generation",
    "job",
    "keys",
    "allowed_networks",
    "logo",
    "recovery_key",
    "set",
}
# A certificate has a page of its own; these facts of it say enough here.
CERTIFIED = ("messages", "octets", "keys")


@dataclass(frozen=True)
class Detail:
    """One line about an act: a value, or for changes what it was before and after."""

    key: str
    now: Any
    earlier: Any = None
    is_change: bool = False

    @property
    def label(self) -> str:
        return _label(self.key)

    @property
    def code(self) -> bool:
        """Whether it is something to copy, not to read."""
        return self.key in CODES

    @property
    def value(self) -> str:
        return shown(self.key, self.now)

    @property
    def before(self) -> str | None:
        return shown(self.key, self.earlier) if self.is_change else None

    @property
    def plain(self) -> str:
        """As a file has it: numbers and times are for programs."""
        return self.line(plain=True)

    def line(self, *, plain: bool = False) -> str:
        value = shown(self.key, self.now, plain=plain)
        if not self.is_change:
            return _labelled(self.key, value)
        change = gettext("%(field)s: %(before)s before, %(after)s after")
        before = shown(self.key, self.earlier, plain=plain)
        return change % {"field": self.label, "before": before, "after": value}


def actions_of(kind: Kind) -> list[str]:
    """The names of the actions of that kind. Kind.OTHER is all that is not in the table."""
    return [action for action, wording in WORDINGS.items() if wording.kind == kind]


def kind_of(event: AuditEvent) -> Kind:
    """Kind.OTHER is all that is not in the table."""
    return WORDINGS[event.action].kind if event.action in WORDINGS else Kind.OTHER


def is_automatic(event: AuditEvent) -> bool:
    """Whether the system takes this step alone."""
    return event.action in WORDINGS and WORDINGS[event.action].automatic


def sentence(event: AuditEvent) -> str:
    """What happened, as plain text."""
    template, places = parts(event)
    return template % places


def parts(event: AuditEvent) -> tuple[str, Mapping[str, str]]:
    """The sentence before its places are filled, and what belongs there: for who shows one of them otherwise."""
    template = str(_template(event))
    return template, _places(event, template)


def act(event: AuditEvent, told: Iterable[Detail]) -> tuple[str, list[Detail]]:
    """All that is told of it, but not to which object it was done: what acts have in common that can be told as one."""
    wording = WORDINGS.get(event.action)
    of_object = wording.of_object if wording else ()
    template = str(_template(event))
    sentence = template % (_places(event, template) | {"object": MISSING})
    return sentence, [detail for detail in told if detail.key not in of_object]


def details(
    event: AuditEvent, customers: Collection[str] | None = None, secret: Collection[str] = ()
) -> list[Detail]:
    """What the sentence does not say, and is not `secret`. Of customers only those with these short names are named."""
    data = {key: value for key, value in data_of(event).items() if key not in secret}
    certificate = data.pop("certificate", None)
    if isinstance(certificate, dict):
        data = {key: certificate.get(key) for key in CERTIFIED}
    if customers is not None:
        data |= {
            key: _only(customers, data[key])
            for key in ("customers", "customers_before")
            if isinstance(data.get(key), list)
        }
    said, decided = str(_template(event)), _decides(event)
    changes = [
        Detail(key, after, before, is_change=True)
        for key, before, after in _take_changes(event.action, data)
        if before != after and key != decided
    ]
    told = changes + [
        Detail(key, value)
        for key, value in data.items()
        if value is not None and key != decided and f"%({key})s" not in said
    ]
    left = len(told) - MOST_DETAILS
    return told if left <= 0 else [*told[:MOST_DETAILS], Detail("further_details", left)]


def shown(key: str, value: Any, *, plain: bool = False) -> str:
    """A value of the trail as people read it, of many parts the first; `plain` is with numbers and times as programs do."""
    return _shown(key, value, plain, _Room())


@dataclass
class _Room:
    """For how many more parts of a value there is any."""

    left: int = MOST_PARTS


def _shown(key: str, value: Any, plain: bool, room: _Room) -> str:
    if value is None and key in NOTHING:
        return str(NOTHING[key])
    if value is None or value in ("", [], {}):
        return pgettext("value", "empty")
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return gettext(", ").join(_first(value, lambda each: _shown(key, each, plain, room), room))
    if isinstance(value, dict):
        said = _first(value, lambda each: _labelled(each, _shown(each, value[each], plain, room)), room)
        return gettext("; ").join(said)
    if isinstance(value, int):
        if abs(value) > BigIntegerField.MAX_BIGINT:  # which no act of ours has told
            return MISSING
        return filesizeformat(value) if key in SIZES else number_format(value, use_l10n=not plain)
    if key.endswith("_at") and (moment := _moment(value)):
        return _told(moment, plain=plain)
    return _begun(str(VALUES.get(key, {}).get(value, value)))


def _begun(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}\N{HORIZONTAL ELLIPSIS}"


def _first(parts: Collection[Any], say: Callable[[Any], str], room: _Room) -> Iterator[str]:
    """As many as there is room for, and how many are left."""
    for number, each in enumerate(parts):
        if not room.left:
            more = len(parts) - number
            yield ngettext("and %(more)s more", "and %(more)s more", more) % {"more": number_format(more)}
            return
        room.left -= 1
        yield say(each)


def _told(moment: datetime, *, plain: bool) -> str:
    """With its zone, if it has one: who reads a file may be elsewhere."""
    if plain:
        return moment.isoformat(sep=" ", timespec="seconds")
    zone = f" {date_format(moment, 'T')}" if is_aware(moment) else ""
    return date_format(moment, "SHORT_DATETIME_FORMAT") + zone


def data_of(event: AuditEvent) -> dict[str, Any]:
    """What a row tells of its act; nothing, if it was changed by hand into what is no object."""
    return event.data if isinstance(event.data, dict) else {}


def _decided(event: AuditEvent, wording: Wording) -> str | bool | None:
    value = data_of(event).get(wording.by)
    return value if isinstance(value, (str, bool)) else None


def _template(event: AuditEvent) -> Text:
    if wording := WORDINGS.get(event.action):
        return wording.told.get(_decided(event, wording), wording.sentence)
    return "%(action)s: “%(object)s”" if event.target_name else "%(action)s"


def _decides(event: AuditEvent) -> str:
    """The detail that the sentence depends on: it tells it, or there is nothing to tell."""
    wording = WORDINGS.get(event.action)
    value = _decided(event, wording) if wording else None
    return wording.by if wording and (not value or value in wording.told) else ""


def _places(event: AuditEvent, template: str) -> dict[str, str]:
    """An old event may lack what the sentence of today names."""
    data = data_of(event)
    places = {"object": event.target_name or MISSING, "action": event.action}
    for name in PLACE.findall(template):
        if name not in places:
            has = name in data and not isinstance(data[name], dict)
            places[name] = shown(name, data[name]) if has else MISSING
    return places


def _take_changes(action: str, data: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Field, before and after, out of the ways in which events tell of changes."""
    before, after = data.pop("before", None), data.pop("after", None)
    if isinstance(after, dict):
        earlier = before if isinstance(before, dict) else {}
        yield from ((key, earlier.get(key), value) for key, value in after.items())
    elif CHANGED.get(action) in data:
        yield CHANGED[action], before, data.pop(CHANGED[action])
    elif before is not None:
        data["before"] = before
    for key in [key for key in data if key.endswith("_before")]:
        field = key.removesuffix("_before")
        yield field, data.pop(key), data.pop(field, None)


def _only(known: Collection[str], slugs: list[Any]) -> list[Any]:
    named = [slug for slug in slugs if isinstance(slug, str) and slug in known]
    return named if len(named) == len(slugs) else [*named, pgettext("customers", "others")]


def _label(key: str) -> str:
    return str(LABELS.get(key) or _begun(key))


def _labelled(key: str, value: str) -> str:
    return gettext("%(label)s: %(value)s") % {"label": _label(key), "value": value}


def _moment(value: Any) -> datetime | None:
    try:
        moment = parse_datetime(str(value))
        return localtime(moment) if moment and is_aware(moment) else moment
    except (ValueError, OverflowError):
        return None
