"""The database of an installation comes back: rows from a backup, in tables that this release's migrations make anew.

Nothing that a dump says is run. Whoever had the application's role in hand may have planted functions, indexes over them and
checks in customers' schemas, and anybody can seal a dump to the public key who writes to the place of the backups; a restore
works as the owner of all tables.

`public` is made first, for customers' migrations look there, and filled last. Until then its list of migrations is empty, so
no process takes it for an installation, and says by a comment which backup is being brought. Each customer comes in a
transaction of its own. What is wrong with one customer's rows, which are the application's to write, keeps nobody else
away, nor people and trail: it stays out and is named.
"""

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import psycopg
from django.db import DatabaseError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from accounts.actors import Actor
from mailboxes.backup import judging, loading, rows, tools
from mailboxes.backup.alone import Progress, Tell
from mailboxes.backup.errors import BackupDamaged, NotEmpty, NotOurRows, RestoreFailed
from mailboxes.backup.loading import MIGRATIONS, LeftOut
from mailboxes.backup.sets import PUBLIC_DUMP, Backup
from tenants import audit, migrated
from tenants.away import is_away
from tenants.models import Customer
from tenants.schemas import between_customers
from tenants.upgrading import migrating
from tenants.upgrading.schemas import PUBLIC

log = logging.getLogger(__name__)

SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
# Functions and types, too; but what an extension of the server's brings along.
IN_PUBLIC = """
SELECT count(*) FROM pg_depend d WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'public'::regnamespace
    AND deptype = 'n' AND NOT EXISTS (
        SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
"""
OURS = """
SELECT nspname, substr(said, length(%(ours)s) + 1) FROM pg_namespace, obj_description(oid, 'pg_namespace') AS said
WHERE starts_with(said, %(ours)s) AND pg_get_userbyid(nspowner) = current_user
"""
BROUGHT = "Restored from "
TRAIL = "tenants_auditevent"
# Without these nobody gets in, no host and no mailbox is known, and nobody knows what was done. Others come back empty rather
# than keep an installation away: what somebody has written to the administration's log, or to sessions, say.
NEEDED = {
    "accounts_user",
    "tenants_provider",
    "tenants_customer",
    "tenants_domain",
    "tenants_membership",
    "tenants_directoryentry",
    TRAIL,
}
# Each act writes a line into the trail. Until all is there a trigger refuses any line, and so no act is done.
REFUSE_ACTS = (
    """CREATE FUNCTION public.being_restored() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN RAISE EXCEPTION 'a restore of this database was begun, and has not ended'; END $$""",
    f"CREATE TRIGGER being_restored BEFORE INSERT ON public.{TRAIL} FOR EACH STATEMENT EXECUTE FUNCTION public.being_restored()",
)
TAKES_ACTS = f"""
SELECT to_regclass('public.{TRAIL}') IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_trigger WHERE tgname = 'being_restored' AND tgrelid = to_regclass('public.{TRAIL}'))
"""  # noqa: S608 - a constant
TAKE_ACTS_AGAIN = (f"DROP TRIGGER being_restored ON public.{TRAIL}", "DROP FUNCTION public.being_restored()")
# Each line comes back with the number that it had. An earlier release's migrations make no such trigger.
GIVES_NUMBERS = f"""
SELECT tgname FROM pg_trigger WHERE tgname = 'tenants_audit_next_number' AND tgrelid = to_regclass('public.{TRAIL}')
"""  # noqa: S608 - a constant
# What its table took before a release asked for more, which is NOT VALID so that it stays: none of it is to be lost here.
NOT_FOR_ALL_ROWS = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype = 'c' AND NOT convalidated ORDER BY 1, 2
"""
OF_PUBLIC = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"
ROLE = """
SELECT current_user, pg_get_userbyid(datdba),
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND pg_get_userbyid(datdba) <> current_user
        OR NOT pg_has_role(datdba, 'USAGE') OR NOT has_schema_privilege('public', 'CREATE')
