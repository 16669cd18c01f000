"""The way to PostgreSQL over TLS: the authorities that it is judged by, and what to do where it is barred; and who could
stand on it, or on that to Redis.

libpq refuses by itself what was not asked for, and says of a certificate only that it is not to be trusted; so another look is
taken at it, which sends nothing.
"""

import re
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.db.backends.base.base import BaseDatabaseWrapper

from portal.environment import POSTGRES_PORT, SSL_MODES, parts_of
from portal.network import is_loopback

from .variables import TAG, unreadable

SYSTEM = "system"  # libpq's word for the authorities of the machine
SSL_REQUEST, WILLING = struct.pack("!II", 8, 80877103), b"S"
SECONDS = 5
# What docker/compose.yaml calls its own, which are in a network within the machine. Elsewhere it is a name like any other.
OF_COMPOSE = {"postgres", "valkey"}
YES = ("true", "1", "yes")
UNTRUSTED = "certificate verify failed"
BEHIND_POOLER = (
    "The pooler is there and has no session of PostgreSQL for us. Its log says why: all are taken, PostgreSQL is away, its "
    "certificate is not to be trusted (server_tls_ca_file), or the password is another one."
)
DROPPED = (
    "PostgreSQL is there, and has no database of that name. Correct DATABASE_URL. If it is the right name, the database was dropped "
    "or never made: `manage.py restore` brings all back from a backup (docs/operations.md, Restore); a new installation makes "
    "one (docs/deployment.md)."
)
# By what libpq says, or PgBouncer, which also repeats what its server has said: what to do about it. Regular expressions.
ADVICE = {
    'database ".*" does not exist|no such database': DROPPED,
    UNTRUSTED: "No password was sent. Give the server a certificate that holds, of an authority in the file that sslrootcert in "
    "DATABASE_URL (or PGSSLROOTCERT) names, or add its authority to that file; it is read at each connection.",
    "does not match host name": "No password was sent. Have DATABASE_URL name the host as its certificate does, or give it one with "
    "that name.",
    "root certificate file": "Name the file with the certificates (PEM) of the authorities that vouch for the server: "
    "sslrootcert in DATABASE_URL, or PGSSLROOTCERT.",
    "server does not support SSL": "No password was sent. Give PostgreSQL, or the pooler before it, a certificate and let it speak "
    "TLS (ssl = on), or have DATABASE_URL lead to one that does.",
    "server login has been failing": BEHIND_POOLER,
    "query_wait_timeout": BEHIND_POOLER,
    "no encryption": "It lets nobody in without TLS: put sslmode=verify-full&sslrootcert=/path behind the ? of DATABASE_URL.",
}


@register(TAG)
def database_authorities_are_readable(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Without them sslmode=require, which is without verify-, takes any certificate and does not say so."""
    file = settings.DATABASE_CA_FILE
    why = _why_no_authorities(file) if file and file != SYSTEM else ""
    if not why:
        return []
    return [
        Error(
            f"What sslrootcert in DATABASE_URL or PGSSLROOTCERT names is no file with authorities: {why}.",
            hint="Name a file with certificates (PEM) that this process may read.",
            id="gatehouse.E038",
        )
    ]


@register(TAG)
def nobody_passes_for_the_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Whom nobody verifies is trusted all the same: what falls back to clear text, and what takes any certificate."""
    away = beyond_this_machine(settings.DATABASE_HOSTS)
    mode = SSL_MODES[-1] if settings.DATABASE_CA_FILE == SYSTEM else settings.DATABASE_SSL_MODE
    if not away or mode == SSL_MODES[-1]:
        return []
    return [
        Warning(
            f"PostgreSQL is reached over a network ({', '.join(away)}) with sslmode={mode}: whoever "
            "stands in between may pass for it, and read and change all that goes by.",
            hint="Give it a certificate of the name in DATABASE_URL, and put "
            "?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt behind that, or the file of an authority of "
            "your own; with Compose GATEHOUSE_POSTGRES_SSLMODE and GATEHOUSE_POSTGRES_SSLROOTCERT say it (docs/deployment.md, "
            "TLS to PostgreSQL).",
            id="gatehouse.W018",
        )
    ]


@register(TAG)
def nobody_else_enters_redis(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    url = parts_of(settings.REDIS_URL)
    away = beyond_this_machine([url.hostname or ""])
    missing = [] if url.password else ["a password"]
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    if url.scheme != "rediss":
        missing.append("TLS")
    elif options.get("ssl_cert_reqs", "").lower().endswith("none"):
        missing.append("a look at its certificate")
    elif options.get("ssl_check_hostname", YES[0]).lower() not in YES:
        missing.append("a look at its certificate's name")
    if not away or not missing:
        return []
    return [
        Warning(
            f"Redis is reached over a network ({away[0]}) without {' and without '.join(missing)}: others there can empty or fill "
            "its queues, and undo the limits of the sign-in.",
            hint="Set requirepass and tls-port in its configuration, and REDIS_URL, with Compose GATEHOUSE_VALKEY_URL, to "
            "rediss://:password@host:6379/0, with ?ssl_ca_certs=/file behind it for an authority of your own "
            "(docs/deployment.md, Services of your own).",
            id="gatehouse.W019",
        )
    ]


def beyond_this_machine(hosts: Iterable[str]) -> list[str]:
    """Of these those that are reached over a network; sockets have a path, or no host at all."""
    ours = OF_COMPOSE if settings.IN_COMPOSE else set()
    return [
        host
        for host in hosts
        if host and not host.startswith(("/", "@")) and not is_loopback(host) and host not in ours
    ]


def _why_no_authorities(file: str) -> str:
    if why := unreadable(Path(file)):
        return why
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError):
        return "there is no certificate in it"
    return ""


def advice(wrapper: BaseDatabaseWrapper, said: str) -> tuple[str, str]:
    """What is to be added to what libpq said, and what is to be done; nothing, if that was about something else."""
    for words, hint in ADVICE.items():
        if re.search(words, said):
            return (_why_untrusted(wrapper.get_connection_params()) if words == UNTRUSTED else "", hint)
    return "", ""


def _why_untrusted(parameters: Mapping[str, Any]) -> str:
    """In OpenSSL's words; of several servers that of the first whose certificate is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # which libpq says itself
    file = parameters.get("sslrootcert") or settings.DATABASE_CA_FILE
    try:
        if file and file != SYSTEM:
            context.load_verify_locations(cafile=file)
        else:
            context.load_default_certs()
    except (ssl.SSLError, OSError):
        return ""
    hosts = str(parameters.get("host") or "").split(",")
    ports = str(parameters.get("port") or POSTGRES_PORT).split(",")
    for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False):
        try:
            _greet(host, int(port), context)
        except ssl.SSLCertVerificationError as error:
            return f" ({re.sub('[^ -~]', '?', error.verify_message)})"
        except (OSError, ValueError):
            continue
    return ""


def _greet(host: str, port: int, context: ssl.SSLContext) -> None:
    """As libpq does before it says who we are. Raises OSError, ssl.SSLCertVerificationError among them."""
    with socket.create_connection((host, port), SECONDS) as plain:
        plain.sendall(SSL_REQUEST)
        if plain.recv(1) == WILLING:
            with context.wrap_socket(plain, server_hostname=host):
                pass
