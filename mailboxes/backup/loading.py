"""Rows go from a dump into a schema that was made for them; of one customer: which stay out, and what of the others changes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from mailboxes.backup import judging, rows
from mailboxes.backup.errors import BackupDamaged, NotOurRows
from mailboxes.backup.renaming import Ids
from mailboxes.backup.rows import Row, Table
from mailboxes.transactions import on_disk
from tenants.away import is_away

APP = "mailboxes"
MIGRATIONS = "django_migrations"
# Whoever may write there, writes what and as much as they like: no list of a release's comes near this.
MIGRATIONS_AT_MOST, NAMES_LETTERS = 10_000, 256
# Of rows that are tried one by one where they don't go in together.
BATCH_ROWS, BATCH_OCTETS = 1000, 1024 * 1024
# References by one column, as all of ours are.
REFERENCES = """
SELECT c.relname::text, a.attname::text, p.relname::text, b.attname::text
FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1] JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = f.confkey[1]
WHERE f.contype = 'f' AND c.relnamespace = %s::regnamespace ORDER BY 1, 2
"""
# Sessions of archivers, and what was refused to somebody: of another time, and of another address.
LEFT_BEHIND = {"mailboxes_maildroplock", "mailboxes_signinrefusal"}
MOST_SERIALS = 2**62  # of ids that a database gives: as many are left
OVER = "done"  # of a job
REMOVALS = ("deletion", "locked-mail-deletion")  # kinds of jobs

Change = Callable[[Row], Row | None]


@contextmanager
def lasting() -> Iterator[None]:
    """A transaction that is on the disk once it has ended, and may last as long as it likes."""
    with on_disk():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def copy_rows(
    tables: Iterable[Table],
    schema: str,
    ids: Ids,
    *,
    without_mailboxes: Collection[str],
    without_keys: Collection[str],
) -> list[str]:
    """As `fill`, of a customer that may have other ids here."""

    def change_of(table: str) -> Change | None:
        if table == MIGRATIONS or table in LEFT_BEHIND:
            return None
        return _change_of(table, ids, without_mailboxes, without_keys)

    not_ours, filled = fill(tables, schema, change_of)
    begin_behind(filled, schema)
    return not_ours


def fill(
    tables: Iterable[Table], schema: str, change_of: Callable[[str], Change | None]
) -> tuple[list[str], list[str]]:
    """Copy rows into the tables of the same names that the schema has, in the caller's transaction; none of a table without
    a change. Which tables it does not have: no release has made them, and their rows stay where they are; and which of those
    that were filled have ids.

    Raises DatabaseError, BackupDamaged, RestoreFailed.
    """
    not_ours, filled = [], []
    with _filling(schema) as (cursor, known):
        for table in tables:
            if table.name not in known:
                not_ours.append(table.name)
            elif change := change_of(table.name):
                _copy(cursor, _into(table, schema), _changed(table, change))
                if "id" in table.columns:
                    filled.append(table.name)
    return not_ours, filled


def fill_what_fits(tables: Iterable[Table], schema: str) -> "tuple[list[str], Counter[str]]":
    """As `fill`, all rows as they are. Those that are too long or that their table does not take stay out, as do those that
    refer to them: how many, by table.
    """
    not_ours: list[str] = []
    left_out: Counter[str] = Counter()
    with _filling(schema) as (cursor, known):
        for table in tables:
            if table.name not in known:
                not_ours.append(table.name)
                continue
            into = _into(table, schema)
            for some in _batches(line + b"\n" for line in table.lines):
                left_out[table.name] += _copy_what_fits(cursor, into, some)
        _leave_out_what_refers_to_nothing(cursor, schema, left_out)
    return not_ours, +left_out


@contextmanager
def _filling(schema: str) -> Iterator[tuple[Any, set[str]]]:
    """With the names of its tables. Within, rows may refer to what comes later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", [schema]
        )
        known = {name for (name,) in cursor.fetchall()}
        # Tables come in the order of their names. Migrations that have just made the schema may have asked for the rest.
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        yield cursor, known
        # Now, for a migration can't change a table about which there are questions.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _into(table: Table, schema: str) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(schema, table.name), sql.SQL(", ").join(map(sql.Identifier, table.columns))
    )


def _changed(table: Table, change: Change) -> Iterator[bytes]:
    for row in table.rows:
        try:
            changed = change(row)
        except (KeyError, ValueError):
            raise NotOurRows(f"{table.name} has a row that is none.") from None
        if changed:
            yield rows.encoded(changed)


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    octets = 0
    for line in lines:
        some.append(line)
        octets += len(line)
        if len(some) == BATCH_ROWS or octets >= BATCH_OCTETS:
            yield some
            some, octets = [], 0
    if some:
        yield some


