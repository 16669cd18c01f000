"""Which variables anything of an installation reads, and what somebody meant who wrote another one."""

from collections.abc import Iterable
from difflib import get_close_matches

from django.conf import settings

from .findings import Finding, Level

OURS = "GATEHOUSE_"
# What docker/compose.yaml reads of docker/.env, or Compose itself; to containers it hands nothing else on.
OF_COMPOSE = frozenset(
    {
        "CADDY_OPTIONS",
        "COMPOSE_PROFILES",
        "DATABASE_OWNER_PASSWORD",
        "DATABASE_PASSWORD",
        "GATEHOUSE_ALARMS_TO",
        "GATEHOUSE_AUTHORITIES",
        "GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID",
        "GATEHOUSE_BACKUP_S3_CA_FILE",
        "GATEHOUSE_BACKUP_S3_ENDPOINT",
        "GATEHOUSE_BACKUP_S3_REGION",
        "GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY",
        "GATEHOUSE_BACK_INTERNAL",
        "GATEHOUSE_BASE_DOMAIN",
        "GATEHOUSE_DELIVERY_LOG_DAYS",
        "GATEHOUSE_DNS_SERVER",
        "GATEHOUSE_GATEWAY_PROCESSES",
        "GATEHOUSE_HSTS_PRELOAD",
        "GATEHOUSE_IDP_CA_FILE",
        "GATEHOUSE_IDP_NETWORKS",
        "GATEHOUSE_IMAGE",
        "GATEHOUSE_LOG_FORMAT",
        "GATEHOUSE_MAIL_DOMAIN",
        "GATEHOUSE_MAIL_FROM",
        "GATEHOUSE_MAX_MESSAGE_OCTETS",
        "GATEHOUSE_MTA_STS",
        "GATEHOUSE_POOLER",
        "GATEHOUSE_POP3_PER_NETWORK",
        "GATEHOUSE_POSTGRES_CONTAINERS",
        "GATEHOUSE_POSTGRES_HOST",
        "GATEHOUSE_POSTGRES_PORT",
        "GATEHOUSE_POSTGRES_SSLMODE",
        "GATEHOUSE_POSTGRES_SSLROOTCERT",
        "GATEHOUSE_PUBLIC_POP3S_PORT",
        "GATEHOUSE_PUBLIC_POP3_PORT",
        "GATEHOUSE_PUBLIC_SMTPS_PORT",
        "GATEHOUSE_PUBLIC_SMTP_PORT",
        "GATEHOUSE_RECOVERY_PUBLIC_KEY",
        "GATEHOUSE_S3_ACCESS_KEY_ID",
        "GATEHOUSE_S3_CA_FILE",
        "GATEHOUSE_S3_ENDPOINT",
        "GATEHOUSE_S3_REGION",
        "GATEHOUSE_S3_SECRET_ACCESS_KEY",
        "GATEHOUSE_S3_TIMEOUT",
        "GATEHOUSE_SCHEMAS_PER_CONNECTION",
        "GATEHOUSE_SMTP_URL",
        "GATEHOUSE_SSL_CERT_FILE",
        "GATEHOUSE_STORE_OTHER_URL",
        "GATEHOUSE_STORE_URL",
        "GATEHOUSE_TIME_ZONE",
        "GATEHOUSE_UPGRADE_PROCESSES",
        "GATEHOUSE_VALKEY_CONTAINERS",
        "GATEHOUSE_VALKEY_URL",
        "GATEHOUSE_WEB_PROCESSES",
        "GATEHOUSE_WEB_THREADS",
        "GATEHOUSE_WORKER_KEY",
        "GATEHOUSE_WORKER_PROCESSES",
        "GATEHOUSE_WORKER_PUBLIC_KEY",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "SECRET_KEY",
        "SECRET_KEY_FALLBACKS",
    }
)
# What lines of docs/, units and the Caddyfile read besides the settings.
OF_UNITS = frozenset(
    {
        "CADDY_BUFFERING",
        "CADDY_HTTPS_PORT",
        "CADDY_HTTP_PORT",
        "CADDY_OPTIONS",
        "DATABASE_OWNER_PASSWORD",
        "DATABASE_PASSWORD",
        "GATEHOUSE_BACKUP_PLACE",
        "GATEHOUSE_WEB",
        "REDIS_PASSWORD",
        "SSL_CERT_FILE",
    }
)
OF_TESTS = ("GATEHOUSE_TEST_", "GATEHOUSE_LONG")
LIKE_OURS, LIKE_OTHERS = 0.65, 0.88  # of 1: a name that does not begin as ours do may be anybody's


def unknown(names: Iterable[str]) -> dict[str, str]:
    """Those that nothing reads although they look as if something should, each with what was meant; empty if nobody can tell."""
    found = {}
    for name in names:
        if name in _known() or name.startswith(OF_TESTS):
            continue
        nearest = _nearest(name.upper())
        if nearest or name.upper().startswith(OURS):
            found[name] = nearest
    return found


def unread(names: Iterable[str], *, by_compose: bool) -> list[str]:
    """Those that mean something in the other way to run the portal, and nothing in this one."""
    read = OF_COMPOSE if by_compose else settings.ENVIRONMENT_NAMES | OF_UNITS
    return sorted(name for name in names if name in _known() - read)


def said(name: str, nearest: str) -> str:
    return f"Nothing reads {name}" + (f": {nearest} is meant?" if nearest else ".")


def of_this_process(names: Iterable[str]) -> list[Finding]:
    """What the doctor says of its environment, which processes have, too."""
    return [
        Finding(
            "variables",
            Level.WARNING,
            said(name, nearest),
            "Correct the name, or take it out: docs/settings.md has all of them.",
        )
        for name, nearest in unknown(name for name in names if name.upper().startswith(OURS)).items()
    ]


def _known() -> frozenset[str]:
    return settings.ENVIRONMENT_NAMES | OF_COMPOSE | OF_UNITS


def _nearest(name: str) -> str:
    # In small letters; without what ours begin with; or with it, where a name has it not.
    for meant in (name, OURS + name, name.removeprefix(OURS)):
        if meant in _known():
            return meant
    # That a secret may stand in a file is no other name.
    candidates = sorted(each for each in _known() if name.endswith("_FILE") or not each.endswith("_FILE"))
    if not name.startswith(OURS):
        return next(iter(get_close_matches(name, candidates, 1, LIKE_OTHERS)), "")
    behind = {each.removeprefix(OURS): each for each in candidates}  # what all have in common tells nothing
    return next(map(behind.get, get_close_matches(name.removeprefix(OURS), behind, 1, LIKE_OURS)), "") or ""
