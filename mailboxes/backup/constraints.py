"""What tables take, line by line, and how those in a schema differ from tables that were just made. Without the names that a
table's history gave to constraints and indexes, which no row is held to.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from secrets import token_hex
from typing import Any, LiteralString, NamedTuple, cast

import psycopg
from django.db import DatabaseError, connection, transaction

from mailboxes.backup import tools
from tenants import last_backup
from tenants.away import is_away
from tenants.schemas import leave_for_public
from tenants.upgrading import migrating

LETTERS = 300  # of a line that somebody else has made
NOT_GENERATED = " as a column that is not GENERATED"
# Else `lower(name)` says something else of it there, and what differs under a unique index is alike in a new table.
OWN_COLLATION = " in the collation of the database"
# What is not valid for all rows there says so in its definition. PostgreSQL 18 has such a NOT NULL, too. In a reference to
# a table beside it a schema's own name says nothing.
LINES: LiteralString = f"""
SELECT n.nspname::text, c.relname::text, line FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (
    SELECT 'NOT NULL of ' || attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attnotnull
        AND NOT EXISTS (SELECT FROM pg_constraint
            WHERE conrelid = c.oid AND contype = 'n' AND NOT convalidated AND attnum = ANY (conkey))
    UNION ALL
    SELECT attname || '{NOT_GENERATED}' FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    UNION ALL
    SELECT attname || '{OWN_COLLATION}' FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attcollation = '"default"'::regcollation
    UNION ALL
    SELECT CASE contype WHEN 'f'
            THEN replace(pg_get_constraintdef(oid), ' REFERENCES ' || quote_ident(n.nspname) || '.', ' REFERENCES ')
            ELSE pg_get_constraintdef(oid) END
        FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
    UNION ALL
    SELECT 'a unique index' || substring(pg_get_indexdef(indexrelid) FROM ' USING .*')
        FROM pg_index WHERE indrelid = c.oid AND indisunique AND indisvalid
) AS found(line) WHERE n.nspname = ANY (%s) AND c.relkind = 'r'
"""  # noqa: S608 - NOT_GENERATED and OWN_COLLATION are constants
# Of thousands of schemas the lines are hundreds each, and nearly all schemas are alike.
DIGESTS: LiteralString = f"""
SELECT schema, md5(array_agg(ARRAY[name, line] ORDER BY name COLLATE "C", line COLLATE "C")::text)
FROM ({LINES}) AS found(schema, name, line) GROUP BY schema
"""  # noqa: S608 - LINES is a constant

Lines = dict[str, set[str]]  # by table


class Made(NamedTuple):
    """What the tables of a schema take that was just made."""

    digest: str  # of all lines: two schemas with the same one are alike
    lines: Lines


def digests(
    reader: "psycopg.Connection[Any]", schemas: Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """By schema, in the reader's transaction; and of whom nobody can be told any, why: somebody may put together what the server
    does not take apart again. Raises psycopg.Error where the server is to blame.
    """
    try:
        with reader.transaction():
            tools.settle(reader)
            return dict(reader.execute(DIGESTS, [list(schemas)]).fetchall()), {}
    except psycopg.Error as error:
        if is_away(error):
            raise
        if len(schemas) < 2:
            return {}, dict.fromkeys(schemas, tools.first_line(error))
    half = len(schemas) // 2
    (first, no), (second, nor) = digests(reader, schemas[:half]), digests(reader, schemas[half:])
    return first | second, no | nor


def unlike(
    reader: "psycopg.Connection[Any]",
    schema: str,
    make: Callable[[], Made],
    digest: str | None = None,
    *,
    lacking_only: bool = False,
) -> list[str]:
    """Part of a sentence for each table of a schema that takes what that of `make` would not, or (unless `lacking_only`) refuses
    what that takes. A schema whose `digest` is that one's is read no further.
    """
    try:
        made = make()
    except (DatabaseError, ValueError, LookupError) as error:
        if getattr(error.__cause__, "sqlstate", None) in last_backup.MAY_ONLY_READ:
            return []  # whose backups are whole all the same
        return [f"its tables can't be compared with what migrations make: {tools.first_line(error)}"]
    if made.digest == digest:
        return []
    tools.settle(reader)
    there = _by_table(reader.execute(LINES, [[schema]]))
    return list(_differences(made.lines, there, lacking_only=lacking_only))


def as_made(applied: Collection[tuple[str, str]]) -> Made:
    """What tables of a customer with these migrations take. Raises DatabaseError, ValueError, LookupError."""
    return _made_by(partial(migrating.make, applied=applied))


def as_models_ask(models: Iterable[Any]) -> Made:
    """The same of Django's models: the migrations of `public` can't be repeated beside it. Raises DatabaseError."""

    def make(schema: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
        cast(Any, connection).set_schema(schema, include_public=False)
        with connection.schema_editor(atomic=False) as editor:
            for model in models:
                editor.create_model(model)

    return _made_by(make)


def _made_by(make: Callable[[str], object]) -> Made:
    """By a function that is given the name of a schema, makes that with its tables, and is undone: nobody else ever sees it.
    Raises DatabaseError and what `make` raises.
    """
    tools.revive()
    schema = f"examined_{token_hex(8)}"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            make(schema)
            tools.settle(cursor)
            cursor.execute(DIGESTS, [[schema]])
            digest = dict(cursor.fetchall()).get(schema, "")
            cursor.execute(LINES, [[schema]])
            found = Made(digest, _by_table(cursor.fetchall()))
            transaction.set_rollback(True)
    finally:
        leave_for_public()
    return found


def _differences(made: Lines, there: Lines, *, lacking_only: bool) -> Iterator[str]:
    """With the first line of each table that differs: what it lacks, or else has beyond that."""
    for name, wanted in sorted(made.items()):
        found = there.get(name, set())
        if lacking := wanted - found:
            yield f"the table {name} is not as migrations make it: it lacks {min(lacking)}"
        # A column more is told of by itself.
        elif not lacking_only and (
            beyond := {line for line in found - wanted if not line.endswith((NOT_GENERATED, OWN_COLLATION))}
        ):
            yield f"the table {name} is not as migrations make it: it has {min(beyond)[:LETTERS]}, which that has not"


def _by_table(rows: Iterable[Any]) -> Lines:
    found: Lines = {}
    for _, table, line in rows:
        found.setdefault(table, set()).add(line)
    return found
