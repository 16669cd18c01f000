"""`/healthz` and `/readyz`, on any host and without a session: for supervisors, load balancers and probes."""

import logging
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed, JsonResponse

log = logging.getLogger(__name__)

REDIS_SECONDS = 3


class HealthMiddleware:
    """Answers the two paths before any host or tenant is looked at; everything else passes.

    `/healthz`: this process answers. `/readyz`: database, Redis and message store work, or 503 with the part that
    does not. Which part it is goes outside; why goes to the log only.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return _answer(request, {})
        if request.path_info == "/readyz":
            return _answer(request, PARTS)
        return self.get_response(request)


def _answer(request: HttpRequest, parts: dict[str, Callable[[], None]]) -> HttpResponseBase:
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    states = {name: _state(name, probe) for name, probe in parts.items()}
    healthy = all(state == "ok" for state in states.values())
    body = {"status": "ok" if healthy else "unavailable", **({"parts": states} if parts else {})}
    return JsonResponse(body, status=200 if healthy else 503, headers={"Cache-Control": "no-store"})


def _state(name: str, probe: Callable[[], None]) -> str:
    try:
        probe()
    except (
        Exception
    ) as error:  # whatever it is, the part does not work and the others are still worth knowing
        # One line: probes come every few seconds for as long as it lasts.
        log.error("Not ready: %s: %s: %s", name, type(error).__name__, " ".join(str(error).split()))
        return "unavailable"
    return "ok"


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
    """Only writing tells: a full disk and a file system mounted read-only both let everyone look."""
    # The folder is not made here: where one is missing, a volume may not be mounted.
    probe = Path(settings.STORE_ROOT) / f".ready-{uuid.uuid4().hex}"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"ready")
        finally:
            os.close(descriptor)
    finally:
        with suppress(OSError):
            probe.unlink()


PARTS: dict[str, Callable[[], None]] = {"database": _database, "redis": _redis, "store": _store}
