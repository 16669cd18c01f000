"""A pooler between us and PostgreSQL that hands sessions around would show customers each other's mailboxes.

Which schema a query sees is a setting of its database session. In PgBouncer's transaction pooling the session under a
connection changes at each commit, so one customer's request would read another's tables. The check below shows it by
doing it: one connection sets a mark, then a second one takes a session and keeps it; if the second sees the mark, or
the first has lost it, sessions are handed around. The mark is a search path with one more schema that does not exist:
harmless in a session that somebody else gets.
"""

import secrets
from collections.abc import Iterable
from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

ATTEMPTS = 3


@register(Tags.database)
def sessions_are_our_own(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `manage.py check --database default` and before migrations."""
    return [
        message
        for alias in databases or ()
        if connections[alias].vendor == "postgresql" and (message := _complaint(alias))
    ]


def _complaint(alias: str) -> CheckMessage | None:
    try:
        shared = sessions_are_shared(connections[alias])
    except psycopg.OperationalError as error:
        return Error(
            f"The database {alias!r} cannot be reached: {str(error).splitlines()[0]}",
            hint="Start it, or correct DATABASE_URL.",
            id="gatehouse.E016",
        )
    if not shared:
        return None
    return Error(
        f"The database {alias!r} is reached through a pooler that hands sessions around between transactions, so "
        "that one customer's queries would run in another customer's schema.",
        hint="Connect to PostgreSQL directly, or use session pooling (PgBouncer: pool_mode = session).",
        id="gatehouse.E015",
    )


def sessions_are_shared(wrapper: BaseDatabaseWrapper) -> bool:
    """Raises psycopg.Error when the database can't be reached."""
    return any(_mark_is_seen(wrapper) for _ in range(ATTEMPTS))


def _mark_is_seen(wrapper: BaseDatabaseWrapper) -> bool:
    mark = f"gatehouse_probe_{secrets.token_hex(8)}"
    with _connect(wrapper) as first, _connect(wrapper) as second:
        before = _search_path(first)
        # In a session of our own the mark goes with the connection; elsewhere it hurts nobody.
        first.execute(f'SET search_path TO {before or "public"}, "{mark}"')
        with second.transaction():  # keeps its session to itself until the end of the block
            seen_by_second = _search_path(second)
            seen_by_first = _search_path(first)
        first.execute("RESET search_path")
    return mark in seen_by_second or mark not in seen_by_first


def _connect(wrapper: BaseDatabaseWrapper) -> psycopg.Connection[tuple[Any, ...]]:
    """As Django connects, but past its pool and without a prepared statement, which poolers may not know."""
    parameters = {
        name: value
        for name, value in wrapper.get_connection_params().items()
        if name not in ("context", "cursor_factory", "pool", "prepare_threshold")
    }
    return psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)


def _search_path(connection: psycopg.Connection[tuple[Any, ...]]) -> str:
    row = connection.execute("SHOW search_path").fetchone()
    return str(row[0]) if row else ""