def _copy(cursor: Any, into: sql.Composed, lines: Iterable[bytes]) -> None:
    with cursor.copy(into) as copy:
        for line in lines:
            copy.write(line)


def _copy_what_fits(cursor: Any, into: sql.Composed, lines: Sequence[bytes]) -> int:
    """How many of these stay out."""
    try:
        with transaction.atomic():
            _copy(cursor, into, lines)
    except (psycopg.Error, DatabaseError) as error:
        if is_away(error):
            raise
        if len(lines) == 1:
            return 1
        half = len(lines) // 2
        return _copy_what_fits(cursor, into, lines[:half]) + _copy_what_fits(cursor, into, lines[half:])
    return 0


def _leave_out_what_refers_to_nothing(cursor: Any, schema: str, left_out: "Counter[str]") -> None:
    """Until nothing does: what goes may have been referred to."""
    cursor.execute(REFERENCES, [schema])
    references = cursor.fetchall()
    while True:
        gone = 0
        for table, column, referred, key in references:
            query = sql.SQL(
                "DELETE FROM {} c WHERE {column} IS NOT NULL AND NOT EXISTS (SELECT FROM {} p WHERE p.{} = {column})"
            )
            cursor.execute(
                query.format(
                    sql.Identifier(schema, table),
                    sql.Identifier(schema, referred),
                    sql.Identifier(key),
                    column=sql.Identifier("c", column),
                )
            )
            left_out[table] += cursor.rowcount
            gone += cursor.rowcount
        if not gone:
            return


def migrations_in(table: Table) -> frozenset[tuple[str, str]]:
    """Those that were applied, as (app, name). Raises NotOurRows for a list that no release has written."""
    found = set()
    for number, row in enumerate(table.rows):
        app, name = row.get("app", ""), row.get("name", "")
        if number == MIGRATIONS_AT_MOST or not (0 < len(app) + len(name) <= NAMES_LETTERS):
            raise NotOurRows("A list of migrations has lines that are none, or too many.")
        found.add((app, name))
    return frozenset(found)


def begin_behind(tables: Iterable[str], schema: str) -> None:
    """Have the ids that are given out next begin behind those that are there. Raises DatabaseError, NotOurRows."""
    with connection.cursor() as cursor:
        for name in tables:
            cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [f'"{schema}"."{name}"'])
            if sequence := cursor.fetchone()[0]:
                last = sql.SQL("SELECT setval(%s, max(id)) FROM {} HAVING count(*) > 0")
                cursor.execute(last.format(sql.Identifier(schema, name)), [sequence])
                if (given := cursor.fetchone()) and given[0] > MOST_SERIALS:
                    raise NotOurRows(f"{name} has numbers after which there is no room for more.")


def _change_of(
    table: str, ids: Ids, without_mailboxes: Collection[str], without_keys: Collection[str]
) -> Change:
    """What becomes of a table's row: None, where it stays out. By the names of columns, which mean the same in all."""

    def change(row: Row) -> Row | None:
        if row.get("mailbox_id") in without_mailboxes or row.get("key_id") in without_keys:
            return None
        if table == "mailboxes_mailboxkey":
            judging.require_key(row)
        if table == "mailboxes_mailbox":
            judging.require_mailbox(row)
            if row["id"] in without_mailboxes:
                return None
            row["id"] = str(ids.mailbox(row["id"]))
        elif table == "mailboxes_mailboxkey" and row["id"] in without_keys:
            return None
        elif table == "mailboxes_keylock" and row["kind"] == "worker":
            return None  # nobody works on its mail until somebody asks for it
        elif table == "mailboxes_job":
            if row["kind"] in REMOVALS and row["state"] != OVER:
                return None
            row["id"] = str(ids.mailbox(row["id"]))
            row["mailbox_uuid"] = str(ids.mailbox(row["mailbox_uuid"]))
        elif table == "mailboxes_message":
            if not row["blob"].startswith(f"{ids.former.hex}/{UUID(row['mailbox_id']).hex}/"):
                raise BackupDamaged(f"{row['blob']!r} is no message of {row['mailbox_id']}.")
            row["blob"] = ids.blob(row["blob"])
        if row.get("mailbox_id", rows.NULL) != rows.NULL:
            row["mailbox_id"] = str(ids.mailbox(row["mailbox_id"]))
        return row

    return change
