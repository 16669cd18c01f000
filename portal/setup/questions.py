"""What is asked, in this order, and what is made for whoever answers."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from accounts.zones import is_zone
from mailboxes.vault import BadKey, PrivateKey
from portal.environment import parts_of, parts_of_several
from portal.onebox.secrets import new_secret_key, new_worker_key

Answers = Mapping[str, str]
# Where docker/systemd/ and docs/deployment.md have them.
STATE_DIR, STATIC_DIR = "/var/lib/gatehouse", "/opt/gatehouse/static"
IN_COMPOSE = {
    "GATEHOUSE_IN_COMPOSE": "1",
    "DATABASE_URL": "postgresql://gatehouse_app:{DATABASE_PASSWORD}@postgres:5432/gatehouse",
    "REDIS_URL": "redis://:{REDIS_PASSWORD}@valkey:6379/0",
}
OWN_BUCKET = {
    "COMPOSE_PROFILES": "s3",
    "GATEHOUSE_STORE_URL": "s3://gatehouse",
    "GATEHOUSE_S3_ENDPOINT": "http://s3:8333",
    "GATEHOUSE_S3_ACCESS_KEY_ID": "gatehouse",
}


class Way(StrEnum):
    """How the portal's processes run."""

    UNITS = "units"
    COMPOSE = "compose"


def _always(_answers: Answers) -> bool:
    return True


def _as_typed(text: str, _answers: Answers) -> str:
    return text


@dataclass(frozen=True)
class Question:
    """`asks` and `why` are what people read; `understood` makes a value of what they type, or raises ValueError with what
    would do. `tries` names what shows whether it is right, besides the settings themselves (probes, probes_of_services).
    With `kept_as` it is a URL whose password is asked for after it; under that name it is kept, too, where one of our own
    making can serve.
    """

    name: str
    asks: str
    why: str
    default: Callable[[Answers], str] = lambda _answers: ""
    is_needed: bool = False
    is_secret: bool = False
    kept_as: str | None = None
    tries: tuple[str, ...] = ()
    when: Callable[[Answers], bool] = _always
    understood: Callable[[str, Answers], str] = _as_typed
    ways: tuple[Way, ...] = (Way.UNITS, Way.COMPOSE)


def _own_name(text: str, answers: Answers) -> str:
    if text == answers.get("GATEHOUSE_BASE_DOMAIN"):
        raise ValueError("Give the gateway a name of its own: Caddy gets a certificate for each of the two.")
    return text


def _zone(text: str, _answers: Answers) -> str:
    if text != "UTC" and not is_zone(text):
        raise ValueError(f"{text!r} is no time zone: give one as Europe/Zurich or America/New_York, or UTC.")
    return text


def _sender_at(domain: str) -> str:
    return f"Gatehouse <no-reply@{domain}>" if domain else ""


def _sends_mail(answers: Answers) -> bool:
    return bool(answers.get("GATEHOUSE_SMTP_URL") or answers.get("GATEHOUSE_SMTP_URL_FILE"))


def _store(text: str, _answers: Answers) -> str:
    return Path(text).as_uri() if text.startswith("/") else text


def _store_of_containers(text: str, answers: Answers) -> str:
    url = _store(text, answers)
    if url.startswith("file:") and not Path(parts_of(url).path).is_relative_to(STATE_DIR):
        raise ValueError(
            f"No container has that folder: leave it empty for the volume `state` ({STATE_DIR}), or give a bucket, "
            "s3://bucket/prefix."
        )
    return url


def _url(text: str, _answers: Answers) -> str:
    if parts_of_several(text).password is not None:
        raise ValueError("Leave the password out of it: it is asked for next, and not shown.")
    return text


def is_bucket(answers: Answers) -> bool:
    return answers.get("GATEHOUSE_STORE_URL", "").startswith("s3://") and "COMPOSE_PROFILES" not in answers


