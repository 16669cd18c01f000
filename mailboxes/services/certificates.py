"""Deletion certificates: what was deleted, when and for whom, signed (docs/formats/deletion-certificate.md).

A certificate is the data of the audit event of the deletion, so it outlives the mailbox and can't be changed.
"""

import binascii
import dataclasses
import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any, NoReturn, overload
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import BigIntegerField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce, Lower
from django.utils.encoding import force_bytes
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from accounts.actors import Actor
from accounts.lists import WORDS, each_word, folded, sorted_by
from accounts.models import User
from mailboxes.errors import MailboxError, NoSuchCertificate
from mailboxes.models import Mailbox
from tenants import access
from tenants.models import AuditEvent, Customer

log = logging.getLogger(__name__)

ACTION = "mailbox.deleted"
FORMAT = "gatehouse/v1/deletion-certificate"
KEY_INFO = b"gatehouse/v1/certificate-key"
IN_UTC = "%Y-%m-%dT%H:%M:%SZ"  # ISO 8601, to the second

# Each certificate states these as they were when it was issued. Pages translate the sentences that they know.
NOT_COVERED = (
    gettext_noop("Backups of the database and of the message store that were made before the deletion."),
    gettext_noop(
        "What PostgreSQL itself still holds of the destroyed keys until it is overwritten: pages of its files, its write-ahead log (WAL) and WAL archives, replicas, snapshots of disks, and base backups made from these, even after the deletion. Whoever has such a copy, the sealed messages and the password can read the mail."
    ),
    gettext_noop("Mail that an archiver collected before the deletion, wherever it went from there."),
    gettext_noop("Mail that waits in the queues of senders and was never accepted here."),
    gettext_noop("The mail system's own copies of the mail."),
)

_TEXT, _NUMBER = str, int
FACTS: dict[str, type] = {
    "format": _TEXT,
    "provider": _TEXT,
    "customer": _TEXT,
    "mailbox": dict,
    "requested_by": _TEXT,
    "requested_at": _TEXT,
    "finished_at": _TEXT,
    "messages": _NUMBER,
    "octets": _NUMBER,
    "keys": list,
    "not_covered": list,
}
PARTS: dict[str, type] = {"certificate": dict, "signature": _TEXT, "public_key": _TEXT}
MAILBOX_FACTS: dict[str, type] = {"id": _TEXT, "name": _TEXT, "address": _TEXT}


class CertificateInvalid(MailboxError):
    """Base of all reasons."""

    code = "certificate-invalid"
    status = 422
    field = "text"
    template = _("This is no valid deletion certificate.")


class CertificateUnreadable(CertificateInvalid):
    code = "certificate-unreadable"
    template = _("This is no deletion certificate: it can't be read as JSON.")


class CertificateIncomplete(CertificateInvalid):
    """A field is missing, of the wrong kind, there twice, or outside of what is signed."""

    code = "certificate-incomplete"
    template = _(
        "This is not a complete deletion certificate: “%(field)s” is missing or not as it should be."
    )


class CertificateForged(CertificateInvalid):
    code = "certificate-forged"
    template = _("The signature does not fit: the certificate was altered, or never issued.")


class CertificateForeign(CertificateInvalid):
    code = "certificate-foreign"
    template = _(
        "The certificate is intact, but was signed by another installation, or with a key that is no longer known here."
    )


class PublicKeyInvalid(CertificateInvalid):
    """What the caller trusts is no key, so nothing can be said of the certificate."""

    code = "public-key-invalid"
    field = "public_key"
    template = _("The public key has to be the 32 octets of an Ed25519 key in base64.")


@dataclass(frozen=True)
class Certificate:
    """What was certified. `valid` says whether the signature is one of this installation, or of the key asked for.

    One is `damaged` when what lies in the trail is none any more: then `facts` are what its row says beside it.
    `mailbox_id` is of that row, or None.
    """

    facts: dict[str, Any]
    signature: str
    public_key: str
    valid: bool
    damaged: bool = False
    mailbox_id: UUID | None = dataclasses.field(default=None, compare=False)

    def as_json(self) -> str:
        """As people download it, and as `verify_certificate` reads it."""
        whole = {"certificate": self.facts, "signature": self.signature, "public_key": self.public_key}
        return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# --- Issuing ---
def facts_of(
    *,
    customer: Customer,
    mailbox: Mailbox,
    requested_by: str,
    requested_at: datetime,
    finished_at: datetime,
    messages: int,
    octets: int,
    fingerprints: Iterable[str],
) -> dict[str, Any]:
    """What a certificate states. To be asked while the mailbox still has its id; `requested_by` is "" for the system."""
    return {
        "format": FORMAT,
        "provider": customer.provider.name,
        "customer": customer.name,
        "mailbox": {"id": str(mailbox.pk), "name": mailbox.name, "address": mailbox.address},
        "requested_by": requested_by,
        "requested_at": _in_utc(requested_at),
        "finished_at": _in_utc(finished_at),
        "messages": messages,
        "octets": octets,
        "keys": list(fingerprints),
        "not_covered": list(NOT_COVERED),
    }


