"""Rows go from a dump into a schema that was made for them; of one customer: which stay out, and what of the others changes."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection
from psycopg import sql

from mailboxes.backup import judging, rows
from mailboxes.backup.errors import BackupDamaged, NotOurRows
from mailboxes.backup.renaming import Ids
from mailboxes.backup.rows import Row, Table
from mailboxes.transactions import on_disk

APP = "mailboxes"
MIGRATIONS = "django_migrations"
# Whoever may write there, writes what and as much as they like: no list of a release's comes near this.
MIGRATIONS_AT_MOST = 10_000
# Sessions of archivers, and what was refused to somebody: of another time, and of another address.
LEFT_BEHIND = {"mailboxes_maildroplock", "mailboxes_signinrefusal"}
MOST_SERIALS = 2**62  # of ids that a database gives: as many are left
OVER = "done"  # of a job
REMOVALS = ("deletion", "locked-mail-deletion")  # kinds of jobs

Change = Callable[[Row], Row | None]


@contextmanager
def transaction() -> Iterator[None]:
    """One that is on the disk at its end, and may last as long as it likes."""
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
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", [schema]
        )
        known = {name for (name,) in cursor.fetchall()}
        # Tables come in the order of their names. Migrations that have just made the schema may have asked for the rest.
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for table in tables:
            if table.name not in known:
                not_ours.append(table.name)
                continue
            if (change := change_of(table.name)) is None:
                continue
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(schema, table.name),
                sql.SQL(", ").join(map(sql.Identifier, table.columns)),
            )
            with cursor.copy(into) as copy:
                for row in table.rows:
                    try:
                        changed = change(row)
                    except (KeyError, ValueError):
                        raise NotOurRows(f"{table.name} has a row that is none.") from None
                    if changed:
                        copy.write(rows.encoded(changed))
            if "id" in table.columns:
                filled.append(table.name)
        # Now, for a migration can't change a table about which there are questions.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return not_ours, filled


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
