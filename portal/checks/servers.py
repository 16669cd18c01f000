"""Whether PostgreSQL and Redis are set up for what we do: `manage.py check --database default` asks them.

A server that does not answer is another check's business, and a Redis that does not tell is nobody's. Those of `make run`
are ours.
"""

from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from portal.onebox.embedded.addresses import redis_url
from tenants import pooling

from .answers import unanswered, untold

OLDEST = 14
# Of each process; docs/sizing.md has the sum. The gateway's are its threads for mail, archivers and recipients.
WORKER_CONNECTIONS, GATEWAY_CONNECTIONS = 2, 20
COMMANDS_CONNECTIONS = 12  # an upgrade or a backup, and somebody with psql
# Of one transaction of a request, a mail or a job at most, which is as many as PostgreSQL counts on by itself. One that
# makes a whole schema holds hundreds, and there is one of these at a time.
LOCKS_EACH = 64
LARGEST_ITEM = 1024 * 1024  # octets; ours have less than 2,000

MORE_THAN_NEEDED = """
SELECT bool_or(rolsuper), bool_or(rolcreaterole), bool_or(rolcreatedb), bool_or(rolreplication), bool_or(rolbypassrls)
FROM pg_roles WHERE rolname IN (current_user, session_user)
"""
RIGHTS = ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
ROOM = f"""
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0),
    {pooling.LOCK_PLACES},
    coalesce((SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user), 1000000),
    coalesce((SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()), 1000000)
"""  # noqa: S608 - LOCK_PLACES is a constant, and nobody types it


@register(Tags.database)
def postgresql_is_fit(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if settings.DATABASE_IS_EMBEDDED:
        return []
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            too_old = _too_old(alias)
        except psycopg.Error as error:
            found.append(unanswered(connections[alias], error, "of which version it is"))
            continue
        found += too_old or [
            *_answer(alias, _rights, "what its role may"),
            *_answer(alias, _room, "how many connections and locks it has"),
        ]
    return found


def _answer(alias: str, ask: Callable[[str], list[CheckMessage]], question: str) -> list[CheckMessage]:
    try:
        return ask(alias)
    except (DatabaseError, psycopg.Error) as error:
        return untold(connections[alias], error, question)


def _too_old(alias: str) -> list[CheckMessage]:
    """Django says it, too, but in a traceback."""
    with pooling.connect(connections[alias]) as link:
        link.execute("SELECT 1")  # a pooler lets us in before it has a server, whose version is 0 then
        version = link.info.server_version // 10_000
    if version >= OLDEST:
        return []
    return [
        Error(
            f"The database {alias!r} is PostgreSQL {version}.",
            hint=f"Upgrade it to {OLDEST} or later.",
            id="gatehouse.E032",
        )
    ]


def _rights(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute(MORE_THAN_NEEDED)
        held = [name for name, has in zip(RIGHTS, cursor.fetchone(), strict=True) if has]
    if not held:
        return []
    return [
        Warning(
            f"The database's role may more than the portal needs: {', '.join(held)}.",
            hint=f"ALTER ROLE … {' '.join(f'NO{name}' for name in held)}; docs/database-roles.md has what it needs.",
            id="gatehouse.W015",
        )
    ]


def _room(alias: str) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    with connections[alias].cursor() as cursor:
        cursor.execute(ROOM)
        connections_left, locks, *limits = cursor.fetchone()
    wanted = connections_wanted()
    room = min(connections_left, *limits)
    if room < wanted and not pooling.sessions_are_shared(connections[alias]):
        found.append(
            Warning(
                f"Web, worker, gateway and commands want {wanted} connections of the database, which has {room} for them.",
                hint="Raise max_connections, or the role's or database's CONNECTION LIMIT, or have fewer processes; with "
                "several machines count all of them (docs/deployment.md).",
                id="gatehouse.W010",
            )
        )
    if locks < wanted * LOCKS_EACH:
        found.append(
            Warning(
                f"The database has {locks} places for locks, and the portal's transactions may want {wanted * LOCKS_EACH}.",
                hint="Leave max_locks_per_transaction at 64 or raise it, and start PostgreSQL anew.",
                id="gatehouse.W011",
            )
        )
    return found


def connections_wanted() -> int:
    """By the processes that the settings name, on one machine, and by commands beside them."""
    return int(
        settings.WEB_PROCESSES * settings.WEB_THREADS
        + settings.WORKER_PROCESSES * WORKER_CONNECTIONS
        + settings.GATEWAY_PROCESSES * GATEWAY_CONNECTIONS
        + COMMANDS_CONNECTIONS
    )


@register(Tags.database)
def redis_is_fit(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    if not databases or settings.REDIS_URL.startswith(redis_url(settings.STATE_DIR)):
        return []
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
            told = client.info()
            try:
                set_up = {**client.config_get("save"), **client.config_get("proto-max-bulk-len")}
            except redis.ResponseError:  # who runs it for others does not tell
                set_up = {}
    except (redis.RedisError, ValueError):
        return []
    found: list[CheckMessage] = []
    if (policy := told.get("maxmemory_policy", "noeviction")) != "noeviction":
        found.append(
            Warning(
                f"Redis throws away what it has when it is full ({policy}): tasks, and counts of wrong passwords.",
                hint="Set maxmemory-policy noeviction, and let nobody else use this server.",
                id="gatehouse.W012",
            )
        )
    if not told.get("aof_enabled") and set_up.get("save") == "":
        found.append(
            Warning(
                "Redis keeps nothing over a restart: tasks come late, and wrong passwords are counted from the start.",
                hint="Set appendonly yes.",
                id="gatehouse.W013",
            )
        )
    if int(set_up.get("proto-max-bulk-len", LARGEST_ITEM)) > LARGEST_ITEM:
        found.append(
            Warning(
                "Redis takes items of any size, and each takes twice that of a worker's memory.",
                hint="Set proto-max-bulk-len 1mb.",
                id="gatehouse.W014",
            )
        )
    return found