QUESTIONS = (
    Question(
        "GATEHOUSE_BASE_DOMAIN",
        "The operators' host, such as portal.example.com",
        "Customers' hosts will be below it, and so will passkeys, so it can't simply be changed later. Best a name that has "
        "no other website beside it.",
        is_needed=True,
        tries=("portal-names",),
    ),
    Question(
        "GATEHOUSE_MAIL_DOMAIN",
        "The gateway's name, such as mx.example.com",
        "It is the right side of mailboxes' addresses, and what archivers connect to. It can't simply be changed either.",
        is_needed=True,
        understood=_own_name,
        tries=("gateway-names",),
    ),
    Question(
        "GATEHOUSE_TIME_ZONE",
        "Time zone of new people",
        "Times on pages and in mails to people are in it, until a person chooses another under Settings.",
        default=lambda _answers: _zone_of_machine(),
        understood=_zone,
    ),
    Question(
        "GATEHOUSE_SMTP_URL",
        "Mail server for invitations and notices: smtp://user@host:587 (STARTTLS), smtps://user@host:465, or "
        "smtp://127.0.0.1:25?tls=no on this machine",
        "Without one invitations lie as files on this machine, and whoever reads these can accept them.",
        kept_as="",
        understood=_url,
        tries=("mail-out",),
    ),
    Question(
        "GATEHOUSE_MAIL_FROM",
        "Sender of these mails",
        "An address that your mail server may send from.",
        default=lambda answers: _sender_at(answers.get("GATEHOUSE_BASE_DOMAIN", "")),
    ),
    Question(
        "GATEHOUSE_ALARMS_TO",
        "Who is mailed when a night's backup fails, such as night@example.com, with commas between several",
        "Backups fail in the dark, and a disk that dies after that takes everything. Empty: nobody hears of it.",
        when=_sends_mail,
    ),
    Question(
        "DATABASE_URL",
        "PostgreSQL, as postgresql://role@host:port/database",
        "The role that serves, not the owner of the tables (docs/database-roles.md). Through a PgBouncer it is PgBouncer's "
        "host and port. Over a network ?sslmode=verify-full&sslrootcert=/file stands behind it (docs/deployment.md, TLS to "
        "PostgreSQL).",
        default=lambda _answers: "postgresql://gatehouse_app@127.0.0.1:5432/gatehouse",
        is_needed=True,
        kept_as="DATABASE_PASSWORD",
        understood=_url,
        tries=("way-to-database", "database"),
        ways=(Way.UNITS,),
    ),
    Question(
        "REDIS_URL",
        "Redis or Valkey, as redis://host:port/number (rediss:// with TLS)",
        "It rings for workers and counts sign-ins; no mail and no password lies there. Over a network it is rediss:// with a "
        "password (docs/deployment.md, Services of your own).",
        default=lambda _answers: "redis://127.0.0.1:6379/0",
        is_needed=True,
        kept_as="REDIS_PASSWORD",
        understood=_url,
        tries=("way-to-redis", "redis"),
        ways=(Way.UNITS,),
    ),
    Question(
        "GATEHOUSE_STORE_URL",
        "Where sealed messages lie: a folder such as /srv/gatehouse, or a bucket, s3://bucket/prefix",
        "It needs as much room as mail waits, and backups. Empty: a folder of its own among the portal's state.",
        understood=_store,
        tries=("folder",),
        ways=(Way.UNITS,),
    ),
    Question(
        "GATEHOUSE_STORE_URL",
        "A bucket for sealed messages, s3://bucket/prefix",
        "It needs as much room as mail waits, and backups. Empty: the volume `state` of this machine.",
        understood=_store_of_containers,
        ways=(Way.COMPOSE,),
    ),
    Question(
        "GATEHOUSE_S3_ENDPOINT",
        "The bucket's server, as https://host:port",
        "Any S3-compatible one. Empty: Amazon's, of the region.",
        when=is_bucket,
    ),
    Question(
        "GATEHOUSE_S3_REGION",
        "The bucket's region",
        "Requests are signed for it.",
        default=lambda _answers: "us-east-1",
        when=is_bucket,
    ),
    Question(
        "GATEHOUSE_S3_CA_FILE",
        "File with the authority's certificates (PEM), if it is your own",
        "Empty: the public authorities.",
        when=is_bucket,
        ways=(Way.UNITS,),
    ),
    Question(
        "GATEHOUSE_S3_ACCESS_KEY_ID",
        "Access key",
        "Of a key that may put, get, delete and list objects of this bucket, and read its versioning and lifecycle rules.",
        is_needed=True,
        when=is_bucket,
    ),
    Question(
        "GATEHOUSE_S3_SECRET_ACCESS_KEY",
        "Its secret",
        "It is not shown while you type.",
        is_needed=True,
        is_secret=True,
        when=is_bucket,
        tries=("store",),
    ),
    Question(
        "GATEHOUSE_IDP_NETWORKS",
        "Private networks in which identity providers are, such as 10.20.0.0/16",
        "Elsewhere in private networks none is asked. Empty is right for Microsoft Entra ID, Google and others on the "
        "internet. The identity providers themselves are set up in the portal: Team, Sign-in with your identity provider.",
    ),
)


