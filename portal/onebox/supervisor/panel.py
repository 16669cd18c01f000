"""When everything answers: what is where, who may sign in, how to stop."""

import http.client
import socket
import ssl
from collections.abc import Callable

from django.conf import LazySettings

from accounts.adapters.backends import DEMO_PASSWORD
from portal.network import bracketed
from portal.onebox import demo
from portal.onebox.supervisor.terminal import Console

PROBE_SECONDS = 3.0


def not_ready(settings: LazySettings) -> list[str]:
    """Which of the doors do not answer yet."""
    bind = settings.BIND
    doors: dict[str, Callable[[], bool]] = {
        "web": lambda: _answers_ready(bind, settings.HTTP_PORT, settings.BASE_DOMAIN),
        "SMTP": lambda: _greets(bind, settings.SMTP_PORT, b"220"),
        "SMTP over TLS": lambda: _greets(bind, settings.SMTPS_PORT, b"220", tls=True),
        "POP3": lambda: _greets(bind, settings.POP3_PORT, b"+OK"),
        "POP3 over TLS": lambda: _greets(bind, settings.POP3S_PORT, b"+OK", tls=True),
    }
    return [name for name, is_open in doors.items() if not is_open()]


def show(console: Console, settings: LazySettings) -> None:
    base = f"http://{{}}{settings.BASE_DOMAIN}{_suffix(settings.HTTP_PORT)}/".format
    bind = bracketed(settings.BIND)
    lines = [
        "",
        console.strong("Gatehouse is ready."),
        "",
        f"  Operators    {console.strong(base(''))}",
        f"  Customer     {console.strong(base('acme.'))}",
        "",
        *_people(console, settings),
        "",
        f"  Mail in      SMTP {bind}:{settings.SMTP_PORT} (STARTTLS), {bind}:{settings.SMTPS_PORT} (TLS)",
        f"  Mail out     POP3 {bind}:{settings.POP3_PORT} (STLS), {bind}:{settings.POP3S_PORT} (TLS)",
        f"  Certificate  {settings.STATE_DIR / 'tls' / 'cert.pem'}",
        *([] if settings.EMAIL_BACKEND.startswith("django.core.mail.backends.smtp") else [_mails(settings)]),
        f"  Data         {settings.STATE_DIR}",
        "",
        "  Ctrl-C stops everything; the data stays.",
        "",
    ]
    for line in lines:
        console.say(line)


def _people(console: Console, settings: LazySettings) -> list[str]:
    if not settings.DATABASE_IS_EMBEDDED:
        return ["  People       none of the demo's, as the database is yours: `manage.py create_user --help`"]
    found = [user.email for user in demo.people()]
    if not found:
        return ["  People       the demo's are retired.", *(f"    {way}" for way in demo.WAYS_IN)]
    width = max(map(len, found))
    return [
        f"  Sign in with the password {console.strong(DEMO_PASSWORD)} as",
        *(f"    {email:<{width}}  {demo.PEOPLE.get(email, '')}".rstrip() for email in found),
    ]


def _mails(settings: LazySettings) -> str:
    return (
        f"  Mails        {settings.EMAIL_FILE_PATH} (invitations and notices; GATEHOUSE_SMTP_URL sends them)"
    )


def _suffix(port: int) -> str:
    return "" if port == 80 else f":{port}"


def _answers_ready(bind: str, port: int, host: str) -> bool:
    connection = http.client.HTTPConnection(bind, port, timeout=PROBE_SECONDS)
    try:
        # By address: not every resolver knows names below .localhost.
        connection.request("GET", "/readyz", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _greets(bind: str, port: int, greeting: bytes, *, tls: bool = False) -> bool:
    try:
        with socket.create_connection((bind, port), timeout=PROBE_SECONDS) as plain:
            if not tls:
                return _says(plain, greeting)
            with _trusting().wrap_socket(plain) as secured:
                return _says(secured, greeting)
    except OSError:  # ssl.SSLError is one
        return False


def _says(connection: socket.socket, greeting: bytes) -> bool:
    connection.settimeout(PROBE_SECONDS)
    found = b""
    while len(found) < len(greeting):
        data = connection.recv(1024)
        if not data:
            return False
        found += data
    return found.startswith(greeting)


def _trusting() -> ssl.SSLContext:
    """The question is only whether it answers; the certificate may be anyone's."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
