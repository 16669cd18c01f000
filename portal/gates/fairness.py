"""Costly requests one after the other for each person, so that nobody's hurry is at the cost of the others."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from accounts.adapters.visitors import address_of
from accounts.peers import network_of
from portal.gates.requests import GatedRequest
from tenants.access import providers_of

log = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
RETRY_SECONDS = 5
# At work and in all, in each process. The rest of its threads are the others'.
OF_A_PERSON = (1, 3)
OF_A_CUSTOMER = (2, 4)
OF_A_NETWORK = (2, 5)  # a whole office signs in at nine
# A file holds its thread for as long as its reader is slow, and nobody waits for that. Made in advance it would all the
# same: gunicorn's thread sends it.
FILES_OF_A_PERSON = (1, 1)
FILES_AT_A_HOST = (2, 2)  # a customer's, or a provider's at the base host
FILES_OF_A_PROVIDER = (3, 3)  # with those of its customers; the last one is for other providers
FILES = (4, 4)
# Somebody else's service holds the thread.
OF_AN_IDENTITY_PROVIDER = (2, 2)
ELSEWHERE = (4, 4)
CALLBACKS = "/accounts/oidc/"
SIGN_OUT = "/accounts/logout/"


class Limit(NamedTuple):
    """For whom requests are counted, and how many there may be."""

    who: Any
    at_work: int
    in_all: int
    # Who has a place already leaves the last one to somebody who has none.
    one_of: Any = None


class Full(Exception):
    """There are too many before this one."""


class Places:
    """Who is at work, and who waits for that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at_work: Counter[Any] = Counter()
        self._in_all: Counter[Any] = Counter()

    @contextmanager
    def line(self, limits: Sequence[Limit]) -> Iterator[None]:
        """Waits until all whom it is counted for have a place free. Raises Full: at once when too many wait already."""
        with self._changed:
            if not all(self._has_room(limit) for limit in limits):
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

    def _has_room(self, limit: Limit) -> bool:
        kept_free = 1 if limit.one_of is not None and self._in_all[limit.one_of] else 0
        return self._in_all[limit.who] < limit.in_all - kept_free

    def _is_free(self, limits: Sequence[Limit]) -> bool:
        return all(self._at_work[limit.who] < limit.at_work for limit in limits)

    def _count(self, counter: Counter[Any], limits: Sequence[Limit], by: int) -> None:
        for limit in limits:
            counter[limit.who] += by
            if not counter[limit.who]:
                del counter[limit.who]


class FairPlaces:
    """A form that is sent and a search have their turn, by person and by customer; whoever has too many of them under
    way is told to send it again (503). Strangers are counted by their network. Files have places of their own, until
    they are sent: a slow reader keeps nobody from anything but files.

    None of it depends on a view that says how costly it is. Comes when it is known who asks.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._places = Places()

    def __call__(self, request: GatedRequest) -> HttpResponseBase:
        if not _is_costly(request):
            return self.get_response(request)
        began = time.monotonic()
        with ExitStack() as place:
            try:
                place.enter_context(self._places.line(_counted_for(request)))
            except Full:
                log.warning(
                    "put off after %.1f s: too much at once of one person or customer",
                    time.monotonic() - began,
                )
                page = HttpResponse(render_to_string("busy.html"), status=503)
                page["Retry-After"] = str(RETRY_SECONDS)
                return page
            response = self.get_response(request)
            if _is_file(request) and isinstance(response, StreamingHttpResponse):
                # The file is read while it is sent. Django offers no public place for what has to be closed with it.
                response._resource_closers.append(place.pop_all().close)  # type: ignore[attr-defined]  # missing in the stubs
            return response


def _is_costly(request: HttpRequest) -> bool:
    if request.path_info == SIGN_OUT:  # nothing may keep somebody in
        return False
    return (
        request.method not in ("GET", "HEAD", "OPTIONS")
        or bool(request.GET.get("q"))
        or _is_file(request)
        or _asks_elsewhere(request)
    )


def _asks_elsewhere(request: HttpRequest) -> bool:
    """Whether it waits for an identity provider, which may be anybody's and as slow as they like."""
    return request.path_info.startswith(CALLBACKS)


def _is_file(request: HttpRequest) -> bool:
    return request.method in ("GET", "HEAD") and request.path_info.endswith(".csv")


def _counted_for(request: GatedRequest) -> list[Limit]:
    if _asks_elsewhere(request):  # nobody waits for that, and the other providers' people have places left
        return [
            Limit("elsewhere", *ELSEWHERE),
            Limit(("elsewhere", request.path_info), *OF_AN_IDENTITY_PROVIDER),
        ]
    if not request.user.is_authenticated:
        return [Limit(("network", network_of(address_of(request))), *OF_A_NETWORK)]
    if _is_file(request):
        return _counted_for_file(request)
    customer = request.customer and request.customer.pk
    limits = [Limit(("person", request.user.pk), *OF_A_PERSON)]
    if customer is None:
        return limits
    here = ("person at", request.user.pk, customer)
    return [*limits, Limit(here, *OF_A_PERSON), Limit(("customer", customer), *OF_A_CUSTOMER, one_of=here)]


def _counted_for_file(request: GatedRequest) -> list[Limit]:
    """At the base host a file tells of all the person's providers, so it counts for each."""
    limits = [Limit("files", *FILES), Limit(("files of", request.user.pk), *FILES_OF_A_PERSON)]
    hosts: list[tuple[str, Any]]
    if (customer := request.customer) is not None:
        providers, hosts = [customer.provider_id], [("customer", customer.pk)]
    else:
        providers = [provider.pk for provider in providers_of(request.user)]
        hosts = [("base", provider) for provider in providers]
    limits += (Limit(("files at", *host), *FILES_AT_A_HOST) for host in hosts)
    limits += (Limit(("files of provider", provider), *FILES_OF_A_PROVIDER) for provider in providers)
    return limits
