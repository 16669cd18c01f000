"""What DNS says of our names, and what it should say so that mail comes over verified TLS only.

RFC 8461 (MTA-STS), 8460 (reports), 8659 (CAA), 7672 (DANE).
"""

import ipaddress
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import cached_property
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import dns.exception
import dns.flags
import dns.rdata
import dns.resolver
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from portal.gates.mta_sts import policy_host, policy_id
from tenants.identity.domains import LOOK_UP_SECONDS, NoAnswer, resolver

from .findings import Finding, Level

TTL = 3600  # of the records that are wanted
SEE = "See the records below."


@dataclass(frozen=True)
class Outside:
    """What the settings don't know of the world: how it reaches us, and who vouches for us."""

    addresses: Sequence[str] = ()  # of this installation; empty: whatever DNS says
    authorities: Sequence[str] = ("letsencrypt.org",)
    reports_to: str = ""
    smtp_port: int = field(default_factory=lambda: int(settings.PUBLIC_SMTP_PORT))
    pop3s_port: int = field(default_factory=lambda: int(settings.PUBLIC_POP3S_PORT))
    https_port: int = 443


@dataclass(frozen=True)
class Record:
    """A line of a zone file. `value` is empty when only who runs the installation knows it.

    One that is `optional` is shown and not to be copied without thought.
    """

    name: str
    type: str
    value: str
    is_there: bool
    optional: bool = False

    @property
    def line(self) -> str:
        text = f"{self.name}. {TTL} IN {self.type} {self.value or '<public address>'}"
        return text if self.value and not self.optional else f"; {text}"


class Names:
    """Asks name servers. Once they have said nothing for LOOK_UP_SECONDS they are not waited for again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[list[Any], bool]] = {}
        self._silent = ""
        try:
            self._resolver = resolver()
        except dns.resolver.NoResolverConfiguration:
            self._silent = "this machine has no name servers"
        else:
            # To be told whether it was verified (RFC 6840, 5.7).
            self._resolver.flags = dns.flags.RD | dns.flags.AD

    def ask(self, name: str, kind: str) -> list[Any]:
        """The records, aliases followed; none if there are none. Raises NoAnswer."""
        return self._answer(name, kind)[0]

    def is_verified(self, name: str, kind: str) -> bool:
        """Whether the name server says that it has verified the answer by DNSSEC. Raises NoAnswer."""
        return self._answer(name, kind)[1]

    def addresses(self, name: str) -> list[str]:
        """Raises NoAnswer."""
        return [record.address for kind in ("A", "AAAA") for record in self.ask(name, kind)]

    def texts(self, name: str, begins: str) -> list[str]:
        """Raises NoAnswer."""
        return [_text(record) for record in self.ask(name, "TXT") if _begins(record, begins)]

    def published(self, name: str, begins: str) -> str:
        """The first such text as it stands in a zone file; empty if there is none, or no answer."""
        try:
            return next((str(record) for record in self.ask(name, "TXT") if _begins(record, begins)), "")
        except NoAnswer:
            return ""

    def authorities(self, name: str) -> tuple[str, list[str]] | None:
        """Where the closest CAA records stand, and whom they allow; None: nobody is kept out. Raises NoAnswer."""
        labels = name.split(".")
        for depth in range(len(labels)):
            at = ".".join(labels[depth:])
            if found := self.ask(at, "CAA"):
                allowed = [
                    record.value.decode(errors="replace") for record in found if record.tag == b"issue"
                ]
                # Without any of that kind they are about something else.
                return (at, [each.split(";")[0].strip().lower() for each in allowed]) if allowed else None
        return None

    def _answer(self, name: str, kind: str) -> tuple[list[Any], bool]:
        if self._silent:
            raise NoAnswer(self._silent)
        if (name, kind) not in self._known:
            try:
                found = self._resolver.resolve(
                    f"{name}.", kind, lifetime=LOOK_UP_SECONDS, raise_on_no_answer=False
                )
            except dns.resolver.NXDOMAIN:
                self._known[name, kind] = [], False
            except dns.resolver.LifetimeTimeout as error:
                self._silent = "the name servers say nothing"
                raise NoAnswer(self._silent) from error
            except (dns.exception.DNSException, OSError) as error:
                raise NoAnswer(f"no answer about {name} {kind}: {type(error).__name__}") from error
            else:
                self._known[name, kind] = list(found.rrset or ()), bool(found.response.flags & dns.flags.AD)
        return self._known[name, kind]


@dataclass
class Seen:
    """Our names, as they are asked for once."""

    names: Names
    outside: Outside
    base: str = field(default_factory=lambda: str(settings.BASE_DOMAIN))
    mail: str = field(default_factory=lambda: str(settings.MAIL_DOMAIN))

    @cached_property
    def at_mail(self) -> list[str]:
        return self.reach(self.mail)

    def reach(self, name: str) -> list[str]:
        """Where a name's ports are looked for: where DNS leads, or else where it should."""
        try:
            return self.names.addresses(name) or list(self.outside.addresses)
        except NoAnswer:
            return list(self.outside.addresses)


