"""Who waits for whom in the database, for tests of what happens at the same moment."""

from typing import Any

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def how_many_wait(asked: Any) -> int:
    """For a lock in this database, by a cursor or connection of it: others have their own, and waits of their own."""
    # What a transaction has seen of it before stays the same otherwise.
    asked.execute("SELECT pg_stat_clear_snapshot()")
    return int(asked.execute(_WAITING).fetchone()[0])
