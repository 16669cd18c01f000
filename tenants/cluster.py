"""Customers on several servers: Citus's schema-based sharding (docs/cluster.md).

The portal talks to the coordinator and to nothing else. There is `public`, in plain tables; each customer's schema lies
whole on one of the other nodes, and the coordinator leads there. A database is a cluster for us once `prepare_public` has
been there; from then on customers are distributed as they are made. Everywhere else, each question here is one query or none.

Citus knows nothing of what a transaction writes into plain tables. Left alone it has the customer's node commit, and then
the coordinator: whoever is killed in between leaves a mailbox without its line in the directory. It commits in two phases
once a table of its own on the coordinator is written as well. So each write to `public` "writes" to such a table, in which
nothing ever is, by a trigger: that holds for whatever code writes there.
"""

from typing import Any

from django.db import connection, transaction
from django_tenants.utils import quote_schema_name
from psycopg import sql

from tenants.migrated import unguard

TWO_PHASES = "tenants_two_phases"  # the table, the function and the triggers

# What each page and each task writes, and no act that changes a customer.
WITHOUT_TRIGGER = ("django_session", "usersessions_usersession", "tenants_workeranswer", "django_migrations")

PREPARED = "SELECT to_regclass('public.tenants_two_phases') IS NOT NULL AND to_regclass('pg_dist_schema') IS NOT NULL"
NODES = """
SELECT (SELECT groupid FROM pg_dist_local_group),
    count(*) FILTER (WHERE groupid = 0), count(*) FILTER (WHERE groupid <> 0 AND shouldhaveshards)
FROM pg_dist_node WHERE noderole = 'primary' AND isactive
"""
UNGUARDED = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND c.relname NOT LIKE 'tenants\\_two\\_phases%%' AND c.relname <> ALL (%s)
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'tenants_two_phases')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
TABLE = "CREATE TABLE IF NOT EXISTS public.tenants_two_phases (id bigint PRIMARY KEY)"
MANAGED = """
SELECT citus_add_local_table_to_metadata('public.tenants_two_phases')
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'public.tenants_two_phases'::regclass)
"""
# With its owner's rights: nobody else needs any on the table.
FUNCTION = """
CREATE OR REPLACE FUNCTION public.tenants_two_phases() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.tenants_two_phases;
    RETURN NULL;
END
$$
"""
TRIGGER = sql.SQL(
    "CREATE TRIGGER tenants_two_phases BEFORE INSERT OR UPDATE OR DELETE ON public.{}"
    " FOR EACH STATEMENT EXECUTE FUNCTION public.tenants_two_phases()"
)
# Customers that a node could have and the coordinator has, and spare schemas with them.
UNDISTRIBUTED = """
SELECT n.nspname FROM pg_namespace n
WHERE n.nspname IN (SELECT schema_name FROM public.tenants_customer UNION ALL SELECT schema_name FROM public.tenants_spareschema)
    AND NOT EXISTS (SELECT FROM pg_dist_schema d WHERE d.schemaid = n.oid)
ORDER BY 1
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1"
HOLD_MILLISECONDS = 300  # a server looks for deadlocks after a second
# What was there before stays beneath the table that leads elsewhere, unseen: keys among it that are destroyed later.
# To look at each table's file takes milliseconds for a customer, so whoever means one asks for that one alone.
LEFT_BEHIND = """
SELECT n.nspname, c.relname FROM pg_dist_schema d JOIN pg_namespace n ON n.oid = d.schemaid
JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
WHERE (%s::text IS NULL OR n.nspname = %s) AND pg_relation_size(c.oid) > 0 ORDER BY 1, 2
"""


def is_prepared() -> bool:
    """Whether this database is a cluster for us."""
    return bool(_ask(PREPARED)[0][0])


def why_not() -> str:
    """Why customers can't be distributed here, and what to do; empty when they can."""
    if not _ask("SELECT to_regclass('pg_dist_schema') IS NOT NULL")[0][0]:
        return "This database has no Citus: CREATE EXTENSION citus, on each node of the cluster."
    group, coordinators, nodes = _ask(NODES)[0]
    if group != 0:
        return "This database is one of the cluster's nodes. DATABASE_URL has to name the coordinator."
    if not coordinators:
        return "The coordinator does not know itself: SELECT citus_set_coordinator_host('its address', 5432)."
    if not nodes:
        return "No node takes customers: SELECT citus_add_node('its address', 5432), for each."
    return ""


def prepare_public() -> bool:
    """Have what is written to `public` be committed with what nodes write; whether this is a cluster.

    Its owner does it. Needed again after a migration that makes tables there: an upgrade does.
    """
    if why_not():
        return False
    if is_prepared() and not unguarded():
        return True
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in (TABLE, MANAGED, FUNCTION):
            cursor.execute(statement)
        for table in unguarded():
            cursor.execute(TRIGGER.format(sql.Identifier(table)))
    return True


def unguarded() -> list[str]:
    """The tables of `public` that are not committed with what nodes write."""
    return [table for (table,) in _ask(UNGUARDED, [list(WITHOUT_TRIGGER)])]


def keep_to_the_schema() -> None:
    """Until the transaction's end, what drops a foreign key leaves alone what is in `public`.

    Else Citus looks there whether some table's last tie to others has gone, and for that waits for everybody who writes.
    A server without Citus takes this for a word of somebody else's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL citus.enable_local_reference_table_foreign_keys = off")


def distribute(schema: str) -> None:
    """Give a schema that is here to one of the nodes, and leave nothing of it. In the caller's transaction, which holds
    its tables from here on. Raises OperationalError when somebody else holds one of them.
    """
    with connection.cursor() as cursor:
        # All at once, and gone again before anybody takes it for a deadlock: Citus would take one after the other, while
        # mail takes them in an order of its own.
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{HOLD_MILLISECONDS}ms"])
        cursor.execute(TABLES, [schema])
        tables = [sql.Identifier(schema, table) for (table,) in cursor.fetchall()]
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(", ").join(tables)))
        cursor.execute("SELECT set_config('lock_timeout', '60s', true)")
        unguard(schema)  # no node has triggers
        cursor.execute("SELECT citus_schema_distribute(%s)", [quote_schema_name(schema)])
    empty(schema)


def empty(schema: str) -> None:
    """Free what a schema that was distributed has left behind."""
    while left := _ask(LEFT_BEHIND, [schema, schema]):
        table = sql.Identifier(*left[0]).as_string(None)
        # With it go those that refer to it.
        _ask("SELECT truncate_local_data_after_distributing_table(%s::regclass)", [table])


def undistributed() -> list[str]:
    return [schema for (schema,) in _ask(UNDISTRIBUTED)]


def left_behind() -> list[str]:
    return list(dict.fromkeys(schema for schema, _table in _ask(LEFT_BEHIND, [None, None])))


def on_nodes(query: str) -> list[tuple[str, bool, str]]:
    """What each node answers to a query of one value: name and port, whether it did, and the value or the error."""
    return _ask(
        "SELECT nodename || ':' || nodeport, success, result FROM run_command_on_all_nodes(%s)"
        " JOIN pg_dist_node USING (nodeid) ORDER BY groupid",
        [query],
    )


def _ask(query: Any, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())