def findings(seen: Seen, certificate: bytes | None) -> list[Finding]:
    """`certificate` (DER) is what the gateway serves."""
    looks: list[Callable[[], list[Finding]]] = [
        lambda: _host(seen, "dns.base-domain", seen.base, "the portal"),
        lambda: _host(seen, "dns.wildcard", f"doctor-{secrets.token_hex(6)}.{seen.base}", "customers' hosts"),
        lambda: _host(seen, "dns.mail-domain", seen.mail, "the gateway"),
        lambda: _exchanger(seen),
        lambda: _authority(seen, seen.base),
        lambda: _authority(seen, seen.mail),
        lambda: _policy(seen),
        lambda: _reports(seen),
        lambda: _dane(seen, certificate),
    ]
    found: list[Finding] = []
    for look in looks:
        try:
            found += look()
        except NoAnswer as error:
            problem = Finding(
                "dns.server",
                Level.ERROR,
                f"DNS can't be asked: {error}.",
                "See to the name servers of this machine, or set GATEHOUSE_DNS_SERVER.",
            )
            if problem not in found:
                found.append(problem)
    return found


def _host(seen: Seen, number: str, name: str, what: str) -> list[Finding]:
    found = seen.names.addresses(name)
    shown = f"*.{seen.base}" if number == "dns.wildcard" else name
    if not found:
        return [
            Finding(number, Level.ERROR, f"DNS knows no address for {shown}: {what} can't be reached.", SEE)
        ]
    told = ", ".join(found)
    expected = set(seen.outside.addresses)
    if number == "dns.wildcard" and not expected:
        expected = set(seen.names.addresses(seen.base))
    if strange := [address for address in found if expected and address not in expected]:
        return [
            Finding(
                number,
                Level.ERROR,
                f"{shown} leads to {', '.join(strange)}, where this installation is not.",
                f"Let it lead to {', '.join(sorted(expected))}, or say by --address where the installation is.",
            )
        ]
    if inner := [address for address in found if not ipaddress.ip_address(address).is_global]:
        return [
            Finding(
                number,
                Level.WARNING,
                f"{shown} leads to {', '.join(inner)}, which nobody reaches from the internet.",
                "Publish public addresses, unless all who use it are in that network.",
            )
        ]
    if lacking := expected - set(found):
        return [
            Finding(number, Level.WARNING, f"{shown} does not lead to {', '.join(sorted(lacking))}.", SEE)
        ]
    return [Finding(number, Level.OK, f"{shown} leads to {told}.")]


def _exchanger(seen: Seen) -> list[Finding]:
    found = [str(record.exchange).rstrip(".").lower() for record in seen.names.ask(seen.mail, "MX")]
    if strange := [name for name in found if name != seen.mail]:
        return [
            Finding(
                "dns.mx",
                Level.ERROR,
                f"Mail for {seen.mail} goes to {', '.join(name or 'nobody (a null MX)' for name in strange)}.",
                f"Leave one MX record, that names {seen.mail} itself.",
            )
        ]
    if not found:
        return [
            Finding(
                "dns.mx",
                Level.ADVICE if settings.MTA_STS == "none" else Level.WARNING,
                f"{seen.mail} has no MX record. Senders take its address, but MTA-STS and DANE speak of MX.",
                SEE,
            )
        ]
    return [Finding("dns.mx", Level.OK, f"Mail for {seen.mail} comes to the gateway.")]


