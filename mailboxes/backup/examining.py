"""Whether what a backup is about to write could be brought back: asked of the database's catalogs, customer by customer,
before it is dumped. What is wrong with one customer keeps nobody else from being saved.

A restore puts rows into tables that migrations make, so all that counts is which tables and columns there are, and which
migrations the schema says it has.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from secrets import token_hex
from typing import Any, LiteralString, NamedTuple

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import app_labels
from psycopg import sql

from mailboxes.backup import constraints, rows, tools
from mailboxes.backup.judging import SCHEMA
from mailboxes.backup.loading import MIGRATIONS, MIGRATIONS_AT_MOST
from tenants import last_backup, migrated
from tenants.schemas import leave_for_public
from tenants.upgrading import migrating

PUBLIC = "public"
PLAIN = "r"
# Relations that have rows, or look as if they had. A child of ours may lie anywhere.
RELATIONS: LiteralString = """
SELECT n.nspname::text, c.relname::text, c.relkind::text,
    pg_has_role(n.nspowner, current_user, 'MEMBER'), pg_has_role(c.relowner, current_user, 'MEMBER'),
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'), c.relkind IN ('r', 'p') AND row_security_active(c.oid),
    (SELECT coalesce(json_object_agg(attname, format_type(atttypid, atttypmod)), '{}') FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    ARRAY(
        SELECT m.nspname || '.' || k.relname FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
        JOIN pg_namespace m ON m.oid = k.relnamespace WHERE i.inhparent = c.oid AND m.oid <> n.oid ORDER BY 1)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2
"""
KINDS = {"p": "a partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}
# A text that takes less than a thousand octets here has less than a quarter of a million. Of JSON that can't be said (a number
# of a hundred thousand digits is a few octets), nor that what was put together piece by piece is read in one piece.
LONG = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} WHERE {octets} > %s)")
MOST_OCTETS = rows.LINE_OCTETS // 4  # of one row; escaped, it takes up to twice that
OCTETS = {
    "text": sql.SQL("CASE WHEN pg_column_size({0}) > 1000 THEN octet_length({0}) ELSE 0 END"),
    "bytea": sql.SQL("CASE WHEN pg_column_size({0}) > 1000 THEN octet_length({0}) ELSE 0 END"),
    "jsonb": sql.SQL("coalesce(octet_length({0}::text::jsonb::text), 0)"),
}
KINDS_OF_TYPES = (("varchar(", "character varying("), ("char(", "character("))
APPLIED = sql.SQL(
    "SELECT coalesce(left(app::text, 256), ''), coalesce(left(name::text, 256), '') FROM ONLY {}.django_migrations LIMIT {}"
)
# Of a customer's mailboxes that take mail or soon will again, in the transaction that wrote the customer's own row of each.
NOT_THERE = sql.SQL("""
SELECT count(*) FROM public.tenants_directoryentry entry JOIN public.tenants_customer customer ON customer.id = entry.customer_id
WHERE customer.schema_name = %s AND entry.status IN ('active', 'suspended')
    AND NOT EXISTS (SELECT FROM ONLY {}.mailboxes_mailbox mailbox WHERE mailbox.id = entry.mailbox_id)
""")
# What a table takes: columns that may be empty or are reckoned from others, constraints, and unique indexes, of which some are no constraint's. Without
# the schema's own name where ours have it, and nowhere else: `acme.lower(name)` is no `lower(name)`.
TAKEN: LiteralString = """
SELECT n.nspname::text, c.relname::text, md5(concat_ws(E'\\n',
    (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attgenerated), E'\\n' ORDER BY attname)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    (SELECT string_agg(concat_ws(' ', conname, contype, convalidated, CASE contype
            WHEN 'f' THEN replace(pg_get_constraintdef(oid), ' REFERENCES ' || quote_ident(n.nspname) || '.', ' REFERENCES ')
            ELSE pg_get_constraintdef(oid) END), E'\\n' ORDER BY conname)
        FROM pg_constraint WHERE conrelid = c.oid AND (contype IN ('p', 'u', 'f', 'c', 'x') OR contype = 'n' AND NOT convalidated)),
    (SELECT string_agg(concat_ws(' ', indisvalid,
            replace(pg_get_indexdef(indexrelid), ' ON ' || quote_ident(n.nspname) || '.', ' ON ')), E'\\n' ORDER BY i.relname)
        FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid AND indisunique)))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY (%s) AND c.relkind = 'r'
