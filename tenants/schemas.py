"""The schema that the connection looks at, where a `with tenant_context(...)` block does not do, and how many it may; and
whether a customer has one.

One without keys, or without its own list of migrations, is none, whatever else is in it: whoever has lost a schema may type
`CREATE SCHEMA`, and has brought nothing back by it. An upgrade that filled it would make a customer whose mail opens to
nobody, and whose last good backup is thinned out.

What a customer's schema looks like is asked in four ways, for four reasons: here, of a customer that is known, what it lives
by (IS_A_CUSTOMERS), and of a schema whose customer is not known any more, whether anything of one is left (NOBODYS); where
names come from rows that the application may write, only what keeps PostgreSQL's own out (OF_CUSTOMERS in `whose.py`, with
spare ones); and of a backup, which anybody may have sealed, the whole name and no other (SCHEMA in `mailboxes/backup/judging.py`).
"""

from collections.abc import Collection
from typing import Any, cast

from django.db import DatabaseError, close_old_connections, connection, transaction
from django_tenants.utils import quote_schema_name
from psycopg.errors import DependentObjectsStillExist, InsufficientPrivilege

from tenants import whose
from tenants.errors import SchemaInTheWay, SchemaIsThere

# Whether the schema `n` is a customer's: as plain tables, for nothing else has rows of its own.
IS_A_CUSTOMERS = """
2 = (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r'
    AND c.relname IN ('mailboxes_mailboxkey', 'django_migrations'))
"""
THERE = (
    f"SELECT n.nspname::text FROM pg_namespace n WHERE n.nspname = ANY (%s) AND {IS_A_CUSTOMERS} ORDER BY 1"  # noqa: S608 - a constant
)
# That look like a customer's and that no row of one names: its mail is served to nobody, and no dump has it. One of our tables is
# enough: who deletes the row may have dropped some.
NOBODYS = r"""
SELECT n.nspname::text FROM pg_namespace n
WHERE n.nspname ~ '^c_' AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname ~ '^mailboxes_')
    AND NOT EXISTS (SELECT FROM public.tenants_customer customer WHERE customer.schema_name = n.nspname::text)
ORDER BY 1
"""
ALL = "SELECT schema_name FROM public.tenants_customer UNION ALL SELECT schema_name FROM public.tenants_spareschema"


def leave_for_public() -> None:
    """From here on the connection sees no customer's tables, whatever it saw before."""
    cast(Any, connection).set_schema_to_public()  # of django-tenants' backend, which has no types


def between_customers() -> None:
    """Whoever goes through many customers comes by here after each: a session that knows too many is given up
    (tenants/database). Within a transaction it stays.
    """
    if not connection.in_atomic_block:
        close_old_connections()


def that_are_there(names: Collection[str]) -> list[str]:
    """Of these schemas those in which a customer is."""
    with connection.cursor() as cursor:
        cursor.execute(THERE, [list(names)])
        return [name for (name,) in cursor.fetchall()]


def is_there(name: str) -> bool:
    return that_are_there([name]) == [name]


def require_gone(name: str, *, slug: str) -> None:
    """Of a customer that somebody gives up. Raises SchemaIsThere."""
    if is_there(name):
        raise SchemaIsThere(slug=slug)


def require_the_role_that_serves() -> None:
    """At the beginning of what enters all customers' schemas, or takes a spare one. Raises LesserOwner."""
    with connection.cursor() as cursor:
        cursor.execute(ALL)
        whose.require_the_role_that_serves(cursor, [name for (name,) in cursor.fetchall()])


def make_room(name: str, *, slug: str) -> None:
    """In the caller's transaction, for a schema that comes: one of that name in which nothing is goes. Raises SchemaInTheWay
    where it is somebody else's, or something is in it after all.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {quote_schema_name(name)} RESTRICT")
    except DatabaseError as error:
        if not isinstance(error.__cause__, (DependentObjectsStillExist, InsufficientPrivilege)):
            raise  # an outage, say, which is waited for, and for which nobody has to rename anything
        raise SchemaInTheWay(slug=slug, schema=name, why=_why(error)) from error


def _why(error: DatabaseError) -> str:
    """PostgreSQL's first two lines: the second names something that is in it."""
    detail = getattr(getattr(error.__cause__, "diag", None), "message_detail", None) or ""
    lines = [str(error).splitlines()[0], *detail.splitlines()[:1]]
    return "".join(letter for letter in ": ".join(lines) if letter.isprintable())


def require_room(name: str, *, slug: str) -> None:
    """Whether that will do, long before it is done. Raises SchemaInTheWay."""
    with transaction.atomic():
        make_room(name, slug=slug)
        transaction.set_rollback(True)