def _authority(seen: Seen, name: str) -> list[Finding]:
    wanted = [authority.lower() for authority in seen.outside.authorities]
    found = seen.names.authorities(name)
    if found is None:
        return [
            Finding(
                "dns.caa",
                Level.ADVICE,
                f"Any authority may make certificates for {name} (no CAA record).",
                SEE,
            )
        ]
    at, allowed = found
    if not set(wanted) & set(allowed):
        return [
            Finding(
                "dns.caa",
                Level.ERROR,
                f"The CAA record of {at} keeps {', '.join(wanted)} from making certificates for {name}.",
                f"{SEE} If your certificates come from elsewhere, say so by --authority.",
            )
        ]
    return [Finding("dns.caa", Level.OK, f"Certificates for {name} come from {', '.join(allowed)} only.")]


def _policy(seen: Seen) -> list[Finding]:
    found = seen.names.texts(f"_mta-sts.{seen.mail}", "v=STSv1")
    ids = [
        value.strip()
        for text in found
        for key, _, value in (part.partition("=") for part in text.split(";"))
        if key.strip() == "id"
    ]
    if not found and settings.MTA_STS == "none":
        return [
            Finding(
                "dns.mta-sts",
                Level.ADVICE,
                "Senders may deliver in clear text, or to whoever stands in between: there is no MTA-STS.",
                "Set GATEHOUSE_MTA_STS=testing, later enforce (docs/deployment.md, DNS), and ask the doctor again.",
            )
        ]
    if not found:
        return [
            Finding(
                "dns.mta-sts",
                Level.ERROR,
                f"GATEHOUSE_MTA_STS is {settings.MTA_STS}, and no sender hears of it: there is no record "
                f"_mta-sts.{seen.mail}.",
                SEE,
            )
        ]
    if len(found) > 1 or ids != [policy_id()]:
        return [
            Finding(
                "dns.mta-sts",
                Level.ERROR,
                f"The record _mta-sts.{seen.mail} has the id {', '.join(ids) or '(none)'}, that of the policy is {policy_id()}. "
                "Senders go on with what they knew.",
                f"Leave the one below, as long as it says what you mean (GATEHOUSE_MTA_STS={settings.MTA_STS}).",
            )
        ]
    return [Finding("dns.mta-sts", Level.OK, f"Senders hear of the policy ({settings.MTA_STS}).")]


def _reports(seen: Seen) -> list[Finding]:
    if found := seen.names.texts(f"_smtp._tls.{seen.mail}", "v=TLSRPTv1"):
        return [Finding("dns.tls-rpt", Level.OK, f"Senders report about TLS: {found[0]}")]
    return [
        Finding(
            "dns.tls-rpt",
            Level.ADVICE if settings.MTA_STS == "none" else Level.WARNING,
            "No sender reports whether TLS fails (TLS-RPT).",
            f"{SEE} Let the address be one that somebody reads, or give another by --reports-to.",
        )
    ]


