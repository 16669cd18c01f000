"""A gateway beside other work in the same process, as benchmarks and journeys want it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .server import Configuration, Gateway, Ports

START_SECONDS = 30


@contextmanager
def running(configuration: Configuration) -> Iterator[Ports]:
    """Serve from a thread with an event loop of its own; gives the ports, stops at the end.

    Raises what `Gateway` and `Gateway.start` raise.
    """
    gateway = Gateway(configuration)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gateway", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(gateway.start(), loop).result(START_SECONDS)
        try:
            yield gateway.ports
        finally:
            asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(
                3 * configuration.stop_seconds + START_SECONDS
            )
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        # Such as of a connection that came while the others were being ended.
        loop.run_until_complete(_end(asyncio.all_tasks(loop)))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _end(tasks: "set[asyncio.Task[Any]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
