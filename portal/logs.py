"""The lines of the log, as text or JSON: what is told of a refusal, and that no secret is in them (portal/redaction.py)."""

import json
import logging
from copy import copy
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import responses
from urllib.parse import quote

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

from accounts.errors import Refusal
from portal.redaction import redacted, redacted_address

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


class TextLine(logging.Formatter):
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


class JSONLine(logging.Formatter):
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
        return json.dumps({name: value for name, value in told.items() if value})


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


def _refusal(request: HttpRequest, status: int, error: BaseException) -> str:
    """In one line, whoever wrote the reason. Django tells either that or the page, of most kinds."""
    # A refusal of ours is in the reader's language, and may quote what somebody typed.
    why = error.__cause__.code if isinstance(error.__cause__, Refusal) else str(error) or type(error).__name__
    why = why.encode("unicode_escape").decode("ascii")
    return f'{responses.get(status, status)} at "{quote(request.path, errors="replace")}" ({why})'
