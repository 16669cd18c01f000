import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from portal.onebox.embedded import addresses, redis
from tests import folders
from tests.breaking.kit import Box
from tests.breaking.services import Disk, Server
from tests.breaking.workers import Bell, Workers
from tests.cast import assemble
from tests.gateway.kit import Certificates, Clients, gateway_running
from tests.poolers import PORT, TRANSACTIONS, Pooler, behind, time_out_by_role

POOL = 5  # sessions; a slice of a job has two, and two workers are at it


@pytest.fixture
def bell(settings: Any) -> Bell:
    """Redis, where nothing rings yet: the test before may have left something."""
    bell = Bell()
    bell.flush()
    return bell


@pytest.fixture
def workers(committed_db: None, bell: Bell, tmp_path: Path) -> Iterator[Workers]:
    """Starts workers; whatever is left of them is killed before their database goes."""
    with _workers(tmp_path) as workers:
        yield workers


@contextmanager
def _workers(folder: Path) -> Iterator[Workers]:
    workers = Workers(folder)
    try:
        yield workers
    finally:
        workers.kill_all()
        sys.stdout.write(workers.last_words())  # pytest shows it when the test has failed
        Bell().flush()


@pytest.fixture
def box(committed_db: None, acme: Any) -> Box:
    return Box(acme)


@pytest.fixture
def gateway(committed_db: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    log = logging.getLogger("gateway")
    log.setLevel(logging.WARNING)  # of hundreds of mails nobody reads a line for each
    try:
        with gateway_running(Certificates(tmp_path_factory.mktemp("tls"))) as clients:
            yield clients
    finally:
        log.setLevel(logging.NOTSET)


@pytest.fixture
def server(django_db_setup: None, django_db_blocker: Any, bell: Bell) -> Iterator[Server]:
    """A PostgreSQL of this test's own, with the cast in it, because the others' must go on."""
    suite = deepcopy(connection.settings_dict)
    with folders.folder() as state_dir, django_db_blocker.unblock():
        server = Server(state_dir)
        own = {
            "HOST": str(addresses.postgres_dir(state_dir)),
            "PORT": str(addresses.POSTGRES_PORT),
            "NAME": addresses.POSTGRES_DATABASE,
            "USER": addresses.POSTGRES_ROLE,
            "PASSWORD": "",
        }
        try:
            go_to(own)
            call_command("migrate_schemas", shared=True, verbosity=0)
            assemble()
            yield server
        finally:
            go_to(suite)
            server.stop()


@pytest.fixture
def own_redis(settings: Any, turn_to: Any) -> Iterator[Any]:
    """A Redis of this test's own, which can be restarted."""
    with folders.folder() as state_dir:
        running = [redis.start(state_dir, durable=True)]
        settings.REDIS_URL = running[0].url
        turn_to(settings.REDIS_URL.replace("unix://", "redis+socket://", 1))

        class Redis:
            def stop(self) -> None:
                running.pop().stop()

            def start(self) -> None:
                running.append(redis.start(state_dir, durable=True))

        yield Redis()
        for each in running:
            each.stop()


@pytest.fixture
def own_workers(server: Server, tmp_path: Path) -> Iterator[Workers]:
    """Workers on the `server` of the test."""
    with _workers(tmp_path) as workers:
        yield workers


@pytest.fixture
def few_sessions(server: Server) -> Iterator[Pooler]:
    """From now on this process and those that it starts reach the `server` by a pooler of transactions."""
    time_out_by_role(server.url)
    lines = f"{TRANSACTIONS}default_pool_size = {POOL}\nquery_wait_timeout = 2\n"
    pooler = Pooler(server.folder / "pooler", behind(server.folder), lines)
    go_to({"HOST": str(pooler.folder), "PORT": str(PORT)})
    yield pooler
    connections.close_all()
    pooler.stop()


def go_to(database: dict[str, Any]) -> None:
    """From now on this process uses this database."""
    connections.close_all()
    for known in (connection.settings_dict, connections.settings["default"]):
        known |= {
            name: database[name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD") if name in database
        }


@pytest.fixture
def small_disk(settings: Any, tmp_path: Path, bell: Bell) -> Iterator[Disk]:
    """A message store on a disk that can be filled: a small file system of its own, or a limit for the workers."""
    with Disk.mounted_on(settings.STORE_ROOT) as disk:
        yield disk
