"""The database of an installation comes back: rows from a backup, in tables that this release's migrations make anew.

Nothing that a dump says is run. Whoever had the application's role in hand may have planted functions, indexes over them and
checks in customers' schemas, and anybody can seal a dump to the public key who writes to the place of the backups; a restore
works as the owner of all tables.

`public` is made first, for customers' migrations look there, and filled last. Until then its list of migrations is empty, so
no process takes it for an installation, and says by a comment which backup is being brought. Each customer comes in a
transaction of its own; one whose rows fit no release stays out and is named, and all others come.
"""

import logging
from collections.abc import Collection, Iterator
from itertools import groupby
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

from mailboxes.backup import loading, rows, tools
from mailboxes.backup.alone import Progress, Tell
from mailboxes.backup.errors import BackupDamaged, NotEmpty, NotOurRows, RestoreFailed
from mailboxes.backup.loading import MIGRATIONS
from mailboxes.backup.sets import PUBLIC, Backup
from tenants import migrated
from tenants.schemas import between_customers
from tenants.upgrading import migrating, schemas

log = logging.getLogger(__name__)

SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')"
OF_PUBLIC = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"
BEGUN = f"SELECT obj_description(to_regclass('public.{MIGRATIONS}'), 'pg_class')"
MARK = "Gatehouse is being restored from "

Applied = frozenset[tuple[str, str]]  # migrations, as (app, name)


def require_empty(backup: Backup) -> None:
    """What an earlier attempt at the same has brought is no hindrance. Raises NotEmpty, DatabaseError."""
    others = _schemas() - {customer["schema"] for customer in backup.contents["customers"]}
    begun = _value(BEGUN) or ""
    if begun.startswith(MARK) and begun != MARK + backup.name:
        raise NotEmpty(
            f"A restore of {begun.removeprefix(MARK)} was begun in this database: repeat that one (--set), or give this one an "
            "empty database."
        )
    if others or (not begun and (_value(TABLES) or _schemas())):
        raise NotEmpty(
            "There is something in this database. Give the restore an empty one: CREATE DATABASE, and no migration."
        )


def require_known(backup: Backup) -> None:
    """That it was taken by this release or an earlier one. Raises RestoreFailed, BackupDamaged."""
    applied = _applied(backup, PUBLIC).get(schemas.PUBLIC)
    if not applied:
        raise BackupDamaged(f"{PUBLIC} has no list of migrations.")
    if later := sorted(applied - migrated.known()):
        raise RestoreFailed(
            f"{backup.name} was taken by a later release, with {'.'.join(later[-1])}. Restore it by one that is no older."
        )


def bring_database(backup: Backup, tell: Tell) -> tuple[list[dict[str, str]], list[str]]:
    """Which customers did not come, with why, and which tables stay out that no release has made.

    Raises RestoreFailed, BackupDamaged, PlaceFailed, DatabaseError: then the same call goes on where it stood.
    """
    customers = backup.contents["customers"]
    progress = Progress("loading the database", len(customers))
    not_brought: list[dict[str, str]] = []
    not_ours: list[str] = []
    if not _value(BEGUN):
        _make_public(backup)
    for part, group in groupby(customers, lambda customer: customer["part"]):
        slugs = {customer["schema"]: customer["slug"] for customer in group}
        wanted = slugs.keys() - _schemas()
        progress.customers_done += len(slugs) - len(wanted)
        for schema, trouble, strange in _bring_customers(backup, part, wanted):
            not_ours += [f"{schema}.{table}" for table in strange]
            if trouble:
                log.error("%s is not restored: %s", schema, trouble)
                not_brought.append({"customer": slugs[schema], "why": trouble})
            progress.customers_done += 1
            tell(progress)
    if customers and len(not_brought) == len(customers):
        raise RestoreFailed(f"No customer's rows are Gatehouse's: {not_brought[0]['why']}")
    not_ours += [f"{schemas.PUBLIC}.{table}" for table in _fill_public(backup)]
    return not_brought, not_ours


def _make_public(backup: Backup) -> None:
    """Its tables, without a row."""
    applied = _applied(backup, PUBLIC)[schemas.PUBLIC]
    with loading.transaction(), connection.cursor() as cursor:
        migrating.make(schemas.PUBLIC, applied)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(OF_PUBLIC)
        for (name,) in cursor.fetchall():
            table = sql.Identifier(schemas.PUBLIC, name)
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table))
            if cursor.fetchone()[0]:  # the backup has what migrations write
                cursor.execute(sql.SQL("DELETE FROM {}").format(table))
        _mark(cursor, MARK + backup.name)


def _fill_public(backup: Backup) -> list[str]:
    sequences: list[rows.Sequence] = []
    with loading.transaction(), connection.cursor() as cursor:
        tables = rows.tables(tools.read(backup.part(PUBLIC), schemas.PUBLIC), sequences)
        try:
            not_ours = loading.fill(tables, schemas.PUBLIC, lambda name: _as_it_is)
        except psycopg.Error as error:
            raise RestoreFailed(f"The rows of {PUBLIC} do not fit: {tools.first_line(error)}") from error
        # A number that was given out means somebody, in the trail too, and does not come again.
        for one in sequences:
            cursor.execute(
                "SELECT setval(to_regclass(%s), %s, %s)",
                [f'{schemas.PUBLIC}."{one.name}"', one.last, one.is_given],
            )
        _mark(cursor, None)
    return not_ours


def _bring_customers(
    backup: Backup, part: str, wanted: Collection[str]
) -> Iterator[tuple[str, str, list[str]]]:
    """Each schema, why it did not come, and which of its tables stay out."""
    if not wanted:
        return
    applied, there = _applied(backup, part), set()
    script = rows.tables(tools.read(backup.part(part)))
    for schema, tables in groupby(script, lambda table: table.schema):
        if schema in wanted:
            there.add(schema)
            yield schema, *_bring_customer(schema, applied.get(schema, frozenset()), tables)
            between_customers()
    for schema in sorted(set(wanted) - there):
        yield schema, f"{part} does not have it", []


def _bring_customer(schema: str, applied: Applied, tables: Iterator[rows.Table]) -> tuple[str, list[str]]:
    if not applied or applied - migrated.known():
        return "its list of migrations is no release's", []
    try:
        with loading.transaction():
            migrating.make(schema, applied)
            try:
                not_ours = loading.fill(
                    tables, schema, lambda name: None if name == MIGRATIONS else _as_it_is
                )
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
                raise NotOurRows(tools.first_line(error)) from error
            if migrated.wanted() <= {f"{app}.{name}" for app, name in applied}:
                migrated.note(schema)
    except NotOurRows as error:
        return str(error), []
    return "", not_ours


def _as_it_is(row: rows.Row) -> rows.Row:
    return row


def _applied(backup: Backup, part: str) -> dict[str, Applied]:
    """By schema. Empty, where the list is none."""
    return {
        table.schema: frozenset((row.get("app", ""), row.get("name", "")) for row in table.rows)
        for table in rows.tables(tools.read(backup.part(part), "", MIGRATIONS))
    }


def _mark(cursor: Any, words: str | None) -> None:
    table = sql.Identifier(schemas.PUBLIC, MIGRATIONS)
    cursor.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(table, sql.Literal(words)))


def _schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS)
        return {name for (name,) in cursor.fetchall()}


def _value(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