"""

Tables = dict[str, dict[str, str]]  # the types of columns, by table and name
Migrations = frozenset[tuple[str, str]]  # applied, as (app, name)


class Relation(NamedTuple):
    """What has a name in a schema."""

    schema: str
    name: str
    kind: str
    is_in_a_schema_of_ours: bool
    is_ours_to_run: bool
    may_be_read: bool
    hides_rows: bool
    columns: dict[str, str]  # and their types
    children_elsewhere: list[str]


@dataclass
class Found:
    """By schema: why it can't be saved; and of those that can, what of it no restore brings."""

    broken: dict[str, str] = field(default_factory=dict)
    not_ours: list[str] = field(default_factory=list)  # tables and columns that no release has made
    wrong: list[str] = field(default_factory=list)  # what keeps rows of ours from coming back


def customers(reader: "psycopg.Connection[Any]", names: Collection[str]) -> Found:
    """In the reader's transaction; of schemas that are there. Raises psycopg.Error where the server is to blame."""
    found = Found()
    for name in names:
        if not SCHEMA.fullmatch(name):
            found.broken[name] = "the name of its schema is none of a customer's"
    by_schema: dict[str, dict[str, Relation]] = {name: {} for name in names if name not in found.broken}
    for row in reader.execute(RELATIONS, [list(by_schema)]):
        relation = Relation(*row)
        by_schema[relation.schema][relation.name] = relation
    taken = {(schema, name): digest for schema, name, digest in reader.execute(TAKEN, [list(by_schema)])}
    for schema, relations in by_schema.items():
        if trouble := _unreadable(relations):
            found.broken[schema] = trouble
            continue
        try:
            with reader.transaction():
                lines = _lines(reader, schema)
        except psycopg.Error as error:
            if tools.is_the_servers(error):
                raise
            found.broken[schema] = f"its list of migrations can't be read: {tools.first_line(error)}"
            continue
        if trouble := trouble_with(lines, app_labels(settings.TENANT_APPS)):
            found.wrong.append(f"{schema}: its list of migrations {trouble}")
            continue
        known = tables_of(frozenset(lines))
        _compare(schema, relations, known, found)
        if schema not in found.broken:
            if trouble := _lacks(reader, schema):
                found.wrong.append(f"{schema}: {trouble}")
            found.wrong += _unlike(schema, frozenset(lines), known, taken)
            found.wrong += _too_long(reader, schema, known, relations)
    return found


def _unlike(schema: str, applied: Migrations, known: Tables, taken: dict[tuple[str, str], str]) -> list[str]:
    """Tables that take what those of migrations would not."""
    try:
        made = as_made(applied)
    except (DatabaseError, ValueError, LookupError) as error:
        return _not_compared(schema, error)
    return [
        f"{schema}: the table {name} is not as migrations make it"
        for name in sorted(known)
        if taken.get((schema, name)) != made.get(name)
    ]


def _not_compared(schema: str, error: Exception) -> list[str]:
    if getattr(error.__cause__, "sqlstate", None) in last_backup.MAY_ONLY_READ:
        return []  # whose backups are whole all the same
    return [f"{schema}: its tables can't be compared with what migrations make: {tools.first_line(error)}"]


def what_all_share(reader: "psycopg.Connection[Any]") -> list[str]:
    """Of `public`, what keeps rows of ours from coming back. There the owner may have tables of its own."""
    lines = _lines(reader, PUBLIC)
    if trouble := trouble_with(lines):
        return [f"{PUBLIC}: the list of migrations {trouble}"]
    ours, known = tables_of(migrated.known(), shared=True), tables_of(frozenset(lines), shared=True)
    relations = {row[1]: Relation(*row) for row in reader.execute(RELATIONS, [[PUBLIC]])}
    found = Found()
    _compare(
        PUBLIC,
        {name: relation for name, relation in relations.items() if name in ours},
        known,
        found,
    )
    broken = [f"{schema}: {trouble}" for schema, trouble in found.broken.items()]
    strange = [f"{name} is of no migration that its list of migrations has" for name in found.not_ours]
    if not broken:
        found.wrong += _looser(reader, frozenset(lines), known)
        found.wrong += _too_long(reader, PUBLIC, known, relations)
    return broken + strange + found.wrong


