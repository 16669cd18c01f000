"""What no log says: the secrets of links, which are worth as much as the passwords that they stand for."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.urls import get_resolver
from django.views.debug import SafeExceptionReporterFilter

_SLASH = r"(?:/|%(?:25)*2F)"
# Whatever an address has up to its end, or to that of the line, for paths hold spaces, too.
_REST = r'(?:(?!\ HTTP/|"\s)[^\n])'
# Whatever follows one of these places.
_SECRETS = re.compile(
    rf"""
    (
        {_SLASH}invitations{_SLASH}+(?!\d+/(?:again|withdraw)/)  # those with a number are an invitation's acts
      | {_SLASH}password{_SLASH}+reset{_SLASH}+key{_SLASH}+(?!done/)
      | {_SLASH}accounts{_SLASH}+(?:vouch|arrive){_SLASH}+  # portal/gates/companion.py
      | {_SLASH}login{_SLASH}+callback{_SLASH}+  # an identity provider's word
    )
    {_REST}+
    """,
    re.VERBOSE | re.IGNORECASE,
)

# A link that was broken before its secret leads to none of these places. So of an address is told what our own addresses
# are made of, and what is too short for half a secret.
_ADDRESS = re.compile(rf"""(https?://[^/\s"']*|(?<![\w:/.*-]))(/{_REST}*)""", re.VERBOSE)
_PART = re.compile(r"/+([^/?]*)")
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ID = re.compile(rf"[0-9]{{1,18}}|{_UUID}")
_LETTERS = re.compile(r"[\w-]")
SHORT = 16
# gunicorn quotes what it can't read, and that is anything: a form's password, a cookie. The kind of mistake stays.
_NO_REQUEST = re.compile(r"""(Invalid\ request\ from\ ip=\S*:\ [^:'"]*).*""", re.VERBOSE)
# What is in no address that begins as one.
_LIKE_A_SECRET = re.compile(rf"(?<![\w-])(?!{_UUID}(?![\w-]))(?=[A-Za-z_-]*[0-9])[\w-]{{20,}}")


class SettingsOnDebugPages(SafeExceptionReporterFilter):
    """Django hides what is called a password or a key; our URLs have some in them."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|_URL$|LOCATION", re.IGNORECASE
    )


def redacted(text: str) -> str:
    return _SECRETS.sub(r"\1[hidden]", text)


def redacted_address(line: str) -> str:
    """Without what may be a secret, and what is no request, too. Only the first line: below it a traceback names code."""
    first, *rest = line.split("\n", 1)
    first = _NO_REQUEST.sub(r"\1: [hidden]", first)
    return "\n".join([_LIKE_A_SECRET.sub("[hidden]", _ADDRESS.sub(_as_far_as_known, first)), *rest])


def _as_far_as_known(address: re.Match[str]) -> str:
    host, path = address.groups()
    known = 0
    while (part := _PART.match(path, known)) and _is_known(part[1].lower()):
        known = part.end()
    if path.startswith(settings.STATIC_URL) or len(_LETTERS.findall(path[known:])) <= SHORT:
        return address[0]
    return f"{host}{path[:known].rstrip('/')}/[hidden]"


def _is_known(part: str) -> bool:
    if not part or _ID.fullmatch(part):
        return True
    if not apps.ready:  # gunicorn has lines of its own before
        return False
    # URLs that can't be read are told elsewhere. A formatter that raises has the line printed as it is.
    try:
        return part in _our_words()
    except Exception:
        return False


@cache
def _our_words() -> frozenset[str]:
    confs = (settings.PUBLIC_SCHEMA_URLCONF, settings.ROOT_URLCONF)
    return frozenset(word for conf in confs for word in _words(get_resolver(conf).url_patterns))


def _words(patterns: Any) -> Iterator[str]:
    for entry in patterns:
        yield from re.split(r"[^\w.-]+", str(entry.pattern))
        yield from _words(getattr(entry, "url_patterns", ()))