def asked(way: Way) -> list[Question]:
    return [question for question in QUESTIONS if way in question.ways]


def named(name: str) -> Question:
    return next(question for question in QUESTIONS if question.name == name)


def shown(question: Question, value: str) -> str:
    """A value as it may be shown."""
    if question.is_secret:
        return "what is there, not shown" if value else ""
    if question.kept_as is None:
        return value
    return without_password(value)


def without_password(url: str) -> str:
    found = parts_of_several(url)
    user, at, host = found.netloc.rpartition("@")
    return urlunsplit(found._replace(netloc=f"{user.partition(':')[0]}{at}{host}".removeprefix("@")))


def password_of(url: str) -> str:
    return unquote(parts_of_several(url).password or "")


def with_password(url: str, password: str) -> str:
    if not password:
        return url
    found = urlsplit(url)
    user, _, host = found.netloc.rpartition("@")
    return urlunsplit(found._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def wants_password(question: Question, url: str) -> bool:
    """Whether there is one to ask for: mail servers take none without a name, sockets need none."""
    found = parts_of_several(url)
    if question.kept_as is None or found.scheme == "unix":
        return False
    return bool(question.kept_as or found.username)


def new_password() -> str:
    return secrets.token_urlsafe(24)


def made(way: Way, known: Answers, *, own_bucket: bool = False) -> dict[str, str]:
    """What nobody has to think of, as far as it is not there yet."""
    worker_key = known.get("GATEHOUSE_WORKER_KEY") or new_worker_key()
    found: dict[str, str] = {}

    def make(name: str, value: Callable[[], str]) -> None:
        if not known.get(name) and not known.get(f"{name}_FILE"):
            found[name] = value()

    make("SECRET_KEY", new_secret_key)
    make("GATEHOUSE_WORKER_KEY", lambda: worker_key)
    if known.get("GATEHOUSE_WORKER_KEY") or "GATEHOUSE_WORKER_KEY" in found:
        make("GATEHOUSE_WORKER_PUBLIC_KEY", lambda: _public_half(worker_key))
    make("DATABASE_OWNER_PASSWORD", new_password)
    if way == Way.COMPOSE:
        for name in ("DATABASE_PASSWORD", "REDIS_PASSWORD", "POSTGRES_PASSWORD"):
            make(name, new_password)
        if own_bucket:
            found |= OWN_BUCKET
            make("GATEHOUSE_S3_SECRET_ACCESS_KEY", lambda: secrets.token_urlsafe(30))
    else:
        make("GATEHOUSE_STATE_DIR", lambda: STATE_DIR)
        make("GATEHOUSE_STATIC_DIR", lambda: STATIC_DIR)
    return found


def written_for(known: Answers) -> Way | None:
    """Whose settings a file has, by what the other way has no use for; None if it has neither."""
    if known.get("POSTGRES_PASSWORD"):
        return Way.COMPOSE
    return Way.UNITS if known.get("GATEHOUSE_STATE_DIR") or known.get("DATABASE_URL") else None


def in_files(way: Way, known: Answers) -> list[str]:
    """What a file is named for, although the containers get nothing but values (docker/compose.yaml)."""
    if way != Way.COMPOSE:
        return []
    wanted = {*made(way, {}), *(question.name for question in asked(way))}
    return sorted(
        name for name, value in known.items() if value and name.removesuffix("_FILE") in wanted - {name}
    )


def _public_half(worker_key: str) -> str:
    try:
        return base64.b64encode(PrivateKey.from_text(worker_key).public).decode()
    except (ValueError, BadKey):  # which a check says
        return ""


def _zone_of_machine() -> str:
    """By Debian's file, or where /etc/localtime leads."""
    try:
        found = Path("/etc/timezone").read_text().strip()
    except OSError:
        found = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    return found if is_zone(found) else "UTC"
