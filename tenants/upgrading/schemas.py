"""Which schemas lack migrations of this release.

Each says so itself: the table of the migrations that were applied goes with its schema wherever that goes. A note
elsewhere could be younger than a schema that was restored, or older than one that somebody migrated by hand.
"""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import app_labels, schema_context

PUBLIC = "public"
# A query locks two relations for each schema until its end, and PostgreSQL's table of locks has 6,400 places as it comes.
AT_ONCE = 1000

STATES = """
SELECT schema_name, public.tenants_applied_migrations(schema_name, %s)
FROM public.tenants_customer WHERE schema_name > %s AND schema_name <> ALL (%s) ORDER BY schema_name LIMIT %s
"""


class State(NamedTuple):
    """How many of the migrations that a customer's schema of this release has were applied in this one."""

    applied: int

    @property
    def is_behind(self) -> bool:
        return self.applied < len(wanted())


@cache
def known() -> frozenset[tuple[str, str]]:
    """All migrations of this release, as `(app, name)`."""
    return frozenset(MigrationLoader(None).graph.nodes)


@cache
def wanted() -> frozenset[str]:
    """What a customer's schema of this release has, as `app.name`."""
    labels = app_labels(settings.TENANT_APPS)
    return frozenset(f"{app}.{name}" for app, name in known() if app in labels)


def customers(*, but: Collection[str] = ()) -> dict[str, State]:
    """All customers' schemas `but` these, by name: one query for each AT_ONCE of them. `public` has to be of this release."""
    found: dict[str, State] = {}
    with schema_context(PUBLIC), connection.cursor() as cursor:
        while True:
            cursor.execute(STATES, [sorted(wanted()), max(found, default=""), list(but), AT_ONCE])
            rows = cursor.fetchall()
            found |= {name: State(applied) for name, applied in rows}
            if len(rows) < AT_ONCE:
                return found


def that_are_there(names: Collection[str]) -> list[str]:
    """Without those that the database does not have, though the customer is known."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s) ORDER BY nspname", [list(names)]
        )
        return [name for (name,) in cursor.fetchall()]


def database_is_newer() -> bool:
    """Whether a later release has upgraded what all customers share, of which this one's customers would lack a part.

    Later by the number in the name: names from before that are not known were replaced since. An app that is not known at
    all came later too, and may be of the customers: no release has dropped one.
    """
    apps = {app for app, _ in known()}
    last: dict[str, str] = {}
    for key in sorted(wanted()):
        app, name = key.split(".")
        last[app] = name
    recorded = MigrationRecorder.Migration.objects.values_list("app", "name")
    return any(app not in apps or name > last.get(app, name) for app, name in recorded)


def public_is_behind() -> bool:
    """Whether a migration of this release was not applied in `public`."""
    with schema_context(PUBLIC):
        applied = MigrationRecorder(connection).applied_migrations()
    return any(key not in applied for key in known())
