"""Rows go from a dump into a schema that was made for them; of one customer: which stay out, and what of the others changes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction
from psycopg import sql

from mailboxes.backup import judging, rows
from mailboxes.backup.errors import BackupDamaged, NotOurRows
from mailboxes.backup.renaming import Ids
from mailboxes.backup.rows import Row, Table
from mailboxes.transactions import on_disk
from tenants import pooling

APP = "mailboxes"
MIGRATIONS = "django_migrations"
# Whoever may write there, writes what and as much as they like: no list of a release's comes near this.
MIGRATIONS_AT_MOST, NAMES_LETTERS = 10_000, 256
# Of rows that are tried one by one where they don't go in together.
BATCH_ROWS, BATCH_OCTETS = 1000, 1024 * 1024
# By the first two characters of SQLSTATE, what a row is to blame for: a value that is none, a constraint, too much of something.
ROWS_FAULTS = {"22", "23", "54"}
NAMED_BY, NAMES_AT_MOST = ("slug", "email", "address", "domain", "name", "id"), 20
TABLES = """
SELECT c.relname::text, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = %s::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
GROUP BY 1
"""
# References by one column, as all of ours are.
REFERENCES = """
SELECT c.relname::text, a.attname::text, p.relname::text, b.attname::text
FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1] JOIN pg_attribute b ON b.attrelid = p.oid AND b.attnum = f.confkey[1]
WHERE f.contype = 'f' AND c.relnamespace = %s::regnamespace ORDER BY 1, 2
"""
# Sessions of archivers, what was refused to somebody, and the log of deliveries: of another time, and of another address.
LEFT_BEHIND = {"mailboxes_maildroplock", "mailboxes_signinrefusal", "mailboxes_logline"}
MOST_SERIALS = 2**62  # of ids that a database gives: as many are left
OVER = "done"  # of a job
REMOVALS = ("deletion", "locked-mail-deletion")  # kinds of jobs

Change = Callable[[Row], Row | None]


@dataclass
class LeftOut:
    """How many rows of a table, some of them as people know them, and why the first did not fit."""

    rows: int = 0
    names: list[str] = field(default_factory=list)
    why: str = ""

    def add(self, name: str) -> None:
        self.rows += 1
        if len(self.names) < NAMES_AT_MOST:
            self.names.append(name)


@contextmanager
def lasting() -> Iterator[None]:
    """A transaction that is on the disk once it has ended, and may last as long as it likes."""
    with on_disk():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            pooling.last_as_long_as_it_takes(cursor)
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
    a change. Which tables and columns it does not have: no release has made them, and what is in them stays where it is; and
    which of those that were filled have ids.

    Raises DatabaseError, BackupDamaged, RestoreFailed.
    """
    not_ours: list[str] = []
    filled = []
    with _filling(schema) as (cursor, known):
        for table in _ours(tables, known, not_ours):
            if change := change_of(table.name):
                _copy(cursor, _into(table, schema), _changed(table, change))
                if "id" in table.columns:
                    filled.append(table.name)
    return not_ours, filled


def fill_what_fits(
    tables: Iterable[Table], schema: str, needed: Collection[str]
) -> tuple[list[str], dict[str, LeftOut]]:
    """As `fill`, all rows as they are. Those that are too long or that their table does not take stay out, as do those that
    refer to them, however many: whoever may write them must not keep the others away by it. Only where a table of those that
    are `needed` had rows, and none of them fits, is nothing filled.

    Raises as `fill`.
    """
    not_ours: list[str] = []
    left_out: dict[str, LeftOut] = {}
    read: Counter[str] = Counter()
    with _filling(schema) as (cursor, known):
        for table in _ours(tables, known, not_ours):
            into, out = _into(table, schema), left_out.setdefault(table.name, LeftOut())
            for some in _batches(line + b"\n" for line in table.lines):
                read[table.name] += len(some)
                _copy_what_fits(cursor, into, some, table, out)
        _leave_out_what_refers_to_nothing(cursor, schema, known, left_out)
        for name, out in left_out.items():
            if name in needed and 0 < read[name] == out.rows:
                raise NotOurRows(
                    f"No row of {schema}.{name} fits{f' ({out.why})' if out.why else ''}, nor one that would have to be there "
                    "before it. Restore by the release that took the backup, or another one (--set)."
                )
    return not_ours, {name: out for name, out in sorted(left_out.items()) if out.rows}


