"""`/healthz` and `/readyz`, on any host and without a session: for supervisors, load balancers and probes."""

import logging
import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, JsonResponse

from mailboxes.store import store
from tenants import answering

log = logging.getLogger(__name__)

# As long as probes wait for an answer: each holds a thread meanwhile, and anybody may send some.
REDIS_SECONDS = 1
SAME_AGAIN_SECONDS = 60.0  # probes come every few seconds, for as long as it lasts
OK, WORKERS = "ok", "workers"


class HealthMiddleware:
    """Answers the two paths before any host or tenant is looked at; everything else passes.

    `/healthz`: this process answers. `/readyz`: database, Redis and message store work, or 503 with the part that
    does not. Which part it is goes outside; why goes to the log only. Workers that no longer answer are named too, with
    200 and "degraded": this process serves all the same, and a balancer that took it away would mend nothing. Neither
    writes anything anywhere. The log says when a part stops and when it works again, and between them once in
    SAME_AGAIN_SECONDS that it still does not.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._told: dict[str, float] = {}  # when the log last said of a part that it does not work

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return self._answer(request, {})
        if request.path_info == "/readyz":
            return self._answer(request, PARTS)
        return self.get_response(request)

    def _answer(self, request: HttpRequest, parts: dict[str, Callable[[], None]]) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        states = {name: self._state(name, probe) for name, probe in parts.items()}
        serves = all(state == OK for name, state in states.items() if name != WORKERS)
        status = "unavailable" if not serves else "degraded" if states.get(WORKERS, OK) != OK else OK
        body = {"status": status, **({"parts": states} if parts else {})}
        return JsonResponse(body, status=200 if serves else 503, headers={"Cache-Control": "no-store"})

    def _state(self, name: str, probe: Callable[[], None]) -> str:
        try:
            probe()
        # Whatever it is, the part does not work and the others are still worth knowing.
        except Exception as error:
            if time.monotonic() - self._told.get(name, -SAME_AGAIN_SECONDS) >= SAME_AGAIN_SECONDS:
                self._told[name] = time.monotonic()
                log.error("Not ready: %s: %s: %s", name, type(error).__name__, " ".join(str(error).split()))
            return "unavailable"
        if self._told.pop(name, None) is not None:
            log.info("Ready again: %s", name)
        return OK


def _database() -> None:
    connection = connections["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception:
        connection.close()  # or a broken connection would fail the next probe too
        raise


def _redis() -> None:
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    ) as client:
        client.ping()


def _store() -> None:
    """Raises OSError, StoreFailed."""
    store().require_ready()


class SilentWorkers(Exception):
    """No worker, no beat, or no Redis between them."""


def _workers() -> None:
    """Raises SilentWorkers. An installation whose workers have not answered yet is only being started."""
    if since := answering.silent_since():
        raise SilentWorkers(f"none has answered since {since:%Y-%m-%d %H:%M:%S %Z}")


PARTS: dict[str, Callable[[], None]] = {
    "database": _database,
    "redis": _redis,
    "store": _store,
    WORKERS: _workers,
}
