"""What the tables that all share take, compared with what Django's models ask for: their migrations can't be repeated beside
them, as those of a customer's schema are. Without the names that a table's history gave to constraints and indexes.
"""

from collections.abc import Iterable
from secrets import token_hex
from typing import Any, LiteralString, cast

import psycopg
from django.db import connection, transaction

from tenants.schemas import leave_for_public

# What is not valid for all rows there says so in its definition. PostgreSQL 18 has such a NOT NULL, too.
LINES: LiteralString = """
SELECT c.relname::text, line FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (
    SELECT 'NOT NULL of ' || attname FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attnotnull
        AND NOT EXISTS (SELECT FROM pg_constraint
            WHERE conrelid = c.oid AND contype = 'n' AND NOT convalidated AND attnum = ANY (conkey))
    UNION ALL
    SELECT attname || ' as a column that is not GENERATED' FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    UNION ALL
    SELECT replace(pg_get_constraintdef(oid), ' REFERENCES ' || quote_ident(n.nspname) || '.', ' REFERENCES ')
        FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
    UNION ALL
    SELECT 'a unique index' || substring(pg_get_indexdef(indexrelid) FROM ' USING .*')
        FROM pg_index WHERE indrelid = c.oid AND indisunique AND indisvalid
) AS found(line) WHERE n.nspname = %s AND c.relkind = 'r'
"""

Lines = dict[str, set[str]]  # by table


def there(reader: "psycopg.Connection[Any]", schema: str) -> Lines:
    """Of the tables in a schema, in the reader's transaction."""
    return _by_table(reader.execute(LINES, [schema]))


def asked_for(models: Iterable[Any]) -> Lines:
    """By models that were made into tables of a schema that nobody else ever sees. Raises DatabaseError."""
    schema = f"examined_{token_hex(8)}"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {schema}")
            cast(Any, connection).set_schema(schema, include_public=False)
            with connection.schema_editor(atomic=False) as editor:
                for model in models:
                    editor.create_model(model)
            cursor.execute(LINES, [schema])
            found = _by_table(cursor.fetchall())
            transaction.set_rollback(True)
    finally:
        leave_for_public()
    return found


def _by_table(rows: Iterable[Any]) -> Lines:
    found: Lines = {}
    for table, line in rows:
        found.setdefault(table, set()).add(line)
    return found
