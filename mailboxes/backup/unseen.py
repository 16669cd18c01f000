"""A table that is written anew after a snapshot (TRUNCATE, most ALTER TABLE … TYPE, a column with a default that differs by row)
looks empty to it, and one that was dropped and made again is: PostgreSQL's manual, "Caveats" of its concurrency control. A dump
would say nothing of the rows that it lacks. Nor where a table, a column or a schema stepped aside for another of its name while
it was dumped, and is back: names are looked up in the catalogs of now.
"""

from collections.abc import Collection
from typing import Any, LiteralString

import psycopg

from mailboxes.backup.tables import tables_of
from mailboxes.backup.tools import WITHOUT_ROWS
from tenants import migrated
from tenants.upgrading.schemas import PUBLIC

# As the transaction's snapshot has the catalogs: the table, the file in which it lies, which column is which, and who wrote
# these lines last, as whoever renames or alters one does; VACUUM, ANALYZE and CREATE INDEX change theirs in place.
TABLES: LiteralString = """
SELECT n.nspname::text, c.relname::text, concat_ws(' ', c.oid, c.relfilenode, c.xmin, n.oid, n.xmin,
    (SELECT md5(string_agg(concat_ws(' ', attnum, attname, atttypid, xmin), E'\\n' ORDER BY attnum))
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (%s) AND c.relkind = 'r'
"""

Fingerprints = dict[tuple[str, str], str]  # by schema and name


def fingerprints(reader: "psycopg.Connection[Any]", schemas: Collection[str]) -> Fingerprints:
    """Of tables, in the reader's transaction: what changes when one is written anew. In `public` only ours count: its
    owner may empty tables of its own each night.
    """
    ours = tables_of(migrated.known(), shared=True)
    return {
        (schema, name): what
        for schema, name, what in reader.execute(TABLES, [list(schemas)])
        if (schema != PUBLIC or name in ours)
        and not {f"{schema}.{name}", f"*.{name}"}.intersection(WITHOUT_ROWS)
    }


def written_anew(before: Fingerprints, after: Fingerprints) -> list[str]:
    """Of the tables that the snapshot had, those whose rows it may have missed; what came after it does not count."""
    return sorted(
        f"{schema}.{name}" for (schema, name), what in before.items() if after.get((schema, name)) != what
    )
