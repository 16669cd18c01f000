"""Whether what a backup is about to write could be brought back: asked of the database's catalogs, customer by customer,
before it is dumped. What is wrong with one customer keeps nobody else from being saved.

A restore puts rows into tables that migrations make, so all that counts is which tables and columns there are, and which
migrations the schema says it has.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, LiteralString, NamedTuple

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import AutoField
from django_tenants.utils import app_labels
from psycopg import sql

from mailboxes.backup import constraints, judging, rows, tools
from mailboxes.backup.judging import ADDRESS, PAIR, SCHEMA
from mailboxes.backup.loading import MIGRATIONS, MIGRATIONS_AT_MOST, MOST_SERIALS
from mailboxes.models import Mailbox, MailboxKey
from tenants import migrated
from tenants.away import is_away
from tenants.upgrading.schemas import PUBLIC
from tenants.whose import may_all

PLAIN = "r"
# Tables of which an index, a statistic, a default or a constraint calls what is not PostgreSQL's own (whose oids begin at 16384).
# Whoever only plans a question about such a table may run it: it could end everybody's backup, or have the look see nothing.
CALLING: LiteralString = """
SELECT calling.relation FROM pg_depend d CROSS JOIN LATERAL (
    SELECT indrelid FROM pg_index WHERE d.classid = 'pg_class'::regclass AND indexrelid = d.objid
    UNION ALL SELECT stxrelid FROM pg_statistic_ext WHERE d.classid = 'pg_statistic_ext'::regclass AND oid = d.objid
    UNION ALL SELECT adrelid FROM pg_attrdef WHERE d.classid = 'pg_attrdef'::regclass AND oid = d.objid
    UNION ALL SELECT conrelid FROM pg_constraint WHERE d.classid = 'pg_constraint'::regclass AND oid = d.objid
) AS calling(relation)
WHERE d.refobjid >= 16384
    AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass)
