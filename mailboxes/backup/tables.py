"""Which tables and columns a schema with a list of migrations has. A restore makes tables by that list."""

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import AutoField
from django_tenants.utils import app_labels

from mailboxes.backup.loading import MIGRATIONS, MIGRATIONS_AT_MOST
from tenants import migrated

KINDS_OF_TYPES = (("varchar(", "character varying("), ("char(", "character("))
Columns = dict[str, dict[str, str]]  # their types, by table and name
Migrations = frozenset[tuple[str, str]]  # applied, as (app, name)


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


@cache
def tables_of(applied: Migrations, *, shared: bool = False) -> Columns:
    """The columns of each table that a schema with these migrations has, and their types."""
    found = {
        model._meta.db_table: {field.column: _type_of(field) for field in model._meta.local_concrete_fields}
        for model in models_of(applied, shared=shared)
    }
    recorder = MigrationRecorder.Migration._meta
    return found | {MIGRATIONS: {field.column: _type_of(field) for field in recorder.local_concrete_fields}}


def models_of(applied: Migrations, *, shared: bool) -> list[Any]:
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


@cache
def references(applied: Migrations) -> list[tuple[str, str, str, str]]:
    """Table and column, and those that it refers to, in a schema with these migrations."""
    known = tables_of(applied)
    return [
        (model._meta.db_table, field.column, table, field.target_field.column)
        for model in models_of(applied, shared=False)
        for field in model._meta.local_concrete_fields
        if field.remote_field and (table := field.remote_field.model._meta.db_table) in known
    ]


@cache
def with_serials(applied: Migrations) -> list[str]:
    """Tables whose ids a database gives."""
    return [
        model._meta.db_table
        for model in models_of(applied, shared=False)
        if isinstance(model._meta.pk, AutoField)
    ]


@cache
def _loader() -> MigrationLoader:
    return MigrationLoader(None)


def _parents(key: tuple[str, str]) -> set[tuple[str, str]]:
    return {parent.key for parent in _loader().graph.node_map[key].parents}