FROM pg_database WHERE datname = current_database()
"""
MESSAGES = """
SELECT count(*) FROM {schema}.mailboxes_message message
JOIN {schema}.mailboxes_mailboxkey key ON key.id = message.key_id WHERE key.state <> 'destroyed'
"""

Applied = frozenset[tuple[str, str]]  # migrations, as (app, name)


@dataclass
class Rebuilt:
    """What did not come: customers, with why; tables that no release has made, and how many of these were customers'; and, by
    customer, how many messages of the backup no row names, and how many mailboxes no password opens.
    """

    not_brought: list[dict[str, str]] = field(default_factory=list)
    not_ours: list[str] = field(default_factory=list)
    strange: int = 0
    without_rows: dict[str, int] = field(default_factory=dict)
    without_locks: dict[str, int] = field(default_factory=dict)
    rows_left_out: dict[str, LeftOut] = field(default_factory=dict)  # by table of public


def require_role() -> None:
    """What is restored belongs to whoever does it. Raises RestoreFailed, DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(ROLE)
        role, owner, is_another = cursor.fetchone()
    if is_another:
        raise RestoreFailed(
            f"All that is restored belongs to the role in DATABASE_URL, {role}. Restore as the owner of the database, {owner} "
            "(docs/operations.md)."
        )


def require_empty(backup: Backup) -> None:
    """What an earlier attempt at the same has brought is no hindrance. Raises NotEmpty, RestoreFailed, DatabaseError."""
    if _value("SHOW server_encoding") == "SQL_ASCII":  # whose texts are octets, which nobody can convert
        raise RestoreFailed(
            "This database has the encoding SQL_ASCII, in which Gatehouse does not work. Make one with ENCODING 'UTF8' "
            "TEMPLATE template0."
        )
    begun, made = migrated.restored_from()
    if begun and begun != backup.name:
        raise NotEmpty(
            f"A restore of {begun} was begun in this database: repeat that one (--set), or give this one an empty database."
        )
    there = _schemas()
    if begun and there == _brought(backup).keys():
        looked_at = [name for name in _tables_of_public() if made or name == TRAIL]
        if used := [name for name in looked_at if _has_rows(name)]:
            raise NotEmpty(
                f"Somebody has worked in this database since the restore was begun: something is in {used[0]}. Give it an empty "
                "database."
            )
        return
    if there or _value(IN_PUBLIC):
        raise NotEmpty(
            "There is something in this database. Give the restore an empty one: CREATE DATABASE, and no migration."
        )


def require_known(backup: Backup) -> None:
    """That it was taken by this release or an earlier one. Raises RestoreFailed, BackupDamaged."""
    applied = _applied(backup, PUBLIC_DUMP).get(PUBLIC)
    if not applied:
        raise BackupDamaged(f"{PUBLIC_DUMP} has no list of migrations.")
    if later := migrated.later(applied):
        raise RestoreFailed(
            f"{backup.name} was taken by a later release, with {later[-1]}. Restore it by one that is no older."
        )


def bring_database(backup: Backup, messages: Mapping[str, int], tell: Tell, by: Actor) -> Rebuilt:
    """`messages` is how many the backup's index has, by customer's id.

    Raises NotEmpty, RestoreFailed, BackupDamaged, PlaceFailed, DatabaseError: then the same call goes on where it stood.
    """
    customers = backup.contents["customers"]
    progress = Progress("loading the database", len(customers))
    done = Rebuilt([{"customer": one["customer"], "why": one["why"]} for one in backup.contents["wrong"]])
    require_empty(backup)  # mail was copied for hours
    if not migrated.restored_from()[1]:
        _make_public(backup)
    for part, group in groupby(customers, lambda customer: customer["part"]):
        slugs = {customer["schema"]: customer["slug"] for customer in group}
        wanted = slugs.keys() - _brought(backup).keys()
        progress.customers_done += len(slugs) - len(wanted)
        for schema, trouble in _bring_customers(backup, part, wanted):
            if trouble:
                log.error("%s is not restored: %s", schema, trouble)
                done.not_brought.append({"customer": slugs[schema], "why": trouble})
            progress.customers_done += 1
            tell(progress)
    # What an attempt has brought that was broken off is not read again, and has as much beside it.
    for schema, strange in sorted(_brought(backup).items()):
        done.not_ours += [f"{schema}.{table}" for table in strange]
    done.strange = len(done.not_ours)
    done.without_rows, done.without_locks = _without_rows_or_locks(backup, messages)
    tell(progress)  # and nobody else has begun meanwhile
    strange, done.rows_left_out = _fill_public(backup, by)
    done.not_ours += [f"{PUBLIC}.{table}" for table in strange]
    return done


