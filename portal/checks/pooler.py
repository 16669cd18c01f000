"""A pooler between us and PostgreSQL that hands sessions around would show customers each other's mailboxes.

Which schema a query sees is a setting of its database session. In PgBouncer's transaction pooling the session under a
connection changes at each commit, so one customer's request would read another's tables, unless the pooler carries the
search path after its client: from PgBouncer 1.20 on it can, if PostgreSQL tells it of each change, as 18 does. The
check does not ask for versions; it has two connections change places (tenants/pooling.py).
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tenants import pooling

from .answers import unanswered

# Each is said by `options` at sign-in (portal/settings.py), which PgBouncer refuses or ignores.
TIMEOUTS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


@register(Tags.database)
def a_pooler_keeps_customers_apart(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `manage.py check --database default` and before migrations."""
    return [
        message
        for alias in databases or ()
        if connections[alias].vendor == "postgresql" and (message := _complaint(alias))
    ]


def _complaint(alias: str) -> CheckMessage | None:
    wrapper = connections[alias]
    try:
        if pooling.path_is_lost(wrapper):
            return Error(
                f"The database {alias!r} is reached through a pooler that hands sessions around between transactions "
                "and leaves the search path behind, so that one customer's queries would run in another customer's "
                "schema.",
                hint="Connect to PostgreSQL directly, use session pooling (PgBouncer: pool_mode = session), or have "
                "PostgreSQL 18 and PgBouncer 1.20 with track_extra_parameters = search_path (docs/deployment.md).",
                id="gatehouse.E015",
            )
        missing = _missing_timeouts(wrapper)
    except psycopg.Error as error:
        return unanswered(wrapper, error, "whether a pooler keeps customers apart")
    if not missing:
        return None
    return Error(
        f"In the database {alias!r} somebody could wait without end: a pooler drops what we ask for, and "
        f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} 0.",
        hint="Let PostgreSQL give the role its time-outs, as docs/database-roles.md shows: "
        "ALTER ROLE … SET statement_timeout = '60s', and so on; then have the pooler connect anew.",
        id="gatehouse.E031",
    )


def _missing_timeouts(wrapper: BaseDatabaseWrapper) -> list[str]:
    with pooling.connect(wrapper) as link:
        return [name for name in TIMEOUTS if pooling.shown(link, name) in ("", "0")]
