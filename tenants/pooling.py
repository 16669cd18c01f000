"""What holds of the database where a pooler gives each transaction whatever session is free (docs/deployment.md).

Nothing of ours outlives a transaction in a session but the search path, which the pooler has to carry after us; the
check that it does is portal/checks/pooler.py. What has to last longer has a transaction of its own.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from django.db import Error, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

ATTEMPTS = 3
MARK = "gatehouse.probe"  # a parameter that means nothing to PostgreSQL, and that no pooler carries

# How many locks the server has room for, in SQL.
LOCK_PLACES = (
    "pg_catalog.current_setting('max_locks_per_transaction')::int * (pg_catalog.current_setting('max_connections')::int"
    " + pg_catalog.current_setting('max_prepared_transactions')::int)"
)

Link = psycopg.Connection[tuple[Any, ...]]


class ThroughAPooler(Exception):
    """What sets up its session would have a pooler hand that on to those who serve."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_URL leads to a pooler that hands sessions around. Give this command one that leads to PostgreSQL itself "
            "(docs/deployment.md)."
        )


def require_no_pooler() -> None:
    """Raises ThroughAPooler, DatabaseError."""
    try:
        if sessions_are_shared(connection):
            raise ThroughAPooler
    except psycopg.Error as error:
        raise OperationalError(str(error)) from error


class LockLost(OperationalError):
    """Others may be at work by now."""


class Guard:
    """A transaction on a connection of its own, and what it holds for as long as the connection lives."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def try_lock(self, number: int) -> bool:
        """An advisory lock, until the end of the transaction."""
        self.cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(self.cursor.fetchone()[0])

    def still(self) -> None:
        """Asked between steps and at the end: nobody tells whose connection has ended. Raises LockLost."""
        try:
            self.cursor.execute("SELECT 1")
        except Error as error:
            raise LockLost(
                "The connection to the database that kept others away has ended. Repeat this: it goes on where it was."
            ) from error


def last_as_long_as_it_takes(cursor: Any) -> None:
    """Of the cursor's transaction: it may wait for what is done beside it."""
    cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    if cursor.connection.info.server_version >= 170_000:  # an earlier one refuses a word that it doesn't know
        cursor.execute("SET LOCAL transaction_timeout = 0")


@contextmanager
def lasting_transaction() -> Iterator[Guard]:
    """One on a connection of its own, which may say nothing for as long as it likes.

    A pooler leaves it its session to the end. Whoever is killed loses the connection, and with it all that the
    transaction held, in that moment.
    """
    guard = connection.copy()
    try:
        guard.set_autocommit(False)
        with guard.cursor() as cursor:
            last_as_long_as_it_takes(cursor)
            yield Guard(cursor)
    finally:
        with suppress(Error):
            guard.rollback()  # or a pooler has to throw the session away, and what was held is free a moment later
        guard.close()


@contextmanager
def lock_on_one_of(*numbers: int) -> Iterator[Guard | None]:
    """Hold the first of these advisory locks that is free, if one is, for as long as the block takes."""
    with lasting_transaction() as guard:
        yield guard if any(map(guard.try_lock, numbers)) else None


def sessions_are_shared(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether sessions are handed around between transactions. Raises psycopg.Error when the database can't be reached."""

    def set_mark(link: Link, mark: str) -> None:
        link.execute("SELECT pg_catalog.set_config(%s, %s, false)", [MARK, mark])

    return _is_left_behind(wrapper, MARK, set_mark)


def path_is_lost(wrapper: BaseDatabaseWrapper) -> bool:
    """The same of the search path: whether one connection's is seen by another, or left behind in a session."""

    def set_path(link: Link, mark: str) -> None:
        # A schema more that does not exist: harmless in a session that somebody else gets.
        before = shown(link, "search_path")
        link.execute(f'SET search_path TO {before or "public"}, "{mark}"')

    return _is_left_behind(wrapper, "search_path", set_path)


def _is_left_behind(wrapper: BaseDatabaseWrapper, name: str, set_mark: Callable[[Link, str], None]) -> bool:
    """Whether what one connection sets does not follow it, or is seen by another one.

    Poolers give out the session that came back last, or each in turn. Those of the second kind show when the same connection
    asks again; those of the first when another one holds the session that it had.
    """
    for _ in range(ATTEMPTS):
        mark = f"gatehouse_probe_{secrets.token_hex(8)}"
        with connect(wrapper) as first, connect(wrapper) as second:
            set_mark(first, mark)
            kept = [mark in shown(first, name) for _ in range(ATTEMPTS)]
            with second.transaction():  # keeps its session to itself until the end of the block
                seen = mark in shown(second, name)
                # Where the second has got the first's session, there may be no other for that to be asked on.
                kept.append(not seen and mark in shown(first, name))
            first.execute(sql.SQL("RESET {}").format(sql.SQL(name)))
        if seen or not all(kept):
            return True
    return False


def reach(wrapper: BaseDatabaseWrapper) -> None:
    """Have one answer, of PostgreSQL itself: a pooler lets us in before it has a server. Raises psycopg.Error."""
    with connect(wrapper) as link:
        link.execute("SELECT 1")


def connect(wrapper: BaseDatabaseWrapper) -> Link:
    """As Django connects, but past its pool and without a prepared statement, which poolers may not know. Its search path is
    what the role says: what is asked here names PostgreSQL's own functions in full.
    """
    parameters = {
        name: value
        for name, value in wrapper.get_connection_params().items()
        if name not in ("context", "cursor_factory", "pool", "prepare_threshold")
    }
    return psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)


def shown(link: Link, name: str) -> str:
    """What a parameter is in the session that the link has at this moment."""
    row = link.execute("SELECT pg_catalog.current_setting(%s, true)", [name]).fetchone()
    return str(row[0] or "") if row else ""
