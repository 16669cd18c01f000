"""What a line of the audit trail tells of its act, and when. Nobody can delete a line, so one that nobody could read would keep
each page on which it stands from being shown, for good. The database takes no further one (migrations/0022), but may have
some of before.
"""

import json
import logging
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.fields.json import KeyTransform

log = logging.getLogger(__name__)

# As the database has them. Ours have four levels, less than 100 kB, and numbers that fit into 64 bits.
MOST_LEVELS = 20
MOST_OCTETS = 256 * 1024
# Of what stands before a part of a list or an object: counted without reading it. One in a text counts as well.
MOST_PARTS, BEFORE_A_PART = 5_000, ",[{"
NUMBERS_BELOW = 10**300
# With room for each zone of time at either end of Python's calendar.
FIRST_DAY, LAST_DAY = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


# Half a character, as a program may have sent it, and NUL: no database takes one.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any) -> Any:
    """With a mark in the place of what no database would take: for that no act is to fail, nor go untold."""
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(each) for key, each in value.items()}
    return [storable(each) for each in value] if isinstance(value, list | tuple) else value


def is_too_much(data: Any) -> bool:
    """Whether it is more than a line holds."""
    text = json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False)
    return len(text.encode()) > MOST_OCTETS or _parts(text) > MOST_PARTS


def _parts(text: str) -> int:
    return sum(text.count(sign) for sign in BEFORE_A_PART)


class MomentField(models.DateTimeField):
    """Reads as the first or the last day what no calendar has, such as `infinity`. The database goes by what stands there."""

    def deconstruct(self) -> Any:
        # For migrations it is what it is to the database.
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs

    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        return f"least(greatest({sql}, '{FIRST_DAY}'), '{LAST_DAY}')", params


class DetailsField(models.JSONField):
    """Reads as nothing what the database would refuse today: what is no object, is longer or is nested more deeply than whoever
    shows it goes, or has more parts, and numbers that Python does not take, or that are infinite to it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"encoder": DjangoJSONEncoder, **kwargs})

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        # What is too long is not even fetched: a page has many lines.
        return f"CASE WHEN octet_length(({sql})::text) > {MOST_OCTETS} THEN '[]' ELSE {sql} END", (
            *params,
            *params,
        )

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if value is not None and _parts(value) > MOST_PARTS:
            _tell()
            return {}
        try:
            found = super().from_db_value(value, expression, connection)
        except (RecursionError, ValueError):
            _tell()
            return {}
        is_all = not isinstance(expression, KeyTransform)  # and no detail by itself
        if _is_beyond(found, MOST_LEVELS) or (is_all and not isinstance(found, dict | None)):
            _tell()
            return {}
        return found


def _is_beyond(value: Any, levels: int) -> bool:
    """Whether there is anything so many levels and one more below it, or a number that is too great."""
    if isinstance(value, int | float):
        return abs(value) >= NUMBERS_BELOW
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(within) and (not levels or any(_is_beyond(each, levels - 1) for each in within))


@cache
def _tell() -> None:
    """Once in a process: it is there whenever somebody looks, and docs/operations.md has the query that finds it."""
    log.error(
        "the audit trail has a line whose details nobody can read, and which no act of the portal has written; it is shown "
        "without them"
    )