def sign(facts: dict[str, Any]) -> dict[str, Any]:
    """The whole certificate, to be kept as the data of an audit event ACTION whose target is the mailbox."""
    key = _signing_key(settings.SECRET_KEY)
    return {
        "certificate": facts,
        "signature": _to_text(key.sign(signed_octets(facts))),
        "public_key": _to_text(key.public_key().public_bytes_raw()),
    }


def signed_octets(facts: dict[str, Any]) -> bytes:
    """The octets that the signature is of: what they are, and the facts in their one canonical form.

    The database and every JSON program may reorder and indent JSON, so the signature is not of the text as it lies
    there. The form is unambiguous because the facts hold only texts, whole numbers, lists and objects: no fractions,
    which each language writes in its own way.
    """
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{FORMAT}\n{canonical}".encode()


# --- Finding ---
# What ?sort= may say, as the database reads it from the trail.
SORTABLE: dict[str, Any] = {
    "name": folded(KT("data__certificate__mailbox__name")),
    # By the name that lists show. Here the address may say whose that is: it is for their order alone.
    "requested_by": Coalesce(
        Subquery(
            User.objects.filter(email=OuterRef("requested_by"))
            .exclude(name="")
            .values(named=folded("name"))[:1]
        ),
        Lower(KT("data__certificate__requested_by")),
    ),
    "messages": F("data__certificate__messages"),
    "octets": F("data__certificate__octets"),
    "finished_at": KT("data__certificate__finished_at"),
}


class Certificates(Sequence[Certificate]):
    """Those that were found. What is taken of them, such as a page, is read and verified; the others are counted."""

    def __init__(self, events: "QuerySet[AuditEvent]") -> None:
        self._events = events

    def __len__(self) -> int:
        return self._events.count()

    @overload
    def __getitem__(self, which: int) -> Certificate: ...
    @overload
    def __getitem__(self, which: slice) -> list[Certificate]: ...
    def __getitem__(self, which: int | slice) -> Certificate | list[Certificate]:
        trusted = _own_keys()
        if isinstance(which, int):
            return _from_event(self._events[which], trusted)
        return [_from_event(event, trusted) for event in self._events[which]]

    def __iter__(self) -> Iterator[Certificate]:
        return iter(self[:])


def certificates(
    customer: Customer, *, by: Actor, search: str = "", sort: str = "-finished_at"
) -> Certificates:
    """Those of a customer's deleted mailboxes that have each word of `search` in name, address or who asked for it.

    `sort` is one of SORTABLE, with "-" for descending; newest first among equals. Raises tenants.errors.NotAllowed.
    """
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    found = _events(customer).annotate(requested_by=KT("data__certificate__requested_by"))
    for word in search.split()[:WORDS]:
        found = found.filter(_about(customer, word))
    return Certificates(sorted_by(found, SORTABLE, sort, "-at", "-pk"))