def _make_public(backup: Backup) -> None:
    """Its tables, without a row."""
    applied = _applied(backup, PUBLIC_DUMP)[PUBLIC]
    with loading.lasting():
        MigrationRecorder(connection).ensure_schema()
        migrated.note_restore(backup.name, made=False)
    try:
        migrating.make_public(applied, _refuse_acts)
    except (ValueError, LookupError) as error:
        raise RestoreFailed(f"The list of migrations in {PUBLIC_DUMP} lacks some: {error}") from error
    _refuse_acts()  # for who was killed after the last migration and before this
    with loading.lasting(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for name in _tables_of_public():
            if _has_rows(name):  # the backup has what migrations write
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(PUBLIC, name)))
        migrated.note_restore(backup.name, made=True)


def _refuse_acts() -> None:
    """From here on, if there is a trail and it does not do so."""
    if not _value(TAKES_ACTS):
        return
    with loading.lasting(), connection.cursor() as cursor:
        for statement in REFUSE_ACTS:
            cursor.execute(statement)


def _fill_public(backup: Backup, by: Actor) -> tuple[list[str], dict[str, LeftOut]]:
    """Which of its tables and columns no release has made, and which rows stay out."""
    sequences: list[rows.Sequence] = []
    with loading.lasting(), connection.cursor() as cursor:
        for statement in TAKE_ACTS_AGAIN:
            cursor.execute(statement)
        cursor.execute(NOT_FOR_ALL_ROWS)
        for_new_ones = cursor.fetchall()
        for table, name, _ in for_new_ones:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        cursor.execute(GIVES_NUMBERS)
        triggers = [name for (name,) in cursor.fetchall()]
        for name in triggers:
            cursor.execute(f"ALTER TABLE public.{TRAIL} DISABLE TRIGGER {name}")
        # Of what the application may write one line must not keep all the others away.
        tables = rows.tables(tools.read(backup.part(PUBLIC_DUMP), PUBLIC), sequences)
        try:
            not_ours, left_out = loading.fill_what_fits(tables, PUBLIC, NEEDED)
        except (psycopg.Error, DatabaseError) as error:
            if is_away(error):
                raise
            raise RestoreFailed(f"The rows of {PUBLIC_DUMP} do not fit: {tools.first_line(error)}") from error
        for table, name, definition in for_new_ones:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
        for name in triggers:
            cursor.execute(f"ALTER TABLE public.{TRAIL} ENABLE TRIGGER {name}")
        # A number that was given out means somebody, in the trail too, and does not come again.
        for one in sequences:
            cursor.execute(
                "SELECT setval(to_regclass(%s), %s, %s)",
                [f'{PUBLIC}."{one.name}"', one.last, one.is_given],
            )
        _record(backup, by)
        migrated.note_restore("", made=True)
    return not_ours, left_out


def _record(backup: Backup, by: Actor) -> None:
    """Each customer's people read since when there is nothing of theirs; of who did not come there is nothing to say."""
    data = {"set": backup.name, "backup_at": backup.manifest["made_at"]}
    customers = Customer.objects.filter(schema_name__in=_brought(backup)).order_by("pk")
    for customer in customers.only("pk", "slug", "name", "provider_id"):
        try:
            with transaction.atomic():
                audit.record("customer.restored", by=by, customer=customer, target=customer, data=data)
        except DatabaseError as error:  # an earlier release's trail has other columns
            if is_away(error):
                raise
            log.warning(
                "the trail of %s has no line of this restore: %s", customer.slug, tools.first_line(error)
            )


