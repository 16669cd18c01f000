"""What becomes of limits that can't be counted."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from redis import RedisError

log = logging.getLogger(__name__)

RETRY_SECONDS = 30


class UncountedLimits:
    """Without Redis nobody signs in: limits that can't be counted would be none.

    Whoever tries gets a page that says so. Who is signed in already goes on, wherever no limit is asked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, RedisError):
            return None
        log.error("Redis is away, so nobody signs in: %s: %s", type(exception).__name__, exception)
        page = render(request, "503.html", status=503)
        page["Retry-After"] = str(RETRY_SECONDS)
        return page