"""
# Relations that have rows, or look as if they had. A child of ours may lie anywhere.
RELATIONS: LiteralString = f"""
SELECT n.nspname::text, c.relname::text, c.relkind::text,
    {may_all("n.nspowner")}, {may_all("c.relowner")},
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'), c.relkind IN ('r', 'p') AND row_security_active(c.oid),
    (SELECT coalesce(json_object_agg(attname, format_type(atttypid, atttypmod)), '{{}}') FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    ARRAY(
        SELECT m.nspname || '.' || k.relname FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
        JOIN pg_namespace m ON m.oid = k.relnamespace WHERE i.inhparent = c.oid AND m.oid <> n.oid ORDER BY 1),
    c.oid IN ({CALLING})
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2
"""  # noqa: S608 - a constant
MOST_RELATIONS = 1000  # of a schema: a dump locks each
# What is copied early is what these say.
WITH_MESSAGES = ("mailboxes_message", "mailboxes_mailboxkey")
KINDS = {"p": "a partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}
# Whether a row is longer than so many octets. Escaped in a dump, a text takes up to twice what it has, and octets of a bytea do
# as two digits each; the rest of the room is for the other columns.
LONG = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} WHERE {octets} > %s)")
MOST_OCTETS = rows.LINE_OCTETS // 4
LONGER = "it is too long"
DUMP_OCTETS = 500_000_000  # a dump takes a row of 1 GB, in which each may be two
# A text is measured only where it takes more than a thousand octets as it is stored: below that, compressed as it may be, it
# has less than a quarter of a million. JSON has no such bound (a number of a hundred thousand digits is stored in a few
# octets), and only as a text that is read again does it show whether the server reads what it writes.
OCTETS = {
    "text": sql.SQL("CASE WHEN pg_column_size({0}) > 1000 THEN octet_length({0}) ELSE 0 END"),
    "bytea": sql.SQL("CASE WHEN pg_column_size({0}) > 1000 THEN octet_length({0}) ELSE 0 END"),
    "jsonb": sql.SQL("coalesce(octet_length({0}::text::jsonb::text), 0)"),
}
AS_WRITTEN = OCTETS | {"jsonb": sql.SQL("coalesce(octet_length({0}::text), 0)")}
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
# What keeps one customer from being brought back alone (judging.require_mailbox and require_key, and who looks at them). A
# thousand pairs have 74,000 letters; PostgreSQL counts no further than 255 repetitions.
REFUSED = sql.SQL("""
SELECT what, count(*) FROM (
    SELECT CASE WHEN (address ~ {address}) IS NOT TRUE THEN 'mailboxes without a proper address'
        WHEN (status = ANY ({statuses})) IS NOT TRUE THEN 'mailboxes without a proper status'
        WHEN status <> {deleting} AND NOT EXISTS (
            SELECT FROM ONLY {schema}.mailboxes_mailboxkey key WHERE key.mailbox_id = mailbox.id AND key.state = {current})
            THEN 'mailboxes without a current key' END
    FROM ONLY {schema}.mailboxes_mailbox mailbox
    UNION ALL
    SELECT CASE WHEN (id > 0 AND state = ANY ({states}) AND {names_before}) IS NOT TRUE THEN 'keys that no release has written' END
    FROM ONLY {schema}.mailboxes_mailboxkey
    UNION ALL
    SELECT CASE WHEN starts_with(blob, replace(customer.id || '/' || message.mailbox_id || '/', '-', '')) IS NOT TRUE
        THEN 'messages whose names are of another mailbox' END
    FROM ONLY {schema}.mailboxes_message message JOIN ONLY {schema}.mailboxes_mailboxkey key ON key.id = message.key_id
    JOIN public.tenants_customer customer ON customer.schema_name = {name}
    WHERE key.state <> {destroyed}
) AS found(what) WHERE what IS NOT NULL GROUP BY what ORDER BY what
""")
NAMES_BEFORE = sql.SQL(
    "CASE WHEN octet_length(sealed_as::text) <= 74000 THEN sealed_as::text ~ {} ELSE false END"
).format(rf"^\[({PAIR}(, {PAIR})*)?\]$")
# A reference holds for what was seen when it was made: row level security may have hidden rows that refer to nothing.
TO_NOTHING = sql.SQL(
    "CASE WHEN EXISTS (SELECT FROM ONLY {} c WHERE c.{column} IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM ONLY {} p WHERE p.{} = c.{column})) THEN {said} END"
)
WITHOUT_LOCK = sql.SQL(f"CASE WHEN EXISTS (SELECT {judging.UNOPENED}) THEN {{said}} END")
# As loading.begin_behind puts the sequence behind the last of them.
NO_IDS = sql.SQL("CASE WHEN (SELECT max(id) NOT BETWEEN 1 AND {most} FROM ONLY {}) THEN {said} END")
Columns = dict[str, dict[str, str]]  # their types, by table and name
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
    calls_what_is_strange: bool


@dataclass
class Found:
    """By schema: why it can't be saved; and of those that can, what of it no restore brings."""

    broken: dict[str, str] = field(default_factory=dict)
    not_ours: list[str] = field(default_factory=list)  # tables and columns that no release has made
    wrong: list[str] = field(default_factory=list)  # what keeps rows of ours from coming back
    tables: dict[str, list[str]] = field(default_factory=dict)  # that a schema with its migrations has


def customers(reader: "psycopg.Connection[Any]", names: Collection[str]) -> Found:
    """In the reader's transaction; of schemas that are there. Raises psycopg.Error where the server is to blame."""
    found, labels = Found(), app_labels(settings.TENANT_APPS)
    as_made = cache(constraints.as_made)
    by_schema = _relations(reader, names)
    for name in set(names) - by_schema.keys():
        found.broken[name] = "the name of its schema is none of a customer's"
    digests, untold = constraints.digests(reader, list(by_schema))
    for schema, relations in by_schema.items():
        if trouble := _unreadable(relations):
            found.broken[schema] = trouble
            continue
        if trouble := untold.get(schema, ""):
            found.broken[schema] = f"nobody can say what its tables take: {trouble}"
            continue
        tools.settle(reader)  # an index of the one before may have functions
        try:
            with reader.transaction():
                lines = _lines(reader, schema)
        except psycopg.Error as error:
            if is_away(error):
                raise
            found.broken[schema] = f"its list of migrations can't be read: {tools.first_line(error)}"
            continue
        if trouble := trouble_with(lines, labels):
            found.wrong.append(f"{schema}: its list of migrations {trouble}")
            continue
        applied = frozenset(lines)
        known = tables_of(applied)
        found.tables[schema] = sorted(known)
        _compare(schema, relations, known, found)
        if schema not in found.broken:
            if trouble := _lacks(reader, schema):
                found.wrong.append(f"{schema}: {trouble}")
            # Of other apps a schema has no tables, whatever its list says of them.
            ours = frozenset(key for key in migrated.known() if key[0] not in labels or key in applied)
            different = constraints.unlike(reader, schema, partial(as_made, ours), digests.get(schema))
            found.wrong += [f"{schema}: {what}" for what in different]
            found.wrong += [f"{schema}: {what}" for what in _in_the_air(reader, schema, applied)]
            long, no_dump_takes = _too_long(reader, schema, known, relations)
            # Rows that nobody reads are not looked into.
            found.wrong += long or ([] if no_dump_takes else _refused(reader, schema, known))
            if no_dump_takes:
                found.broken[schema] = no_dump_takes[0]
    return found


def readable(reader: "psycopg.Connection[Any]", names: Collection[str]) -> set[str]:
    """Of these schemas, in the reader's transaction, those whose messages are in plain tables, and whoever reads them runs
    nothing that is another's. Raises psycopg.Error.
    """
    return {
        schema
        for schema, relations in _relations(reader, names).items()
        if not _unreadable(relations)
        and all(name in relations and relations[name].kind == PLAIN for name in WITH_MESSAGES)
    }


def _relations(reader: "psycopg.Connection[Any]", names: Collection[str]) -> dict[str, dict[str, Relation]]:
    """Of schemas whose name may be a customer's."""
    found: dict[str, dict[str, Relation]] = {name: {} for name in names if SCHEMA.fullmatch(name)}
    for row in reader.execute(RELATIONS, [list(found)]):
        relation = Relation(*row)
        found[relation.schema][relation.name] = relation
    return found


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
        # The editor makes tables between two by itself.
        models = [model for model in _models(frozenset(lines), shared=True) if not model._meta.auto_created]
        make = partial(constraints.as_models_ask, [MigrationRecorder.Migration, *models])
        # What they refuse beyond that is their owner's affair.
        lacking = constraints.unlike(reader, PUBLIC, make, lacking_only=True)
        found.wrong += [f"{PUBLIC}: {what}" for what in lacking]
        long, no_dump_takes = _too_long(reader, PUBLIC, known, relations)
        found.wrong += long + no_dump_takes
    return broken + strange + found.wrong


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
        if is_away(error):
            raise
        return f"its mailboxes can't be compared with the directory: {tools.first_line(error)}"
    if not row or not row[0]:
        return ""
    return f"{row[0]} of the mailboxes that the directory has {'is' if row[0] == 1 else 'are'} not there"


def _refused(reader: "psycopg.Connection[Any]", schema: str, known: Columns) -> list[str]:
    """What of its mailboxes, keys and messages nobody brings back who brings this customer alone."""
    query = REFUSED.format(
        schema=sql.Identifier(schema),
        address=f"^({ADDRESS.pattern})$",
        statuses=list(Mailbox.Status.values),
        deleting=Mailbox.Status.DELETING.value,
        states=list(MailboxKey.State.values),
        current=MailboxKey.State.CURRENT.value,
        destroyed=MailboxKey.State.DESTROYED.value,
        name=schema,
        names_before=NAMES_BEFORE if "sealed_as" in known["mailboxes_mailboxkey"] else sql.SQL("true"),
    )
    try:
        with reader.transaction():
            found = reader.execute(query).fetchall()
    except psycopg.Error as error:
        if is_away(error):
            raise
        return [f"{schema}: its mailboxes can't be looked at: {tools.first_line(error)}"]
    return [
        f"{schema}: it has {what} ({number}), with which restore --customer would refuse it"
        for what, number in found
    ]


def _in_the_air(reader: "psycopg.Connection[Any]", schema: str, applied: Migrations) -> list[str]:
    """Rows that refer to nothing, and ids, which no restore takes; and keys that nobody opens."""
    each = [
        TO_NOTHING.format(
            sql.Identifier(schema, table),
            sql.Identifier(schema, referred),
            sql.Identifier(key),
            column=sql.Identifier(column),
            said=sql.Literal(f"rows of {table} refer to nothing by {column}"),
        )
        for table, column, referred, key in _references(applied)
    ]
    each += [
        NO_IDS.format(
            sql.Identifier(schema, table),
            most=sql.Literal(MOST_SERIALS),
            said=sql.Literal(f"rows of {table} have ids that no restore takes"),
        )
        for table in _with_serials(applied)
    ]
    said = sql.Literal("no password opens a key of a mailbox")
    each.append(WITHOUT_LOCK.format(schema=sql.Identifier(schema), said=said))
    query = sql.SQL("SELECT array_remove(ARRAY[{}]::text[], NULL)").format(sql.SQL(", ").join(each))
    try:
        with reader.transaction():
            row = reader.execute(query).fetchone()
    except psycopg.Error as error:
        if is_away(error):
            raise
        return [f"what its rows refer to can't be asked: {tools.first_line(error)}"]
    return list(row[0]) if row else []


@cache
def _references(applied: Migrations) -> list[tuple[str, str, str, str]]:
    """Table and column, and those that it refers to, in a schema with these migrations."""
    known = tables_of(applied)
    return [
        (model._meta.db_table, field.column, table, field.target_field.column)
        for model in _models(applied, shared=False)
        for field in model._meta.local_concrete_fields
        if field.remote_field and (table := field.remote_field.model._meta.db_table) in known
    ]


@cache
def _with_serials(applied: Migrations) -> list[str]:
    """Tables whose ids a database gives."""
    return [
        model._meta.db_table
        for model in _models(applied, shared=False)
        if isinstance(model._meta.pk, AutoField)
    ]


@cache
def _loader() -> MigrationLoader:
    return MigrationLoader(None)


def _parents(key: tuple[str, str]) -> set[tuple[str, str]]:
    return {parent.key for parent in _loader().graph.node_map[key].parents}


@cache
def tables_of(applied: Migrations, *, shared: bool = False) -> Columns:
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


def _type_of(field: Any) -> str:
    """As PostgreSQL writes it."""
    kind = str(field.db_type(connection))
    for short, long in KINDS_OF_TYPES:
        if kind.startswith(short):
            return kind.replace(short, long, 1)
    return kind


def _unreadable(relations: dict[str, Relation]) -> str:
    """Why these can't be dumped, or run what is another's."""
    if len(relations) > MOST_RELATIONS:
        return f"it has more than {MOST_RELATIONS} tables and views"
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
        if relation.calls_what_is_strange and relation.schema != PUBLIC:  # whose owner is nobody's to doubt
            return f"an index, a check or the like of {relation.name} calls a function that is not PostgreSQL's own"
    return ""


def _compare(schema: str, relations: dict[str, Relation], known: Columns, found: Found) -> None:
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
            # Of a table between two of `public`, Django's models don't know which the migration has made.
            elif wanted != kind and not (schema == PUBLIC and {wanted, kind} == {"integer", "bigint"}):
                found.wrong.append(f"{schema}.{name}.{column} is of the type {kind}, not {wanted}")
    found.not_ours += [f"{schema}.{name}" for name in relations if name not in known]


def _too_long(
    reader: "psycopg.Connection[Any]", schema: str, known: Columns, relations: dict[str, Relation]
) -> tuple[list[str], list[str]]:
    """Tables with a row that no restore reads: it takes no line of more than rows.LINE_OCTETS, and no JSON that the server
    does not read again. And those with a row that no dump takes.
    """
    found, no_dump_takes = [], []
    for name, columns in known.items():
        measured = [
            (column, kind)
            for column, kind in columns.items()
            if kind in OCTETS and relations[name].columns.get(column) == kind
        ]
        table = sql.Identifier(schema, name)
        if not measured or not (trouble := _longer(reader, table, measured, OCTETS, MOST_OCTETS)):
            continue
        if why := _longer(reader, table, measured, AS_WRITTEN, DUMP_OCTETS):
            no_dump_takes.append(f"{schema}.{name} has a row that no dump takes: {why}")
        elif trouble == LONGER:
            found.append(f"{schema}.{name} has a row that is too long for a restore")
        else:
            found.append(f"{schema}.{name} has a row that can't be read: {trouble}")
    return found, no_dump_takes


def _longer(
    reader: "psycopg.Connection[Any]",
    table: sql.Identifier,
    columns: Iterable[tuple[str, str]],
    octets: dict[str, sql.SQL],
    most: int,
) -> str:
    """LONGER where a row of the table is longer, or else why that can't be said; nothing if none is."""
    each = [octets[kind].format(sql.Identifier(column)) for column, kind in columns]
    query = LONG.format(table, octets=sql.SQL("::bigint + ").join(each))
    try:
        with reader.transaction():
            row = reader.execute(query, [most]).fetchone()
    except psycopg.Error as error:
        if is_away(error):
            raise
        return tools.first_line(error)
    return LONGER if row and row[0] else ""
