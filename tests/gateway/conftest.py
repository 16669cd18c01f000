import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from django.db import connection

from tests.gateway.kit import SECONDS, Certificates, Clients, gateway_running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def start_gateway(committed_db: object, certificates: Certificates) -> Iterator[Callable[..., Clients]]:
    """Starts gateways, with changes to their Configuration; they stop when the test ends."""
    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(gateway_running(certificates, **changes))


@pytest.fixture
def gateway(start_gateway: Callable[..., Clients]) -> Clients:
    return start_gateway()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds that happens elsewhere and tells nobody; fails when it never does."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        pause = threading.Event()
        while not holds():
            assert time.monotonic() < deadline, "it never happened"
            pause.wait(0.02)

    return wait


@pytest.fixture
def other_database(committed_db: object) -> Callable[[str], None]:
    """Runs one statement from outside the test's database."""
    parameters = connection.get_connection_params()
    known = {key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)}

    def execute(statement: str) -> None:
        with psycopg.connect(**known, dbname="postgres", autocommit=True) as outside:
            outside.execute(statement)  # type: ignore[arg-type]

    return execute


@pytest.fixture
def free_ports() -> Callable[[int], list[int]]:
    def find(count: int) -> list[int]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [held.getsockname()[1] for held in sockets]
        for held in sockets:
            held.close()
        return ports

    return find


@pytest.fixture
def process_environment(settings, committed_db: object) -> dict[str, str]:
    """What a process of its own needs in order to work on this test's database and store."""
    return dict(os.environ)