def _looser(reader: "psycopg.Connection[Any]", applied: Migrations, known: Tables) -> list[str]:
    """Tables of `public` that take what those of migrations would not. What they refuse beyond that is their owner's affair."""
    try:
        wanted = _wanted_of_all(applied)
    except (DatabaseError, ValueError, LookupError) as error:
        return _not_compared(PUBLIC, error)
    there = constraints.there(reader, PUBLIC)
    return [
        f"{PUBLIC}: the table {name} is not as migrations make it: it lacks {min(lacking)}"
        for name in sorted(known)
        if (lacking := wanted[name] - there.get(name, set()))
    ]


@cache
def _wanted_of_all(applied: Migrations) -> constraints.Lines:
    # The editor makes tables between two by itself.
    made = [model for model in _models(applied, shared=True) if not model._meta.auto_created]
    return constraints.asked_for([MigrationRecorder.Migration, *made])


def trouble_with(lines: Collection[tuple[str, str]], labels: Collection[str] | None = None) -> str:
    """Of a list of migrations, a part of a sentence: a restore makes tables by it."""
    if not lines:
        return "is empty"
    if len(lines) > MIGRATIONS_AT_MOST:
        return f"is none, with more than {MIGRATIONS_AT_MOST} lines"
    applied = frozenset(lines)
    if later := migrated.later(applied):
        return f"is of a later release, with {later[-1]}: bring it back by one that is no older"
    for app, name in sorted(applied & migrated.known()):
        if labels is not None and app not in labels:
            continue
        for before in sorted(_parents((app, name)) - applied):
            return f"has {app}.{name} and lacks {'.'.join(before)}, which comes before"
    return ""


def _lines(reader: "psycopg.Connection[Any]", schema: str) -> list[tuple[str, str]]:
    """One more than it may have, of a list that has too many. Raises psycopg.Error."""
    return reader.execute(APPLIED.format(sql.Identifier(schema), MIGRATIONS_AT_MOST + 1)).fetchall()


def _lacks(reader: "psycopg.Connection[Any]", schema: str) -> str:
    """Where another schema stands in a lost one's place, it has all tables, and none of the mailboxes."""
    try:
        with reader.transaction():
            row = reader.execute(NOT_THERE.format(sql.Identifier(schema)), [schema]).fetchone()
    except psycopg.Error as error:
        if tools.is_the_servers(error):
            raise
        return f"its mailboxes can't be compared with the directory: {tools.first_line(error)}"
    if not row or not row[0]:
        return ""
    return f"{row[0]} of the mailboxes that the directory has {'is' if row[0] == 1 else 'are'} not there"


@cache
def _loader() -> MigrationLoader:
    return MigrationLoader(None)


def _parents(key: tuple[str, str]) -> set[tuple[str, str]]:
    return {parent.key for parent in _loader().graph.node_map[key].parents}


@cache
def tables_of(applied: Migrations, *, shared: bool = False) -> Tables:
    """The columns of each table that a schema with these migrations has, and their types."""
    found = {
        model._meta.db_table: {field.column: _type_of(field) for field in model._meta.local_concrete_fields}
        for model in _models(applied, shared=shared)
    }
    recorder = MigrationRecorder.Migration._meta
    return found | {MIGRATIONS: {field.column: _type_of(field) for field in recorder.local_concrete_fields}}


def _models(applied: Migrations, *, shared: bool) -> list[Any]:
    """That have a table of their own there."""
    labels = app_labels(settings.SHARED_APPS if shared else settings.TENANT_APPS)
    ours = {(app, name) for app, name in migrated.known() if app in labels}
    if ours <= applied:
        models: Iterable[Any] = apps.get_models(include_auto_created=True)
    else:
        state = _loader().project_state(sorted(ours & applied))
        models = state.apps.get_models(include_auto_created=True)
    return [
        model
        for model in models
        if model._meta.app_label in labels and model._meta.managed and not model._meta.proxy
    ]


