"""Who waits for whom in the database, for tests of what happens at the same moment."""

import threading
import time
from collections.abc import Callable
from typing import Any

SECONDS = 20

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def how_many_wait(asked: Any) -> int:
    """For a lock in this database, by a cursor or connection of it: others have their own, and waits of their own."""
    # What a transaction has seen of it before stays the same otherwise.
    asked.execute("SELECT pg_stat_clear_snapshot()")
    return int(asked.execute(_WAITING).fetchone()[0])


def until_they_wait(asked: Any, people: int, *, or_ended: Callable[[], bool] = lambda: False) -> None:
    """Until so many wait; or until what should wait has ended, about which whoever asks has something to say."""
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    while how_many_wait(asked) < people and not or_ended():
        assert time.monotonic() < deadline, "nobody waited for this transaction"
        pause.wait(0.02)
