"""Whether the database is of this release: docs/upgrades.md."""

from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connection

from tenants.upgrading import schemas

from .answers import unanswered

NAMED = 3
HINT = "Run `manage.py upgrade`."


# Of a deployment, for migrations ask the others, and would find that they are wanted.
@register(Tags.database, deploy=True)
def what_all_customers_share_is_of_this_release(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Each process asks at its start: without a table or column that this release has, it would fail at everything."""
    try:
        if not databases or not schemas.public_is_behind():
            return []
    except DatabaseError as error:
        return [unanswered(connection, error, "whether it is of this release")]
    return [Error("The database is of an earlier release.", hint=HINT, id="gatehouse.E028")]


@register(Tags.database, deploy=True)
def customers_are_of_this_release(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """No error: the others are served, and mail for these is put off until they are upgraded."""
    try:
        if not databases:
            return []
        behind = [name for name, state in schemas.customers().items() if state.is_behind]
        # What is gone is of no release: the doctor names it, and no upgrade brings it back.
        behind = schemas.that_are_there(behind)
    except DatabaseError:  # not to be reached, which other checks say
        return []
    if not behind:
        return []
    names = ", ".join(behind[:NAMED]) + (" and others" if len(behind) > NAMED else "")
    return [
        Warning(
            f"{len(behind)} of the customers' schemas are of an earlier release: {names}.",
            hint=HINT,
            id="gatehouse.W008",
        )
    ]