def as_made(applied: Migrations) -> dict[str, str]:
    """What each table takes of a schema with these migrations, as the digest of it. Raises DatabaseError, ValueError, LookupError."""
    labels = app_labels(settings.TENANT_APPS)
    # Of the others a schema has no tables, whatever its list says of them.
    return _as_made(frozenset(key for key in migrated.known() if key[0] not in labels or key in applied))


@cache
def _as_made(applied: Migrations) -> dict[str, str]:
    """By a schema that nobody else ever sees."""
    schema = f"examined_{token_hex(8)}"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            migrating.make(schema, applied)
            cursor.execute(TAKEN, [[schema]])
            found = {name: digest for _, name, digest in cursor.fetchall()}
            transaction.set_rollback(True)
    finally:
        leave_for_public()
    return found


def _type_of(field: Any) -> str:
    """As PostgreSQL writes it."""
    kind = str(field.db_type(connection))
    for short, long in KINDS_OF_TYPES:
        if kind.startswith(short):
            return kind.replace(short, long, 1)
    return kind


def _unreadable(relations: dict[str, Relation]) -> str:
    """Why these can't be dumped, or run what is another's."""
    for relation in relations.values():
        if relation.kind not in (PLAIN, "p"):
            continue  # of which no rows are dumped
        # Whose owner may put anything else in its place, at any moment.
        if not relation.is_in_a_schema_of_ours:
            return "its schema belongs to a role that may do less than ours"
        if not relation.is_ours_to_run:
            return f"the table {relation.name} belongs to a role that may do less than ours"
        if not relation.may_be_read:
            return f"the table {relation.name} may not be read by ours"
        if relation.hides_rows:
            return f"row level security hides rows of {relation.name}"
    return ""


def _compare(schema: str, relations: dict[str, Relation], known: Tables, found: Found) -> None:
    for name, columns in sorted(known.items()):
        there = relations.get(name)
        if there is None:
            found.broken[schema] = f"the table {name} is missing"
        elif there.kind != PLAIN:
            found.broken[schema] = f"{name} is {KINDS[there.kind]} and no plain table"
        elif missing := sorted(columns.keys() - there.columns.keys()):
            found.broken[schema] = f"the table {name} lacks the column {missing[0]}"
        if schema in found.broken:
            return
    for name, columns in known.items():
        found.not_ours += relations[name].children_elsewhere
        for column, kind in relations[name].columns.items():
            if (wanted := columns.get(column)) is None:
                found.not_ours.append(f"{schema}.{name}.{column}")
            # Of a table between two, Django's models don't know which the migration has made.
            elif wanted != kind and {wanted, kind} != {"integer", "bigint"}:
                found.wrong.append(f"{schema}.{name}.{column} is of the type {kind}, not {wanted}")
    found.not_ours += [f"{schema}.{name}" for name in relations if name not in known]


def _too_long(
    reader: "psycopg.Connection[Any]", schema: str, known: Tables, relations: dict[str, Relation]
) -> list[str]:
    """Tables with a row that no restore reads: it takes no line of more than rows.LINE_OCTETS, and no JSON that the server
    does not read again.
    """
    found = []
    for name, columns in known.items():
        octets = [
            OCTETS[kind].format(sql.Identifier(column))
            for column, kind in columns.items()
            if kind in OCTETS and relations[name].columns.get(column) == kind
        ]
        if not octets:
            continue
        query = LONG.format(sql.Identifier(schema, name), octets=sql.SQL("::bigint + ").join(octets))
        try:
            with reader.transaction():
                row = reader.execute(query, [MOST_OCTETS]).fetchone()
        except psycopg.Error as error:
            if tools.is_the_servers(error):
                raise
            found.append(f"{schema}.{name} has a row that can't be read: {tools.first_line(error)}")
            continue
        if row and row[0]:
            found.append(f"{schema}.{name} has a row that is too long for a restore")
    return found