def _bring_customers(backup: Backup, part: str, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each schema, and why it did not come."""
    if not wanted:
        return
    applied, left = _applied(backup, part), set(wanted)
    script = rows.tables(tools.read(backup.part(part)))
    for schema, tables in groupby(script, lambda table: table.schema):
        if schema in left:
            left.remove(schema)
            yield schema, _bring_customer(backup, schema, applied.get(schema, frozenset()), tables)
            between_customers()
        elif schema in wanted:
            raise BackupDamaged(f"{part} has {schema} in two places.")
    for schema in sorted(left):
        yield schema, f"{part} does not have it"


def _bring_customer(backup: Backup, schema: str, applied: Applied, tables: Iterator[rows.Table]) -> str:
    """Why it did not come. Which of its tables and columns stayed out is noted with it."""
    if not applied:
        return "it has no list of migrations"
    if later := migrated.later(applied):
        return f"it is of a later release, with {later[-1]}"
    try:
        with loading.lasting():
            migrating.make(schema, applied)
            not_ours, filled = loading.fill(
                tables, schema, lambda name: None if name == MIGRATIONS else _as_it_is
            )
            loading.begin_behind(filled, schema)
            if migrated.wanted() <= {f"{app}.{name}" for app, name in applied}:
                migrated.note(schema)
            with connection.cursor() as cursor:
                comment = sql.SQL("COMMENT ON SCHEMA {} IS {}")
                words = _noted(backup) + json.dumps(not_ours)
                cursor.execute(comment.format(sql.Identifier(schema), sql.Literal(words)))
    except (psycopg.Error, DatabaseError, ValueError, LookupError, NotOurRows) as error:
        if is_away(error):
            raise
        return tools.first_line(error)
    return ""


def _without_rows_or_locks(
    backup: Backup, messages: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """By customer, how many of its messages no row names, and how many of its mailboxes no password opens: nobody would ever
    read these.
    """
    found: dict[str, int] = {}
    locked: dict[str, int] = {}
    there = _brought(backup)
    for customer in backup.contents["customers"]:
        if customer["schema"] not in there:
            continue
        schema = sql.Identifier(customer["schema"])
        with loading.lasting():  # which counts for as long as it takes
            named = _value(sql.SQL(MESSAGES).format(schema=schema))
            if closed := loading.without_locks(customer["schema"]):
                locked[customer["slug"]] = closed
        lost = sum(name.startswith(f"{customer['id']}/") for name in backup.contents["missing"])
        if (more := messages.get(customer["id"], 0) + lost - named) > 0:
            found[customer["slug"]] = more
        between_customers()
    return found, locked


def _as_it_is(row: rows.Row) -> rows.Row:
    return row


def _applied(backup: Backup, part: str) -> dict[str, Applied]:
    """By schema; nothing where the list is none."""
    found = {}
    for table in rows.tables(tools.read(backup.part(part), "", MIGRATIONS)):
        try:
            found[table.schema] = loading.migrations_in(table)
        except NotOurRows:
            found[table.schema] = frozenset()
    return found


def _tables_of_public() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(OF_PUBLIC)
        return [name for (name,) in cursor.fetchall()]


def _has_rows(name: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(PUBLIC, name))
    return bool(_value(query))


def _brought(backup: Backup) -> dict[str, list[str]]:
    """By this restore, and by us: somebody else may have made a schema of that name meanwhile. And what of each stayed out,
    for no release has made it.
    """
    with connection.cursor() as cursor:
        cursor.execute(OURS, {"ours": _noted(backup)})
        return {name: judging.json_of(strange) or [] for name, strange in cursor.fetchall()}


def _noted(backup: Backup) -> str:
    """How the comment begins on what comes from this one. Behind it stands JSON."""
    return f"{BROUGHT}{backup.name}: "


def _schemas() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(SCHEMAS)
        return {name for (name,) in cursor.fetchall()}


def _value(query: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
