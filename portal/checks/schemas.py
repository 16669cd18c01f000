"""Whether the database is of this release: docs/upgrades.md."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

from tenants import migrated
from tenants.schemas import that_are_there
from tenants.upgrading import schemas

from .answers import unanswered, untold

NAMED = 3
HINT = "Run `manage.py upgrade`."


# Of a deployment, for migrations ask the others, and would find that they are wanted.
@register(Tags.database, deploy=True)
def what_all_customers_share_is_of_this_release(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Each process asks at its start: without a table or column that this release has, it would fail at everything."""
    try:
        if not databases:
            return []
        (begun, _), is_behind = migrated.restored_from(), schemas.public_is_behind()
    except DatabaseError as error:
        return [unanswered(connection, error, "whether it is of this release")]
    if begun:
        return [
            Error(
                f"A restore of {begun} was begun in this database, and has not ended.",
                hint="Repeat `manage.py restore`, as it was (docs/operations.md).",
                id="gatehouse.E028",
            )
        ]
    if not is_behind:
        return []
    return [Error("The database is of an earlier release.", hint=HINT, id="gatehouse.E028")]


@register(Tags.database, deploy=True)
def customers_are_of_this_release(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """No error: the others are served, and mail for these is put off until they are upgraded."""
    try:
        # What asks the schemas is of this release, too; the check above says what is not.
        if not databases or schemas.public_is_behind():
            return []
        states = schemas.customers()
        # What is gone is of no release: the doctor names it, and no upgrade brings it back.
        behind = that_are_there([name for name, state in states.items() if state.is_behind])
    except DatabaseError as error:
        return untold(connection, error, "whether all customers are of this release")
    found: list[CheckMessage] = []
    if behind:
        found.append(
            Warning(
                f"{len(behind)} of the customers' schemas are of an earlier release: {_few(behind)}.",
                hint=HINT,
                id="gatehouse.W008",
            )
        )
    if anothers := [name for name, state in states.items() if state.is_anothers]:
        found.append(
            Warning(
                f"Whether {len(anothers)} of the customers' schemas are of this release nobody knows, for they belong to a "
                f"role that may do less than the one in DATABASE_URL, which looks into none of these: {_few(anothers)}.",
                hint="Ask as the role that serves (docs/database-roles.md).",
                id="gatehouse.W017",
            )
        )
    return found


def _few(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else "")
