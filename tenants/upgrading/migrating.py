"""One schema, brought to this release by Django's own executor of migrations."""

import logging
import random
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import app_labels, quote_schema_name, schema_context
from psycopg.errors import QueryCanceled

from tenants import cluster
from tenants.migrated import note
from tenants.schemas import between_customers
from tenants.upgrading.schemas import PUBLIC
from tenants.upgrading.short_locks import HeldTooLong, ShortLocks

log = logging.getLogger(__name__)

# While others are in the way: half a minute in all, which is longer than a page or a mail reads a table.
ATTEMPTS = 30
# Of one that takes too long by itself: each keeps mail waiting.
SLOW_ATTEMPTS = 2
# Between them, a part of each by chance, so that processes do not come together.
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.0)


@dataclass
class Outcome:
    """What became of a schema."""

    schema: str
    applied: list[str] = field(default_factory=list)  # migrations of ours, as `app.name`
    at: str = ""  # the one that was begun last
    seconds: float = 0.0
    trouble: str = ""  # why it is not of this release, in a line that quotes no row; empty: it is


class AppliedMeanwhile(Exception):
    """Somebody else applied it between our look at the plan and its turn."""


def migrate(schema: str, *, hold: float) -> Outcome:
    """Apply what the schema lacks, each migration in a transaction with the line that says so, and none holding tables for
    longer than `hold` seconds. Tries again while others are in the way, or the database is away.
    """
    began, outcome = time.monotonic(), Outcome(schema)
    slow = 0
    for attempt in range(ATTEMPTS):
        try:
            with schema_context(schema):
                _migrate(outcome, hold)
            outcome.trouble = ""
            break
        except AppliedMeanwhile as error:
            outcome.trouble = _reason(outcome, error)
        except OperationalError as error:
            outcome.trouble = _reason(outcome, error)
            connection.close()
            slow += isinstance(error, HeldTooLong) or isinstance(error.__cause__, QueryCanceled)
            if slow == SLOW_ATTEMPTS:
                break
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
        except Exception as error:  # whatever a migration raises: the other customers go on
            outcome.trouble = _reason(outcome, error)
            connection.close()
            log.exception("%s can't be upgraded", schema)
            break
    between_customers()
    outcome.seconds = time.monotonic() - began
    return outcome


class Statement(NamedTuple):
    """What a migration has the database do."""

    sql: str
    parameters: Any
    many: bool


# Django spends most of a migration's time on models that it throws away, and each new schema gets the same ones.
_statements: dict[frozenset[tuple[str, str]], list[Statement]] = {}  # by migrations
# What only looks, or leads to another schema, is not repeated.
PASSED_OVER = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT", "SET SEARCH_PATH")


def make_public(applied: Collection[tuple[str, str]], after_each: Callable[[], None]) -> None:
    """The tables that all customers share, as they are once these migrations (`(app, name)`) are applied and no later ones.
    Each commits for itself, as some must: whoever was killed begins again, and goes on. `after_each` is called once each of
    them has been committed.
    """

    def progress(action: str, migration: Migration | None = None, fake: bool = False) -> None:
        if action == "apply_success":
            after_each()

    with schema_context(PUBLIC):
        _own_table(PUBLIC)
        _execute_those(applied, settings.SHARED_APPS, progress)


