"""What PostgreSQL knows of a schema, so that two can be compared."""

from django.db import connection

_OF_TABLE = "c ON c.oid = {} WHERE c.relnamespace = %s::regnamespace"
STRUCTURE = (
    "SELECT relname, relkind FROM pg_class WHERE relnamespace = %s::regnamespace",
    "SELECT c.relname, attname, attnum, format_type(atttypid, atttypmod), attnotnull, attidentity, attcollation, "
    "pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum) "
    f"JOIN pg_class {_OF_TABLE.format('attrelid')}",
    "SELECT c.relname, conname, pg_get_constraintdef(k.oid) FROM pg_constraint k "
    f"JOIN pg_class {_OF_TABLE.format('conrelid')}",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s",
    f"SELECT c.relname, tgname FROM pg_trigger t JOIN pg_class {_OF_TABLE.format('tgrelid')} AND NOT tgisinternal",
    "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = %s::regnamespace",
)
NOTHING = "'{}'::text[]"
WHEN = {"django_migrations": "ARRAY['applied', 'id']"}


def structure(schema: str) -> list[list[str]]:
    """Tables, columns, constraints, indexes, triggers, functions."""
    return [_rows(schema, query, schema) for query in STRUCTURE]


def contents(schema: str) -> list[list[str]]:
    """All rows and what sequences count, but for when that was, and in which order for what was applied."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
        tables = [name for (name,) in cursor.fetchall()]
    return [
        _rows(schema, "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = %s", schema),
        *(
            _rows(schema, f"SELECT to_jsonb(t) - {WHEN.get(name, NOTHING)} FROM {schema}.{name} t")
            for name in tables
        ),
    ]


def _rows(schema: str, query: str, *parameters: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return sorted(str(row).replace(f"{schema}.", "") for row in cursor.fetchall())
