"""What a check says that the database did not answer: it must not pass for one that found nothing."""

import psycopg
from django.core.checks import CheckMessage, Error, Warning
from django.db.backends.base.base import BaseDatabaseWrapper

from tenants import pooling
from tenants.away import is_away

from . import way


def unanswered(wrapper: BaseDatabaseWrapper, error: Exception, question: str) -> CheckMessage:
    """`question` ends a sentence that begins with “it could not be asked”."""
    if is_away(error):
        return away(wrapper, error)
    try:
        pooling.reach(wrapper)
    except psycopg.OperationalError as nobody:  # has answered yet: whatever it says, it says that it is away
        return away(wrapper, nobody)
    except psycopg.Error as other:
        error = other
    return Error(
        f"The database {wrapper.alias!r} answers, but it could not be asked {question}: {_first_line(error)}",
        hint="Behind a pooler use session or transaction pooling, and let its pool have as many sessions as "
        "docs/sizing.md counts; see that the role may read what belongs to the portal (docs/database-roles.md).",
        id="gatehouse.E033",
    )


def untold(wrapper: BaseDatabaseWrapper, error: Exception, question: str) -> list[CheckMessage]:
    """The same of a question whose answer keeps nobody from starting. That nobody answers at all, others say; but who does
    and has run out of patience with this question has not answered it.
    """
    try:
        pooling.reach(wrapper)
    except psycopg.Error:
        return []
    return [
        Warning(
            f"The database {wrapper.alias!r} could not be asked {question}: {_first_line(error)}",
            hint="Nobody knows whether that is as it should be. See what keeps the role in DATABASE_URL from asking: its "
            "rights (docs/database-roles.md), PostgreSQL's log, the pooler.",
            id="gatehouse.W016",
        )
    ]


def away(wrapper: BaseDatabaseWrapper, error: Exception) -> CheckMessage:
    more, hint = way.advice(wrapper, str(error))
    return Error(
        f"The database {wrapper.alias!r} cannot be reached: {_first_line(error)}{more}",
        hint=hint or "Start it, or correct DATABASE_URL.",
        id="gatehouse.E016",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
