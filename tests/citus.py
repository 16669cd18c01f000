"""A Citus cluster that somebody lends the tests: `make cluster CLUSTER=postgresql://superuser@coordinator/database`.

Its nodes are those of that database, and each of them has the user and the password of the URL. A database of ours is one
on each node, by the same name.
"""

import os
from contextlib import ExitStack, suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

URL = os.environ.get("GATEHOUSE_TEST_CLUSTER", "")
WITHOUT = "no Citus cluster: make cluster CLUSTER=postgresql://superuser@coordinator/database"

Server = psycopg.Connection[Any]


def places() -> list[tuple[str, int]]:
    """Host and port of each node, the coordinator first; none without a cluster."""
    if not URL:
        return []
    with psycopg.connect(URL, autocommit=True) as server:
        return server.execute(
            "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"
        ).fetchall()


def connect(place: tuple[str, int], database: str = "postgres") -> Server:
    known = conninfo_to_dict(URL)
    return psycopg.connect(
        **{**known, "host": place[0], "port": place[1], "dbname": database}, autocommit=True
    )


def nodes() -> list[Server]:
    """A connection to each node, the coordinator first."""
    return [connect(place) for place in places()]


def create(database: str) -> None:
    """An empty one that is a cluster of its own, on the same nodes."""
    coordinator, *workers = places()
    for place in (coordinator, *workers):
        with connect(place) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        with connect(place, database) as server:
            server.execute("CREATE EXTENSION citus")
    with connect(coordinator, database) as server:
        server.execute("SELECT citus_set_coordinator_host(%s, %s)", coordinator)
        for place in workers:
            server.execute("SELECT citus_add_node(%s, %s)", place)
        server.execute("SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', false)", coordinator)


def rename(database: str, name: str) -> None:
    """And leave nobody in it, Citus's own daemon neither: only then it is a template."""
    for server in nodes():
        with server:
            close(server, database)
            server.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(database), sql.Identifier(name)
                )
            )


def close(server: Server, database: str) -> None:
    server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(database)))
    server.execute(
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s", [database]
    )


def sweep(run: str) -> None:
    """Remove all databases of a test run."""
    with ExitStack() as stack:
        for server in map(stack.enter_context, nodes()):
            found = server.execute(
                "SELECT datname FROM pg_database WHERE datname ~ %s", [f"^(cast|test)_{run}"]
            )
            for (name,) in found.fetchall():
                close(server, name)
                server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def crash(server: Server) -> None:
    """`kill -9` of the very process that we talk to: PostgreSQL ends all others at once and recovers from its log."""
    with suppress(psycopg.OperationalError):
        server.execute("COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'")


def recovered(place: tuple[str, int]) -> bool:
    try:
        with connect(place) as server:
            return not server.execute("SELECT pg_is_in_recovery()").fetchall()[0][0]
    except psycopg.OperationalError:
        return False


def ask_for_a_standby(server: Server) -> None:
    """What this node has written to its log, nobody is told from now on: as if that had to be elsewhere, too."""
    server.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.execute("SELECT pg_reload_conf()")


def ask_for_no_standby(server: Server) -> None:
    """A crash does not do it: a server keeps what it was told until it is told otherwise."""
    server.execute("ALTER SYSTEM RESET synchronous_standby_names")
    server.execute("SELECT pg_reload_conf()")
