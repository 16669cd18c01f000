"""What PostgreSQL and Redis have to say before anything starts: `manage.py check --database default` asks them."""

from collections.abc import Iterable
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, ProgrammingError, connection

from accounts.demo import in_demo
from portal.onebox import demo

from .answers import unanswered

NOT_THERE_YET = {"42P01", "42703"}  # the table, or a column of it
QUESTION = "whether it has people of the demo"


@register(Tags.database)
def the_demos_people_are_elsewhere(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Nobody signs in as one of them (accounts/adapters/backends.py); but a database that has them was a trial."""
    if not databases or in_demo():
        return []
    try:
        found = [user.email for user in demo.people()]
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", "") in NOT_THERE_YET:
            return []
        return [unanswered(connection, error, QUESTION)]
    except DatabaseError as error:
        return [unanswered(connection, error, QUESTION)]
    if not found:
        return []
    return [
        Error(
            f"The database has people of the demo, whose password is public: {', '.join(found)}.",
            hint="Start with an empty database, or switch them off for good with `manage.py retire_demo`.",
            id="gatehouse.E020",
        )
    ]


@register(Tags.database)
def redis_answers(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asks a server like the database's checks, so it runs with them: `manage.py check --database default`."""
    if not databases:
        return []
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return [
            Error(
                f"Redis cannot be used: {error}",
                hint="Start it, or correct REDIS_URL.",
                id="gatehouse.E017",
            )
        ]
    return []
