"""What a line of the audit trail tells of its act. Nobody can delete a line, so one that nobody could read would keep each page
on which it stands from being shown, for good.
"""

import logging
from functools import cache
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

log = logging.getLogger(__name__)

MOST_LEVELS = 20  # ours have four


class DetailsField(models.JSONField):
    """Reads as nothing what is nested more deeply than whoever shows it goes, and numbers that Python does not take. The
    database refuses new lines of that kind (migrations/0022), but may have some of before.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"encoder": DjangoJSONEncoder, **kwargs})

    def deconstruct(self) -> Any:
        # For migrations it is what it is to the database.
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        try:
            found = super().from_db_value(value, expression, connection)
        except (RecursionError, ValueError):
            _tell()
            return {}
        if _is_deeper(found, MOST_LEVELS):
            _tell()
            return {}
        return found


def _is_deeper(value: Any, levels: int) -> bool:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(within) and (not levels or any(_is_deeper(each, levels - 1) for each in within))


@cache
def _tell() -> None:
    """Once in a process: it is there whenever somebody looks."""
    log.error(
        "the audit trail has a line whose details nobody can read, and which no act of the portal has written; it is shown without them"
    )
