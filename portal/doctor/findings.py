"""What the doctor says: an id, what was seen, what to do."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self
from urllib.parse import unquote

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
    """An error on one line, as short as it suffices."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:SHOWN]


def without_secrets(text: str) -> str:
    """What servers and libraries say, without any secret of the settings that stands in it."""
    for secret in _secrets():
        if len(secret) >= SHORTEST:
            text = text.replace(secret, "[secret]")
    return text


def _secrets() -> list[str]:
    urls = [parts_of(settings.REDIS_URL), parts_of(settings.DATABASE_URL)]
    found = [
        _secret_key(),
        *settings.SECRET_KEY_FALLBACKS,
        settings.WORKER_KEY,
        settings.S3_ACCESS_KEY_ID,
        settings.S3_SECRET_ACCESS_KEY,
        getattr(settings, "EMAIL_HOST_PASSWORD", ""),
        settings.DATABASES["default"].get("PASSWORD", ""),  # also of a URL with several hosts
        *(form for url in urls if url.password for form in (url.password, unquote(url.password))),
    ]
    return sorted(set(found), key=len, reverse=True)


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # how Django says that it is empty
        return ""