def _ours(tables: Iterable[Table], known: dict[str, set[str]], not_ours: list[str]) -> Iterator[Table]:
    """What of them the schema has; the names of the others are put there."""
    for table in tables:
        if table.name not in known:
            not_ours.append(table.name)
            continue
        kept = [at for at, column in enumerate(table.columns) if column in known[table.name]]
        if len(kept) < len(table.columns):
            not_ours += [
                f"{table.name}.{column}" for column in table.columns if column not in known[table.name]
            ]
            yield table.only(kept)
        else:
            yield table


@contextmanager
def _filling(schema: str) -> Iterator[tuple[Any, dict[str, set[str]]]]:
    """With the columns of its tables. Within, rows may refer to what comes later."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [schema])
        known = {name: set(columns) for name, columns in cursor.fetchall()}
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


def _copy_what_fits(
    cursor: Any, into: sql.Composed, lines: Sequence[bytes], table: Table, out: LeftOut
) -> None:
    try:
        with transaction.atomic():
            _copy(cursor, into, lines)
    except psycopg.Error as error:
        if (error.sqlstate or "")[:2] not in ROWS_FAULTS:
            raise
        if len(lines) == 1:
            out.add(_name_of(table, lines[0]))
            out.why = out.why or f"{error}".splitlines()[0]
            return
        half = len(lines) // 2
        _copy_what_fits(cursor, into, lines[:half], table, out)
        _copy_what_fits(cursor, into, lines[half:], table, out)


def _name_of(table: Table, line: bytes) -> str:
    values = dict(zip(table.columns, line.decode(errors="replace").rstrip("\n").split("\t"), strict=False))
    return _named(values)


def _named(values: dict[str, Any]) -> str:
    return next((str(values[name])[:NAMES_LETTERS] for name in NAMED_BY if values.get(name)), "?")


def _leave_out_what_refers_to_nothing(
    cursor: Any, schema: str, known: dict[str, set[str]], left_out: dict[str, LeftOut]
) -> None:
    """Until nothing does: what goes may have been referred to. Of their rows no more is read than they are named by: JSON of
    others' may be nested a thousand times.
    """
    cursor.execute(REFERENCES, [schema])
    references = cursor.fetchall()
    while True:
        gone = 0
        for table, column, referred, key in references:
            names = [name for name in NAMED_BY if name in known[table]]
            query = sql.SQL(
                "DELETE FROM {} c WHERE {column} IS NOT NULL AND NOT EXISTS (SELECT FROM {} p WHERE p.{} = {column}) "
                "RETURNING ARRAY[{names}]::text[]"
            )
            cursor.execute(
                query.format(
                    sql.Identifier(schema, table),
                    sql.Identifier(schema, referred),
                    sql.Identifier(key),
                    column=sql.Identifier("c", column),
                    names=sql.SQL(", ").join(
                        sql.SQL("{}::text").format(sql.Identifier("c", name)) for name in names
                    ),
                )
            )
            for (values,) in cursor:
                left_out.setdefault(table, LeftOut()).add(_named(dict(zip(names, values, strict=True))))
                gone += 1
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


def without_locks(schema: str) -> int:
    """How many mailboxes that were brought no password opens: nobody would ever read their mail."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) " + judging.UNOPENED).format(schema=sql.Identifier(schema)))
        return int(cursor.fetchone()[0])


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
