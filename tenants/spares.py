"""Spare schemas: migrated in advance, so that a new customer appears in a blink.

A customer takes one by renaming it, in the transaction that creates the customer: one change in the catalog, and
constraints keep the names that later migrations look for (a clone would lose them, so a further one is not cloned: what
migrations had the database do for the first is done once more).
"""

import hashlib
import inspect
import secrets
import sys
from contextlib import suppress
from functools import cache

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django_tenants.utils import app_labels, quote_schema_name

from tenants import cluster, migrated, whose
from tenants.models import SpareSchema
from tenants.upgrading import migrating

# Any number will do, as long as nothing else in this database locks it: "spares" on a telephone keypad.
REFILL_LOCK = 772737


@cache
def fingerprint() -> str:
    """Of the migrations that a customer's schema gets from this release: their names and their text."""
    labels = app_labels(settings.TENANT_APPS)
    digest = hashlib.sha256()
    for key, migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if key[0] in labels:
            digest.update(repr(key).encode())
            with suppress(OSError):  # a release without sources is known by its migrations' names
                digest.update(inspect.getsource(sys.modules[type(migration).__module__]).encode())
    return digest.hexdigest()


def take(schema_name: str) -> bool:
    """Give the schema's name to a ready spare one, or build it on the spot when none is left.

    Call it inside the transaction that creates the customer; a rollback puts the spare one back. True: it was a spare.
    Raises LesserOwner.
    """
    # Skipping locked rows lets customers that are created at the same time each take another one.
    spare = (
        SpareSchema.objects.select_for_update(skip_locked=True)
        .filter(fingerprint=fingerprint())
        .order_by("created_at", "pk")
        .first()
    )
    if spare is None:
        _build(schema_name)
        return False
    with connection.cursor() as cursor:
        whose.require_owner(cursor, spare.schema_name)  # what fills it may name it, and not enter
    rename(spare.schema_name, schema_name)
    spare.delete()
    return True


def rename(schema_name: str, new_name: str) -> None:
    """In the caller's transaction."""
    _execute(f"ALTER SCHEMA {quote_schema_name(schema_name)} RENAME TO {quote_schema_name(new_name)}")


def refill(target: int = 2) -> int:
    """Drop spare schemas of another release and build new ones until `target` stand ready. Returns how many it built.

    One at a time: whoever finds another refill at work leaves it to that one. None while the database is being restored,
    which goes on in a database where nothing else is.
    """
    if migrated.restored_from()[0]:
        return 0
    _drop_stale()
    built = 0
    while _build_spare(target):
        built += 1
    return built


def _build_spare(target: int) -> bool:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [REFILL_LOCK])
            if not cursor.fetchone()[0]:
                return False
        if SpareSchema.objects.filter(fingerprint=fingerprint()).count() >= target:
            return False
        name = f"spare_{secrets.token_hex(8)}"
        _build(name)
        SpareSchema.objects.create(schema_name=name, fingerprint=fingerprint())
        return True


def _drop_stale() -> None:
    with transaction.atomic():
        stale = SpareSchema.objects.select_for_update(skip_locked=True).exclude(fingerprint=fingerprint())
        for spare in stale:
            _execute(f"DROP SCHEMA IF EXISTS {quote_schema_name(spare.schema_name)} CASCADE")
            spare.delete()


def _build(schema_name: str) -> None:
    """Of a cluster, on one of its nodes. Inside the caller's transaction, so that a failure leaves nothing behind."""
    cluster.keep_to_the_schema()
    migrating.make(schema_name, migrated.known())
    if cluster.is_prepared():
        cluster.distribute(schema_name)
    else:
        migrated.note(schema_name)


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