def certificate_of(customer: Customer, mailbox_id: UUID, *, by: Actor) -> Certificate:
    """The one of a deleted mailbox. Raises NoSuchCertificate, tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    event = _events(customer).filter(target_type="mailbox", target_id=str(mailbox_id)).first()
    if event is None:
        raise NoSuchCertificate
    return _from_event(event, _own_keys())


def _about(customer: Customer, word: str) -> Q:
    fields = ("mailbox__name", "mailbox__address", "requested_by")
    asked = AuditEvent.objects.of("mailbox.deletion-started").filter(
        customer_id=customer.pk, actor_id__in=User.objects.filter(each_word(word, "name")).values("pk")
    )
    return each_word(word, *(KT(f"data__certificate__{field}") for field in fields)) | Q(
        target_id__in=asked.values("target_id")
    )


def _events(customer: Customer) -> "QuerySet[AuditEvent]":
    return AuditEvent.objects.of(ACTION).filter(customer_id=customer.pk)


def _from_event(event: AuditEvent, trusted: list[bytes]) -> Certificate:
    """The certificate in an audit event; it is only valid where it belongs."""
    parts = event.data
    try:
        _check_fields(parts, PARTS)
        _check_facts(parts["certificate"])
        _check_values(parts["certificate"])
    except CertificateInvalid:
        log.error("a deletion certificate in the audit trail can't be read event=%s", event.pk)
        return _damaged(event)
    facts = parts["certificate"]
    try:
        _verified(parts, trusted)
        valid = facts["mailbox"]["id"] == event.target_id
    except CertificateInvalid:
        valid = False
    return Certificate(
        facts, parts["signature"], parts["public_key"], valid, mailbox_id=_to_uuid(event.target_id)
    )


def _damaged(event: AuditEvent) -> Certificate:
    facts = {
        "mailbox": {"id": event.target_id, "name": event.target_name, "address": ""},
        "finished_at": _in_utc(event.at),
    }
    return Certificate(facts, "", "", valid=False, damaged=True, mailbox_id=_to_uuid(event.target_id))


# --- Verifying ---
def verify_certificate(text: str, public_key: str | None = None) -> Certificate:
    """The certificate in this JSON text, if this installation signed it, or the owner of `public_key` (base64).

    Raises CertificateUnreadable, CertificateIncomplete, CertificateForged, CertificateForeign, PublicKeyInvalid, all
    of them CertificateInvalid.
    """
    if public_key is None:
        trusted = _own_keys()
    elif (octets := _to_octets(public_key.strip(), 32)) is not None:
        trusted = [octets]
    else:
        raise PublicKeyInvalid
    try:
        parts = json.loads(
            text, object_pairs_hook=_without_doubles, parse_float=_no_number, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        raise CertificateUnreadable from None
    return _verified(parts, trusted)


def _verified(parts: Any, trusted: list[bytes]) -> Certificate:
    _check_fields(parts, PARTS)
    facts = parts["certificate"]
    _check_facts(facts)
    signature, signer = _to_octets(parts["signature"], 64), _to_octets(parts["public_key"], 32)
    if signature is None:
        raise CertificateIncomplete(field="signature")
    if signer is None:
        raise CertificateIncomplete(field="public_key")
    try:
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, signed_octets(facts))
    except (InvalidSignature, ValueError):  # such as a text that is no Unicode
        raise CertificateForged from None
    if signer not in trusted:
        raise CertificateForeign
    return Certificate(facts, parts["signature"], parts["public_key"], valid=True)


def _check_facts(facts: dict[str, Any]) -> None:
    _check_fields(facts, FACTS)
    _check_fields(facts["mailbox"], MAILBOX_FACTS)
    if facts["format"] != FORMAT:
        raise CertificateIncomplete(field="format")
    for field in ("keys", "not_covered"):
        if not all(isinstance(item, str) for item in facts[field]):
            raise CertificateIncomplete(field=field)


def _check_values(facts: dict[str, Any]) -> None:
    """What was signed is so; what was changed by hand may be a time or a number that no page can show."""
    for field in ("requested_at", "finished_at"):
        try:
            moment = datetime.strptime(facts[field], IN_UTC)
        except ValueError:
            raise CertificateIncomplete(field=field) from None
        # The first and the last year have hours that are none on the reader's clock.
        if moment.strftime(IN_UTC) != facts[field] or not MINYEAR < moment.year < MAXYEAR:
            raise CertificateIncomplete(field=field)
    for field in ("messages", "octets"):
        if not 0 <= facts[field] <= BigIntegerField.MAX_BIGINT:
            raise CertificateIncomplete(field=field)


def _check_fields(found: Any, wanted: dict[str, type]) -> None:
    """Exactly these fields, each of its kind: what a reader does not expect could be taken for something certified."""
    if not isinstance(found, dict):
        raise CertificateIncomplete(field=next(iter(wanted)))
    for field, kind in wanted.items():
        if type(found.get(field)) is not kind:  # True is an int, too
            raise CertificateIncomplete(field=field)
    for field in found:
        if field not in wanted:
            raise CertificateIncomplete(field=field)


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Of a field that is there twice one would be verified and the other read."""
    found: dict[str, Any] = {}
    for field, value in pairs:
        if field in found:
            raise CertificateIncomplete(field=field)
        found[field] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise CertificateIncomplete(field=text)


# --- Keys ---
def _signing_key(secret: str | bytes) -> Ed25519PrivateKey:
    seed = HKDF(SHA256(), length=32, salt=None, info=KEY_INFO).derive(force_bytes(secret))
    return Ed25519PrivateKey.from_private_bytes(seed)


def _own_keys() -> list[bytes]:
    """The public keys of this installation: of today's SECRET_KEY and of those that it had before."""
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return [_signing_key(secret).public_key().public_bytes_raw() for secret in secrets]


def _to_text(octets: bytes) -> str:
    return b64encode(octets).decode()


def _to_octets(text: str, length: int) -> bytes | None:
    try:
        octets = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if len(octets) == length else None


def _in_utc(moment: datetime) -> str:
    """ISO 8601, to the second."""
    return moment.astimezone(UTC).strftime(IN_UTC)


def _to_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