def _dane(seen: Seen, certificate: bytes | None) -> list[Finding]:
    name = f"_25._tcp.{seen.mail}"
    found = seen.names.ask(name, "TLSA")
    if not found:
        return []
    if not seen.names.is_verified(name, "TLSA"):
        return [
            Finding(
                "dns.tlsa",
                Level.WARNING,
                f"The name server does not say that it has verified the TLSA record of {name}; without DNSSEC it means "
                "nothing.",
                "Sign the zone, or remove the record. If the zone is signed, ask a name server that verifies.",
            )
        ]
    if certificate is None:
        return [
            Finding(
                "dns.tlsa",
                Level.WARNING,
                f"{name} has TLSA records, and no certificate to compare them with.",
                "Start the gateway, and ask the doctor again.",
            )
        ]
    own = [record for record in found if (record.usage, record.selector, record.mtype) == (3, 1, 1)]
    if own and len(own) == len(found) and not any(record.cert == _key_digest(certificate) for record in own):
        return [
            Finding(
                "dns.tlsa",
                Level.ERROR,
                f"The TLSA record of {name} is of another key than the gateway's: senders that know DANE, Microsoft among "
                "them, put mail off.",
                SEE,
            )
        ]
    return [Finding("dns.tlsa", Level.OK, f"{name} has TLSA records, verified by DNSSEC.")]


# --- The records wanted ---
def wanted(seen: Seen, certificate: bytes | None) -> list[Record]:
    """All of them, those that are there too."""
    base, mail, outside = seen.base, seen.mail, seen.outside
    found = _hosts(seen, base, base) + _hosts(seen, f"*.{base}", base) + _hosts(seen, mail, mail)
    found.append(_record(seen, mail, "MX", f"10 {mail}."))
    found += [
        _record(seen, name, "CAA", f'0 issue "{authority}"')
        for name in (base, mail)
        for authority in outside.authorities
    ]
    if settings.MTA_STS != "none" or seen.names.published(f"_mta-sts.{mail}", "v=STSv1"):
        found += _hosts(seen, policy_host(), base)
        found.append(_record(seen, f"_mta-sts.{mail}", "TXT", f'"v=STSv1; id={policy_id()};"'))
    name = f"_smtp._tls.{mail}"
    reports = seen.names.published(name, "v=TLSRPTv1")
    if outside.reports_to or not reports:
        reports = f'"v=TLSRPTv1; rua=mailto:{_reports_to(outside)}"'
    found.append(_record(seen, name, "TXT", reports))
    if certificate:
        record = _record(seen, f"_25._tcp.{mail}", "TLSA", f"3 1 1 {_key_digest(certificate).hex()}")
        found.append(record if _is_published(seen, record) else _optional(record))
    return found


def _hosts(seen: Seen, name: str, like: str) -> list[Record]:
    """Where `name` should lead: to the addresses that were given, or that `like` has."""
    addresses = seen.reach(like) if not seen.outside.addresses else seen.outside.addresses
    if not addresses:
        return [Record(name, "A", "", is_there=False)]
    # A wildcard is asked for by any name that it stands for.
    asked = name.replace("*", f"doctor-{secrets.token_hex(6)}", 1)
    return [
        _record(seen, name, "AAAA" if ":" in address else "A", address, asked=asked) for address in addresses
    ]


def _record(seen: Seen, name: str, kind: str, value: str, *, asked: str = "") -> Record:
    try:
        there = dns.rdata.from_text("IN", kind, value) in seen.names.ask(asked or name, kind)
    except (NoAnswer, dns.exception.DNSException):  # a name that is none, which a check says
        there = False
    return Record(name, kind, value, is_there=there)


def _is_published(seen: Seen, record: Record) -> bool:
    try:
        return bool(seen.names.ask(record.name, record.type))
    except NoAnswer:
        return False


def _optional(record: Record) -> Record:
    return Record(record.name, record.type, record.value, record.is_there, optional=True)


def _reports_to(outside: Outside) -> str:
    """Of the domain that mails to people come from, for that one has mailboxes that somebody reads."""
    own = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    return quote(outside.reports_to or f"tls-reports@{own or settings.BASE_DOMAIN}", safe="@+")


def _text(record: Any) -> str:
    return b"".join(record.strings).decode(errors="replace")


def _begins(record: Any, begins: str) -> bool:
    return _text(record).split(";")[0].strip() == begins


def _key_digest(certificate: bytes) -> bytes:
    """Of the public key, which TLSA 3 1 1 names (RFC 6698, 2.1)."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def as_zone_file(records: Iterable[Record]) -> str:
    return "\n".join(f"{record.line}{'  ; is there' if record.is_there else ''}" for record in records)
