"""What people get while the database is away, or has no time for them."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import defaults

RETRY_SECONDS = 10


def server_error(request: HttpRequest) -> HttpResponseBase:
    """The page of an error on our side; programs, proxies and those who watch are told to come again if it passes.

    Django asks this one while it handles the error, wherever that was raised: in a gate, too.
    """
    answer = defaults.server_error(request)
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        answer.status_code = 503
        answer["Retry-After"] = str(RETRY_SECONDS)
    return answer
