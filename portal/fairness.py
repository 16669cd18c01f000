"""Costly requests one after the other for each person, so that nobody's hurry is at the cost of the others."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from accounts.devices import address_of, network

log = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
RETRY_SECONDS = 5
# At work and in all, in each process. The rest of its threads are the others'.
OF_A_PERSON = (1, 3)
OF_A_CUSTOMER = (2, 4)
OF_A_NETWORK = (2, 5)  # a whole office signs in at nine

Limits = Iterable[tuple[Any, tuple[int, int]]]


class Full(Exception):
    """There are too many before this one."""


class Places:
    """Who is at work, and who waits for that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at_work: Counter[Any] = Counter()
        self._in_all: Counter[Any] = Counter()

    @contextmanager
    def line(self, limits: Limits) -> Iterator[None]:
        """Waits until all whom it is counted for have a place free. Raises Full: at once when too many wait already."""
        limits = list(limits)
        with self._changed:
            if any(self._in_all[who] >= in_all for who, (_, in_all) in limits):
                raise Full
            self._count(self._in_all, limits, 1)
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: self._is_free(limits), WAIT_SECONDS):
                    raise Full
                self._count(self._at_work, limits, 1)
            try:
                yield
            finally:
                with self._changed:
                    self._count(self._at_work, limits, -1)
        finally:
            with self._changed:
                self._count(self._in_all, limits, -1)
                self._changed.notify_all()

    def _is_free(self, limits: Limits) -> bool:
        return all(self._at_work[who] < at_work for who, (at_work, _) in limits)

    def _count(self, counter: Counter[Any], limits: Limits, by: int) -> None:
        for who, _ in limits:
            counter[who] += by
            if not counter[who]:
                del counter[who]


class FairPlaces:
    """A form that is sent, a search and a file have their turn, by person and by customer; whoever has too many of them
    under way is told to send it again (503). Strangers are counted by their network.

    None of it depends on a view that says how costly it is. Comes when it is known who asks.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._places = Places()

    def __call__(self, request: Any) -> HttpResponseBase:
        if not _is_costly(request):
            return self.get_response(request)
        line = self._places.line(_counted_for(request))
        began = time.monotonic()
        try:
            line.__enter__()
        except Full:
            log.warning(
                "put off after %.1f s: too much at once of one person or customer", time.monotonic() - began
            )
            page = HttpResponse(render_to_string("busy.html"), status=503)
            page["Retry-After"] = str(RETRY_SECONDS)
            return page
        response = None
        try:
            response = self.get_response(request)
        finally:
            if not isinstance(response, StreamingHttpResponse):
                line.__exit__(None, None, None)
        if isinstance(response, StreamingHttpResponse):  # the work is done while it is sent
            response._resource_closers.append(lambda: line.__exit__(None, None, None))  # type: ignore[attr-defined]
        return response


def _is_costly(request: HttpRequest) -> bool:
    return (
        request.method not in ("GET", "HEAD", "OPTIONS")
        or bool(request.GET.get("q"))
        or request.path_info.endswith(".csv")
    )


def _counted_for(request: Any) -> Limits:
    if not request.user.is_authenticated:
        return [(("network", network(address_of(request))), OF_A_NETWORK)]
    person = (("person", request.user.pk), OF_A_PERSON)
    if request.customer is None:
        return [person]
    return [person, (("customer", request.customer.pk), OF_A_CUSTOMER)]
