"""What the doctor says: an id, what was seen, what to do."""

import base64
import html
import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Self
from urllib.parse import quote, quote_plus, unquote
from xml.sax import saxutils as xml

from django.conf import settings
from django.core.checks import ERROR, WARNING, CheckMessage
from django.core.exceptions import ImproperlyConfigured

from portal.environment import parts_of

SHORTEST = 4  # characters of a secret; a shorter one would be found in any text
SHOWN = 300  # characters of what somebody else's server says


class Level(IntEnum):
    """ERROR: people or mail suffer from it, or will. WARNING: something is not as it should be. ADVICE: could be better."""

    OK = 0
    ADVICE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True)
class Finding:
    id: str
    level: Level
    seen: str
    advice: str = ""

    @classmethod
    def of_check(cls, message: CheckMessage) -> Self:
        level = (
            Level.ERROR
            if message.level >= ERROR
            else Level.WARNING
            if message.level >= WARNING
            else Level.ADVICE
        )
        return cls(message.id or "check", level, told(Exception(message.msg)), message.hint or "")


def told(error: Exception) -> str:
    """An error on one line, as short as it suffices. Secrets go first: of one that is cut the rest would stay."""
    text = " ".join(without_secrets(str(error)).split()) or type(error).__name__
    return text[:SHOWN]


def without_secrets(text: str) -> str:
    """What servers and libraries say, without any secret of the settings that stands in it, however they spell it."""
    spellings = {
        spelling for secret in _secrets() if len(secret) >= SHORTEST for spelling in _spellings(secret)
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, "[secret]")
    return text


def _spellings(secret: str) -> set[str]:
    """As it is, as it travels (Base64, in URLs, XML and JSON), and as Python, which servers are written in as well, shows
    each of these as a text or as octets.
    """
    octets = secret.encode(errors="surrogateescape")
    found = {
        secret,
        octets.decode("latin-1"),
        octets.decode("ascii", "replace"),
        base64.b64encode(octets).decode(),
    }
    found |= {quoting(secret, safe=safe) for quoting in (quote, quote_plus) for safe in ("", "/")}
    found |= {re.sub("%..", lambda code: code[0].lower(), each) for each in found}
    found |= {html.escape(secret), xml.escape(secret), json.dumps(secret)[1:-1]}
    found |= _shown(secret)
    return found | {shown for each in found for shown in _shown(each)}


def _shown(text: str) -> set[str]:
    """Which quotation mark is escaped is decided by what else there is."""
    octets = repr(text.encode(errors="surrogateescape"))[2:-1]
    shown = {octets, repr(text)[1:-1], ascii(text)[1:-1], text.encode("unicode_escape").decode()}
    bare = {each.replace("\\'", "'") for each in shown}
    return shown | bare | {each.replace("'", "\\'") for each in bare}


def _secrets() -> set[str]:
    urls = [parts_of(settings.REDIS_URL), parts_of(settings.DATABASE_URL)]
    user, password = (getattr(settings, f"EMAIL_HOST_{name}", "") for name in ("USER", "PASSWORD"))
    found = [
        _secret_key(),
        *settings.SECRET_KEY_FALLBACKS,
        settings.WORKER_KEY,
        settings.S3_ACCESS_KEY_ID,
        settings.S3_SECRET_ACCESS_KEY,
        settings.BACKUP_S3_ACCESS_KEY_ID,
        settings.BACKUP_S3_SECRET_ACCESS_KEY,
        password,
        f"\0{user}\0{password}"
        if password
        else "",  # AUTH PLAIN, whose Base64 has the password in no place of its own
        settings.DATABASES["default"].get("PASSWORD", ""),  # also of a URL with several hosts
        *(form for url in urls if url.password for form in (url.password, unquote(url.password))),
    ]
    return set(found)


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # how Django says that it is empty
        return ""
