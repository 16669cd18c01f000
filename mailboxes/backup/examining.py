"""Whether what a backup is about to write could be brought back: asked of the database's catalogs, customer by customer,
before it is dumped. What is wrong with one customer keeps nobody else from being saved.

A restore puts rows into tables that migrations make, so all that counts is which tables and columns there are, and which
migrations the schema says it has.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import psycopg
from django.conf import settings
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import app_labels
from psycopg import sql

from mailboxes.backup import asking, constraints, relations, tools
from mailboxes.backup.loading import MIGRATIONS_AT_MOST
from mailboxes.backup.relations import KINDS, PLAIN, Relation
from mailboxes.backup.tables import Columns, models_of, tables_of, trouble_with
from tenants import migrated
from tenants.upgrading.schemas import PUBLIC

APPLIED = sql.SQL(
    "SELECT coalesce(left(app::text, 256), ''), coalesce(left(name::text, 256), '') FROM ONLY {}.django_migrations LIMIT {}"
)


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
    by_schema = relations.by_schema(reader, names)
    for name in set(names) - by_schema.keys():
        found.broken[name] = "the name of its schema is none of a customer's"
    digests, untold = constraints.digests(reader, list(by_schema))
    for schema, there in by_schema.items():
        if trouble := relations.unreadable(there):
            found.broken[schema] = trouble
            continue
        if trouble := untold.get(schema, ""):
            found.broken[schema] = f"nobody can say what its tables take: {trouble}"
            continue
        tools.settle(reader)  # an index of the one before may have functions
        lines, why = asking.ask(reader, _applied_in(schema))
        if why:
            found.broken[schema] = f"its list of migrations can't be read: {why}"
            continue
        if trouble := trouble_with(lines, labels):
            found.wrong.append(f"{schema}: its list of migrations {trouble}")
            continue
        applied = frozenset(lines)
        known = tables_of(applied)
        found.tables[schema] = sorted(known)
        _compare(schema, there, known, found)
        if schema not in found.broken:
            if trouble := asking.lacks(reader, schema):
                found.wrong.append(f"{schema}: {trouble}")
            # Of other apps a schema has no tables, whatever its list says of them.
            ours = frozenset(key for key in migrated.known() if key[0] not in labels or key in applied)
            different = constraints.unlike(reader, schema, partial(as_made, ours), digests.get(schema))
            found.wrong += [f"{schema}: {what}" for what in different]
            found.wrong += [f"{schema}: {what}" for what in asking.in_the_air(reader, schema, applied)]
            long, no_dump_takes = asking.too_long(reader, schema, known, there)
            # Rows that nobody reads are not looked into.
            found.wrong += long or ([] if no_dump_takes else asking.refused(reader, schema, known))
            if no_dump_takes:
                found.broken[schema] = no_dump_takes[0]
    return found


def what_all_share(reader: "psycopg.Connection[Any]") -> list[str]:
    """Of `public`, what keeps rows of ours from coming back. There the owner may have tables of its own."""
    lines = reader.execute(_applied_in(PUBLIC)).fetchall()
    if trouble := trouble_with(lines):
        return [f"{PUBLIC}: the list of migrations {trouble}"]
    ours, known = tables_of(migrated.known(), shared=True), tables_of(frozenset(lines), shared=True)
    there = relations.by_schema(reader, [PUBLIC])[PUBLIC]
    found = Found()
    _compare(
        PUBLIC,
        {name: relation for name, relation in there.items() if name in ours},
        known,
        found,
    )
    broken = [f"{schema}: {trouble}" for schema, trouble in found.broken.items()]
    strange = [f"{name} is of no migration that its list of migrations has" for name in found.not_ours]
    if not broken:
        # The editor makes tables between two by itself.
        models = [model for model in models_of(frozenset(lines), shared=True) if not model._meta.auto_created]
        make = partial(constraints.as_models_ask, [MigrationRecorder.Migration, *models])
        # What they refuse beyond that is their owner's affair.
        lacking = constraints.unlike(reader, PUBLIC, make, lacking_only=True)
        found.wrong += [f"{PUBLIC}: {what}" for what in lacking]
        long, no_dump_takes = asking.too_long(reader, PUBLIC, known, there)
        found.wrong += long + no_dump_takes
    return broken + strange + found.wrong


def _applied_in(schema: str) -> sql.Composed:
    """One line more than it may have, of a list that has too many."""
    return APPLIED.format(sql.Identifier(schema), MIGRATIONS_AT_MOST + 1)


def _compare(schema: str, there: dict[str, Relation], known: Columns, found: Found) -> None:
    for name, columns in sorted(known.items()):
        relation = there.get(name)
        if relation is None:
            found.broken[schema] = f"the table {name} is missing"
        elif relation.kind != PLAIN:
            found.broken[schema] = f"{name} is {KINDS[relation.kind]} and no plain table"
        elif missing := sorted(columns.keys() - relation.columns.keys()):
            found.broken[schema] = f"the table {name} lacks the column {missing[0]}"
        if schema in found.broken:
            return
    for name, columns in known.items():
        found.not_ours += there[name].children_elsewhere
        for column, kind in there[name].columns.items():
            if (wanted := columns.get(column)) is None:
                found.not_ours.append(f"{schema}.{name}.{column}")
            # Of a table between two of `public`, Django's models don't know which the migration has made.
            elif wanted != kind and not (schema == PUBLIC and {wanted, kind} == {"integer", "bigint"}):
                found.wrong.append(f"{schema}.{name}.{column} is of the type {kind}, not {wanted}")
    found.not_ours += [f"{schema}.{name}" for name in there if name not in known]
