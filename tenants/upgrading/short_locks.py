"""Migrations beside mail: none holds a table that mail needs for longer than a moment.

Who wants to change a table waits until all who read it have ended, and whoever comes meanwhile queues up behind. So it
waits for a part of that moment only, gives up, and comes again later (`migrating.py`).
"""

import time
from collections.abc import Callable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

LOCK_SHARE = 0.5  # of the time that tables may be held, for getting hold of them
# What reads and writes rows beside others, or nothing at all.
PASSES_BY = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
# After an error a transaction takes nothing but these.
OF_TRANSACTIONS = ("SAVEPOINT", "RELEASE", "ROLLBACK")


class HeldTooLong(OperationalError):
    """The next statement would begin after the time for which tables may be held."""


class ShortLocks:
    """Wraps what one migration has the database do (`connection.execute_wrapper`).

    From the first statement that takes a table from others, the migration has `seconds` until it is committed: what is
    left is the time-out of each statement that follows. `CONCURRENTLY` takes nothing from anybody, and as long as it wants.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None

    def __call__(
        self, execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any
    ) -> Any:
        words = sql.lstrip().upper()
        if words.startswith(OF_TRANSACTIONS):
            pass
        elif "CONCURRENTLY" in words:
            _limit(lock=0, statement=0)
        elif self._until is not None or not words.startswith(PASSES_BY):
            now = time.monotonic()
            self._until = self._until or now + self._seconds
            left = self._until - now
            if left <= 0:
                raise HeldTooLong(f"it would hold tables for longer than {self._seconds:g} s")
            _limit(lock=min(left, self._seconds * LOCK_SHARE), statement=left)
        return execute(sql, parameters, many, context)


def _limit(*, lock: float, statement: float) -> None:
    """In seconds; 0: without an end. Until the transaction's end, or where there is none, the session's."""
    connection = connections[DEFAULT_DB_ALIAS]
    lock, statement = (max(1, round(seconds * 1000)) if seconds else 0 for seconds in (lock, statement))
    with connection.wrap_database_errors, connection.connection.cursor() as own:  # past the wrappers
        own.execute(
            "SELECT set_config('lock_timeout', %s, %s), set_config('statement_timeout', %s, %s)",
            [f"{lock}ms", local := connection.in_atomic_block, f"{statement}ms", local],
        )
