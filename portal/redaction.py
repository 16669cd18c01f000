"""What no log says: the secrets of links, which are worth as much as the passwords that they stand for."""

import json
import logging
import re
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from http.client import responses
from typing import Any
from urllib.parse import quote

from django.apps import apps
from django.conf import settings
from django.contrib.admin.exceptions import DisallowedModelAdminLookup, DisallowedModelAdminToField
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousMultipartForm,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.urls import get_resolver

from accounts.errors import Refusal

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
# What is in no address that begins as one.
_LIKE_A_SECRET = re.compile(rf"(?<![\w-])(?!{_UUID}(?![\w-]))(?=[A-Za-z_-]*[0-9])[\w-]{{20,}}")
# What only a request brings about. All else that Django answers as a bad one is a fault of ours.
_CLIENTS = (
    PermissionDenied,
    Http404,
    BadRequest,
    MultiPartParserError,
    SuspiciousMultipartForm,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    DisallowedHost,
    DisallowedModelAdminLookup,
    DisallowedModelAdminToField,
)
# Whose lines name an address that anybody may have typed, and begin with it.
_TELL_ADDRESSES = ("django.request", "django.security", "gunicorn")


def redacted(text: str) -> str:
    return _SECRETS.sub(r"\1[hidden]", text)


def redacted_address(line: str) -> str:
    """Without what may be a secret, too. Only the first line: below it a traceback names code."""
    first, *rest = line.split("\n", 1)
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


def _refusal(request: HttpRequest, status: int, error: BaseException) -> str:
    """In one line, whoever wrote the reason. Django tells either that or the page, of most kinds."""
    # A refusal of ours is in the reader's language, and may quote what somebody typed.
    why = error.__cause__.code if isinstance(error.__cause__, Refusal) else str(error) or type(error).__name__
    why = why.encode("unicode_escape").decode("ascii")
    return f'{responses.get(status, status)} at "{quote(request.path, errors="replace")}" ({why})'


class Redacted(logging.Formatter):
    """A line as it is written otherwise, without the secrets in it.

    The last thing that happens to a line, so that it does not matter who writes it: Django tells the address of all
    that is refused or fails, often before a view has been asked. Of what is refused it would tell the way through our code
    as well, as of an error; the page and the reason are enough, for nobody has to mend anything. It also answers some
    faults of ours as bad requests (a redirect that leads nowhere, a file outside its folder): these keep their way.
    """

    def __init__(self, fmt: str | None = None, *, line_of: logging.Formatter | None = None) -> None:
        super().__init__(fmt)
        self._line_of = line_of or logging.Formatter(fmt)

    def format(self, record: logging.LogRecord) -> str:
        return _hidden(record.name, self._line_of.format(_told(record)))


class RedactedJSON(logging.Formatter):
    """The same as an object of JSON in one line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and where there is
    one the `schema` of the customer and the `exception` with its traceback.

    These and no others: what libraries add to their records (Django the request, with its address) would go past the
    hiding. Texts are made safe before they are put in quotes, or what runs to the end of a line would take the rest along.
    """

    def format(self, record: logging.LogRecord) -> str:
        record = _told(record)
        traces = [
            self.formatException(record.exc_info) if record.exc_info else record.exc_text,
            self.formatStack(record.stack_info) if record.stack_info else None,
        ]
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "schema": getattr(record, "schema", None),
            "message": _hidden(record.name, record.getMessage()),
            "exception": redacted("\n".join(filter(None, traces))),
        }
        return json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False)


def _told(record: logging.LogRecord) -> logging.LogRecord:
    """The record as we tell it: of a refusal the page and the reason."""
    error = record.exc_info[1] if record.exc_info else None
    request = getattr(record, "request", None)
    status = getattr(record, "status_code", HTTPStatus.INTERNAL_SERVER_ERROR)
    if error is not None and request is not None and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        record = copy(record)
        record.msg, record.args = _refusal(request, status, error), ()
        if isinstance(error, _CLIENTS):
            record.exc_info = record.exc_text = None
    return record


def _hidden(logger: str, text: str) -> str:
    if logger.startswith(_TELL_ADDRESSES):
        text = redacted_address(text)
    return redacted(text)
