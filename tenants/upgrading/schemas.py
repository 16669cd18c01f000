"""Which schemas lack migrations of this release.

Each says so itself: the table of the migrations that were applied goes with its schema wherever that goes, and so does the
note there that all are (`tenants/migrated.py`). A note elsewhere could be younger than a schema that was restored, or older
than one that somebody migrated by hand.
"""

from collections.abc import Collection
from typing import NamedTuple

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import schema_context

from tenants.migrated import GUARD, known, later, note_of_all, wanted
from tenants.whose import may_all

PUBLIC = "public"
# A query locks two relations for each schema without a note until its end, and PostgreSQL's table of locks has 6,400 places
# as it comes.
AT_ONCE = 1000

NOTED = """
EXISTS (
    SELECT FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
    JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
    JOIN pg_trigger t ON t.tgrelid = c.oid
    WHERE n.nspname = schema_name AND c.relname = 'django_migrations' AND c.relkind = 'r' AND d.description = %s
        AND t.tgname = %s AND t.tgenabled IN ('O', 'A')
)
"""
STATES = f"""
WITH part AS MATERIALIZED (
    SELECT schema_name, {NOTED} AS noted
    FROM public.tenants_customer WHERE schema_name > %s AND schema_name <> ALL (%s) ORDER BY schema_name LIMIT %s
)
SELECT schema_name, noted, CASE WHEN NOT noted THEN public.tenants_applied_migrations(schema_name, %s) END
FROM part ORDER BY schema_name
"""  # noqa: S608 - NOTED is a constant, and nobody types it
# As tenants_applied_migrations asks: whether whoever owns it may all that we may.
OWNERS = f"""
SELECT r.rolname::text, {may_all("s.nspowner")}, count(*)
FROM public.tenants_customer JOIN pg_namespace s ON s.nspname = schema_name JOIN pg_roles r ON r.oid = s.nspowner
WHERE NOT {NOTED} GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""  # noqa: S608 - likewise
US = """
SELECT session_user::text, bool_or(rolsuper), to_regclass('public.tenants_customer') IS NOT NULL
FROM pg_roles WHERE rolname IN (session_user, current_user)
"""


class State(NamedTuple):
    """Of a customer's schema: whether a note says that it has all of this release, and else how many of these it has; None
    where it belongs to a role that may do less than ours, so that nobody reads what that one has put there.
    """

    is_noted: bool
    applied: int | None

    @property
    def is_anothers(self) -> bool:
        return not self.is_noted and self.applied is None

    @property
    def is_behind(self) -> bool:
        return self.applied is not None and self.applied < len(wanted())


def customers(*, but: Collection[str] = ()) -> dict[str, State]:
    """All customers' schemas `but` these, by name: one query for each AT_ONCE of them. `public` has to be of this release."""
    found: dict[str, State] = {}
    with schema_context(PUBLIC), connection.cursor() as cursor:
        while True:
            last = max(found, default="")
            cursor.execute(STATES, [note_of_all(), GUARD, last, list(but), AT_ONCE, sorted(wanted())])
            rows = cursor.fetchall()
            found |= {name: State(noted, applied) for name, noted, applied in rows}
            if len(rows) < AT_ONCE:
                return found


class Lesser(NamedTuple):
    """A role that may do less than ours, to which so many customers' schemas belong that have no note."""

    name: str
    schemas: int
    we: str


def lesser_owner() -> Lesser | None:
    """As whom an upgrade is to be run instead: where we may look into none of those that are left, or are a superuser, who
    may look into none that was made as it should be. Works on a database of any release, and an empty one.
    """
    with schema_context(PUBLIC), connection.cursor() as cursor:
        cursor.execute(US)
        we, is_superuser, has_customers = cursor.fetchone()
        if not has_customers:
            return None
        cursor.execute(OWNERS, [note_of_all(), GUARD])
        owners = cursor.fetchall()
    others = [(name, count) for name, is_as_we, count in owners if not is_as_we]
    if not others or (len(others) < len(owners) and not is_superuser):
        return None
    name, count = others[0]
    return Lesser(name, count, we)


def database_is_newer() -> bool:
    """Whether a later release has upgraded what all customers share, of which this one's customers would lack a part."""
    return bool(later(list(MigrationRecorder.Migration.objects.values_list("app", "name"))))


def public_is_behind() -> bool:
    """Whether a migration of this release was not applied in `public`."""
    with schema_context(PUBLIC):
        applied = MigrationRecorder(connection).applied_migrations()
    return any(key not in applied for key in known())