def make(schema: str, applied: Collection[tuple[str, str]]) -> None:
    """A new schema of a customer's as it is once these migrations are applied and no later ones; in the caller's transaction.
    The first by Django's executor, the others by what that had the database do.
    """
    kind = frozenset(applied)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {quote_schema_name(schema)}")
        # What is to be asked at the transaction's end keeps a table from being changed until then.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with schema_context(schema):
        if (known := _statements.get(kind)) is not None:
            with connection.cursor() as cursor:
                for sql, parameters, many in known:
                    (cursor.executemany if many else cursor.execute)(sql, parameters)
            return
        statements: list[Statement] = []

        def keep(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
            if not sql.lstrip().upper().startswith(PASSED_OVER):
                statements.append(Statement(sql, parameters, many))
            return execute(sql, parameters, many, context)

        with connection.execute_wrapper(keep):
            _own_table(schema)
            _execute_those(kind, settings.TENANT_APPS)
    if schema not in repr(statements):  # else they are for this one alone
        _statements[kind] = statements


def _execute_those(
    applied: Collection[tuple[str, str]], apps: Collection[str], progress: Callable[..., None] | None = None
) -> None:
    """In a schema that has tables of these apps alone. Of the others it gets a line in its list: for these Django has the
    database do nothing, after it has made all their models anew for each of their migrations.
    """
    executor = MigrationExecutor(connection, progress)
    # One that has taken the place of others is applied where all of these are.
    replacing = {
        key for key, one in executor.loader.replacements.items() if set(one.replaces) <= set(applied)
    }
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    plan = [step for step in plan if (step[0].app_label, step[0].name) in replacing.union(applied)]
    labels = app_labels(apps)
    executor.migrate([], plan=[step for step in plan if step[0].app_label not in labels], fake=True)
    executor.loader.build_graph()  # which knows of them now
    executor.migrate([], plan=[step for step in plan if step[0].app_label in labels])


def bring_up_to_date(schema: str) -> None:
    """What such a schema lacks of this release, while nobody else knows of it; in the caller's transaction."""
    with schema_context(schema):
        _migrate(Outcome(schema), None)


def _labels(schema: str) -> Collection[str] | None:
    """Of the apps whose tables it has; None for all."""
    return None if schema == PUBLIC else app_labels(settings.TENANT_APPS)


def _targets(executor: MigrationExecutor, labels: Collection[str] | None) -> list[tuple[str, str]]:
    return [node for node in executor.loader.graph.leaf_nodes() if labels is None or node[0] in labels]


def _migrate(outcome: Outcome, hold: float | None) -> None:
    _own_table(outcome.schema)
    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    labels = _labels(outcome.schema)
    plan = executor.migration_plan(_targets(executor, labels))
    limit = hold
    if not executor.loader.applied_migrations:
        limit = None  # it is only being made, and nobody uses it
    # It also writes down which migrations stand for others that were applied.
    state = executor.migrate([], plan=[])
    for migration, _ in plan:
        outcome.at = f"{migration.app_label}.{migration.name}"
        state = _apply(executor, migration, state, limit)
        if labels is None or migration.app_label in labels:
            outcome.applied.append(outcome.at)
    if outcome.applied and outcome.schema != PUBLIC and not cluster.is_prepared():
        note(outcome.schema)


def _own_table(schema: str) -> None:
    """The schema's own list of what was applied. Without one, that of `public` would be read, in which all is."""
    cast(Any, connection).set_schema(schema, include_public=False)
    MigrationRecorder(connection).ensure_schema()
    cast(Any, connection).set_schema(schema)


def _apply(executor: MigrationExecutor, migration: Migration, state: Any, hold: float | None) -> Any:
    """Raises AppliedMeanwhile, and whatever the migration does."""
    with ExitStack() as stack:
        if not migration.atomic:
            stack.callback(connection.close)  # the time-outs were its session's
        else:
            stack.enter_context(transaction.atomic())
            # A process that was killed may have sent its COMMIT, which the server still works on: that has ended now.
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE django_migrations IN SHARE ROW EXCLUSIVE MODE")
            cluster.keep_to_the_schema()
            recorded = MigrationRecorder.Migration.objects.filter(
                app=migration.app_label, name=migration.name
            )
            if recorded.exists():
                raise AppliedMeanwhile("somebody else applied it")
        if hold is not None:
            stack.enter_context(connection.execute_wrapper(ShortLocks(hold)))
        # Django notes some only after their transaction; within ours all of it is one.
        return executor.migrate([], plan=[(migration, False)], state=state)


def _reason(outcome: Outcome, error: Exception) -> str:
    """In one line. What a database says in further lines quotes rows, and those are a customer's."""
    lines = str(error).strip().splitlines() or [""]
    return f"{outcome.at}: {type(error).__name__}: {lines[0]}".removeprefix(": ")
