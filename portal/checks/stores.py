"""The message store: what its settings say, and what the bucket says when it is asked."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from mailboxes.store.access import overlap
from mailboxes.store.bucket import Finding, Trouble, findings
from portal.network import is_loopback

from .variables import TAG, unreadable

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")


@register(TAG)
def store_is_supported(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = [
        Error(
            f"{variable} names no store that this release can use.",
            hint="Use file:///path with an absolute path, or s3://bucket/prefix.",
            id="gatehouse.E008",
        )
        for variable, url in _named().items()
        if not _is_folder(url) and not _is_bucket(url)
    ]
    if not found and settings.STORE_OTHER_URL and overlap(settings.STORE_OTHER_URL, settings.STORE_URL):
        found.append(
            Error(
                "GATEHOUSE_STORE_OTHER_URL names the store of GATEHOUSE_STORE_URL, or one of the two lies within the other.",
                hint="It is for the other one of two, which have nothing in common, while the installation moves; "
                "else leave it empty.",
                id="gatehouse.E024",
            )
        )
    return found


@register(TAG)
def the_bucket_is_entered_with_keys(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not any(_is_bucket(url) for url in _named().values()):
        return []
    found: list[CheckMessage] = []
    missing = [
        f"GATEHOUSE_{name}"
        for name in ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")
        if not getattr(settings, name)
    ]
    if missing:
        found.append(
            Error(
                f"The message store is a bucket, and there is no {' and no '.join(missing)}.",
                hint="Set both, or what ends in _FILE beside them.",
                id="gatehouse.E021",
            )
        )
    file = settings.S3_CA_FILE
    if file and (why := unreadable(Path(file))):
        found.append(
            Error(
                f"GATEHOUSE_S3_CA_FILE names no file that can be read: {why}.",
                hint="Name a PEM file that this process may read, or leave it empty.",
                id="gatehouse.E027",
            )
        )
    endpoint = urlsplit(settings.S3_ENDPOINT)
    if endpoint.scheme == "http" and not is_loopback(endpoint.hostname or ""):
        found.append(
            Warning(
                "GATEHOUSE_S3_ENDPOINT is without TLS: who listens sees when mail comes and goes, and can keep it away.",
                hint="Use https://. What lies there is sealed either way.",
                id="gatehouse.W005",
            )
        )
    return found


# Services that are away make nothing unsafe (tenants/unasked.py): E022 and E035 keep nobody from starting.
_SAID: dict[Trouble, tuple[type[Error] | type[Warning], str, str, str]] = {
    Trouble.UNREACHABLE: (
        Error,
        "gatehouse.E022",
        "can't be reached",
        "Start it, or correct GATEHOUSE_S3_ENDPOINT. Mail is put off meanwhile.",
    ),
    Trouble.NOT_NOW: (
        Error,
        "gatehouse.E022",
        "does not take mail at the moment",
        "See what is wrong with its server. Mail is put off meanwhile.",
    ),
    Trouble.FULL: (
        Error,
        "gatehouse.E035",
        "is full",
        "Make room there. Mail is put off meanwhile, and what lies there is collected.",
    ),
    Trouble.STRANGE: (
        Error,
        "gatehouse.E034",
        "does not answer as a bucket does",
        "Correct GATEHOUSE_S3_ENDPOINT: another service, or the page of a proxy, answers there.",
    ),
    Trouble.REFUSED: (
        Error,
        "gatehouse.E023",
        "is not there, or not to be written, read and emptied with these keys",
        "Make the bucket, and give the keys the rights to put, get, delete and list its objects. Where it sends us elsewhere, "
        "name that server, or the bucket's region: what another one says of a blob counts for nothing.",
    ),
    Trouble.KEEPS: (
        Error,
        "gatehouse.E025",
        "would keep mail that is deleted",
        "Use a bucket that never had versioning or object lock: deleted mail has to be gone.",
    ),
    Trouble.LOSES: (
        Error,
        "gatehouse.E026",
        "would delete mail that waits, or move it to where it can't be read at once",
        "Take expiration and transition off the lifecycle rules that concern the store, or use another bucket.",
    ),
    Trouble.UNKNOWN: (
        Warning,
        "gatehouse.W003",
        "does not tell whether it keeps or loses mail",
        "Allow the keys to get its versioning and lifecycle configuration, or see to it yourself that it has neither "
        "versions nor rules for what expires.",
    ),
    Trouble.LEAVES_PARTS: (
        Warning,
        "gatehouse.W004",
        "keeps parts of large mail whose upload was broken off, which nobody sees and you pay for",
        "Give it a lifecycle rule that aborts incomplete multipart uploads after a day, and does nothing else.",
    ),
    Trouble.OVERWRITES: (
        Warning,
        "gatehouse.W006",
        "writes over what is there although it is asked not to",
        "Names are random, so nothing is lost by it; use a server that knows conditional writes all the same.",
    ),
}


@register(Tags.database)
def buckets_are_fit(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asks a server like the database's checks, so it runs with them: `manage.py check --database default`."""
    if not databases or not (settings.S3_ACCESS_KEY_ID and settings.S3_SECRET_ACCESS_KEY):
        return []
    return [_message(url, found) for url in _named().values() if _is_bucket(url) for found in findings(url)]


def _message(url: str, found: Finding) -> CheckMessage:
    kind, number, what, hint = _SAID[found.trouble]
    said = ascii(found.what)[1:-1]  # by the server, and a terminal shows it
    return kind(f"The message store {url} {what}: {said}.", hint=hint, id=number)


def _named() -> dict[str, str]:
    named = {
        "GATEHOUSE_STORE_URL": settings.STORE_URL,
        "GATEHOUSE_STORE_OTHER_URL": settings.STORE_OTHER_URL,
    }
    return {variable: url for variable, url in named.items() if url}


def _is_folder(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")


def _is_bucket(url: str) -> bool:
    if not url.startswith("s3://"):
        return False
    bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
    return bool(_BUCKET.fullmatch(bucket)) and (not prefix or bool(_PREFIX.fullmatch(prefix)))
