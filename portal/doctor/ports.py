"""What answers at our names from where the doctor runs, and which certificate it shows. Firewalls further out it can't see."""

import http.client
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from django.conf import settings

from gateway.errors import BadCertificate
from gateway.tls import ends_soon, first_of, names_of
from portal.gates.mta_sts import PATH, policy, policy_host
from portal.network import bracketed

from .findings import Finding, Level, told
from .zone import Seen

SECONDS = 5
ANSWER_OCTETS = 64 * 1024  # of a policy (RFC 8461, 3.3)
NAMED = 4
AWAY = "See that the gateway runs, and that a firewall or the container's ports let {port} through."
Connect = Callable[[str, int], socket.socket]


class Unlike(OSError):
    """Something answers, but not what should."""


@dataclass(frozen=True)
class Served:
    """`own` is the server's certificate (DER); `trouble` why a client that checks it goes away."""

    own: bytes
    trouble: str = ""


def gateway(seen: Seen) -> tuple[list[Finding], bytes | None]:
    """SMTP and POP3S at all addresses of the mail domain; and the certificate that SMTP shows, or that of the file."""
    file = _of_file()
    found: list[Finding] = []
    shown: bytes | None = None
    kinds = [
        # Senders that no policy binds take any certificate.
        (
            "smtp",
            seen.outside.smtp_port,
            start_tls,
            Level.ERROR if settings.MTA_STS == "enforce" else Level.WARNING,
        ),
        ("pop3s", seen.outside.pop3s_port, _connect, Level.ERROR),
    ]
    for name, port, connect, severity in kinds:
        for address in seen.at_mail:
            place = f"{bracketed(address)}:{port}"
            try:
                served = served_at(
                    connect, address, port, seen.mail, greeting=b"+OK" if name == "pop3s" else b""
                )
                about = _of_certificate(name, place, served, severity, file)
            except (OSError, ValueError, BadCertificate) as error:  # ValueError: a name that is none
                found.append(
                    Finding(f"{name}.reached", Level.ERROR, f"{place}: {told(error)}", AWAY.format(port=port))
                )
                continue
            found.append(Finding(f"{name}.reached", Level.OK, f"{place} answers, with TLS."))
            found += about
            if name == "smtp":
                shown = shown or served.own
    return found, shown or file


def portal(seen: Seen) -> list[Finding]:
    return _over_https(seen, "https", seen.base, "/healthz", None)


def policy_is_served(seen: Seen) -> list[Finding]:
    if settings.MTA_STS == "none":
        return []
    return _over_https(seen, "mta-sts.policy", policy_host(), PATH, policy())


def _over_https(seen: Seen, number: str, host: str, path: str, expected: str | None) -> list[Finding]:
    """Fetches a page, following nothing."""
    found = []
    port = seen.outside.https_port
    for address in seen.reach(host):
        place = f"https://{host}{path} at {bracketed(address)}:{port}"
        try:
            text = _fetched(address, port, host, path)
            if expected is not None and text != expected:
                raise Unlike("another policy is served than these settings have; start the web server again")
        except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: a name that is none
            found.append(
                Finding(
                    number,
                    Level.ERROR,
                    f"{place}: {told(error)}",
                    "See that the proxy and `manage.py web` run, and in the proxy's log why there is no certificate.",
                )
            )
        else:
            found.append(Finding(number, Level.OK, f"{place} answers, with a certificate that is trusted."))
    return found


def _fetched(address: str, port: int, host: str, path: str) -> str:
    """Raises OSError and HTTPException."""
    plain = socket.create_connection((address, port), SECONDS)
    with plain, ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
        connection = http.client.HTTPConnection(host, timeout=SECONDS)
        connection.sock = secure
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Unlike(f"it is answered {answer.status}")
        return answer.read(ANSWER_OCTETS).decode(errors="replace")


def served_at(connect: Connect, address: str, port: int, name: str, *, greeting: bytes = b"") -> Served:
    """Raises OSError when nothing or something else answers there, or no TLS."""
    try:
        return Served(_shown(connect(address, port), ssl.create_default_context(), name, greeting))
    except ssl.SSLCertVerificationError as error:
        trouble = error.verify_message
    # Again, to see what it is that is not to be trusted. Nothing is said over this connection.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return Served(_shown(connect(address, port), context, name, greeting), trouble)


def _shown(plain: socket.socket, context: ssl.SSLContext, name: str, greeting: bytes) -> bytes:
    with plain, context.wrap_socket(plain, server_hostname=name) as secure:
        if greeting and not secure.recv(512).startswith(greeting):
            raise Unlike("it speaks something else than POP3")
        own = secure.getpeercert(binary_form=True)
        assert own
        return own


def _connect(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port), SECONDS)


def start_tls(address: str, port: int) -> socket.socket:
    """As far as a server says 220 to STARTTLS."""
    client = smtplib.SMTP(local_hostname="doctor.invalid", timeout=SECONDS)
    try:
        code, said = client.connect(address, port)
        if code == 220:
            client.ehlo()
            code, said = client.docmd("STARTTLS")
        if code != 220 or client.sock is None:
            raise Unlike(f"it answers {code} {said.decode(errors='replace')}, and begins no TLS")
    except BaseException:
        client.close()
        raise
    return client.sock


def _of_certificate(
    kind: str, place: str, served: Served, severity: Level, file: bytes | None
) -> list[Finding]:
    number = f"{kind}.certificate"
    certificate = x509.load_der_x509_certificate(served.own)
    names = names_of(served.own)
    end = certificate.not_valid_after_utc
    shown = (
        f"{place} shows a certificate for {', '.join(names[:NAMED]) or 'no host'}{' and others' if names[NAMED:] else ''}, by "
        f"{certificate.issuer.rfc4514_string()}, until {end:%Y-%m-%d %H:%M} UTC"
    )
    if served.trouble:
        return [
            Finding(
                number,
                severity,
                f"{shown}. It is not trusted: {served.trouble}.",
                f"Serve one for {settings.MAIL_DOMAIN} by a public authority, with all certificates between the two "
                "(GATEHOUSE_TLS_CERT_FILE); docs/deployment.md says how Caddy gets it.",
            )
        ]
    found = [Finding(number, Level.OK, f"{shown}.")]
    if ends_soon(served.own):
        found = [
            Finding(
                number,
                Level.WARNING,
                f"{shown}, which is soon.",
                "See why it is not renewed (the proxy's log).",
            )
        ]
    if file and file != served.own:
        found.append(
            Finding(
                number,
                Level.WARNING,
                f"{place} shows another certificate than that in GATEHOUSE_TLS_CERT_FILE.",
                "See the gateway's log for why it was not taken up, or whether another server answers there.",
            )
        )
    return found


def _of_file() -> bytes | None:
    if not settings.TLS_CERT_FILE:
        return None
    try:
        return first_of(Path(settings.TLS_CERT_FILE))
    except BadCertificate:
        return None  # a check says so, or it is not for this process
