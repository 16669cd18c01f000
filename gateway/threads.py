"""Blocking services on threads: bounded in number and in waiting, and with a fresh look at each database connection."""

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections, connections

from .errors import Overloaded

log = logging.getLogger("gateway.threads")

P = ParamSpec("P")
T = TypeVar("T")

FAREWELL_SECONDS = 5  # for threads to close their database connections when the pool stops


class Threads:
    """A pool of threads for one kind of work, so that slow logins can't keep mail waiting.

    Each call begins and ends by dropping database connections that broke or grew old. That is what a request does in
    a web server, and what lets the gateway go on by itself after PostgreSQL was restarted.
    """

    def __init__(self, name: str, *, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    def start(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Begin a call. Raises RuntimeError once the pool has stopped."""
        return self._pool.submit(_with_fresh_connections, functools.partial(function, *args, **kwargs))

    def start_aside(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Begin a call that nobody waits for: the log says when it fails. Once the pool has stopped, nothing is done."""
        with contextlib.suppress(RuntimeError):
            self.start(function, *args, **kwargs).add_done_callback(_tell_failure)

    async def call(self, within: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result. Raises what it raises, and Overloaded when `within` seconds were not enough."""
        return await finish(self.start(function, *args, **kwargs), within)

    def stop(self) -> None:
        """Wait for what runs, and close every thread's database connection."""
        together = threading.Barrier(self.size)  # so that each thread gets one of these, not one thread all
        for _ in range(self.size):
            self._pool.submit(_close_connections, together)
        self._pool.shutdown(wait=True, cancel_futures=False)


async def finish(future: "Future[T]", within: float) -> T:
    """The result of a started call. Raises what it raises, and Overloaded when `within` seconds were not enough: then a
    call that has not begun never will, and one that has runs on by itself.
    """
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(
        lambda done: done.cancelled() or done.exception()
    )  # told below, or nobody cares
    await asyncio.wait([waiting], timeout=within)
    if future.done():
        return future.result()
    future.cancel()
    raise Overloaded


def _tell_failure(done: "Future[Any]") -> None:
    if not done.cancelled() and (error := done.exception()):
        log.error("a call that nobody waited for failed", exc_info=error)


def _with_fresh_connections(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()


def _close_connections(together: threading.Barrier) -> None:
    # A broken barrier means that a thread hangs in its call; the others close all the same.
    with contextlib.suppress(threading.BrokenBarrierError):
        together.wait(FAREWELL_SECONDS)
    connections.close_all()
