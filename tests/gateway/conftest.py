import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django_tenants.utils import tenant_context

from mailboxes.models import Mailbox, MaildropLock, Message
from tenants.models import Customer, DirectoryEntry
from tests.conftest import OpenMailbox
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


@pytest.fixture(scope="session")
def _talking(certificates: Certificates) -> Iterator[Clients]:
    with gateway_running(certificates) as clients:
        yield clients


@pytest.fixture
def talking(_talking: Clients) -> Iterator[Clients]:
    """One gateway for all the dialogues that never get as far as a mailbox, and so need no database of their own."""
    clients = Clients(_talking.ports, _talking.tls)
    yield clients
    clients.close()


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
    known = _parameters() | {"dbname": "postgres"}

    def execute(statement: str) -> None:
        with psycopg.connect(**known, autocommit=True) as outside:
            outside.execute(statement)  # type: ignore[arg-type]

    return execute


def _parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    return {
        key: parameters[key] for key in ("host", "port", "user", "password", "dbname") if parameters.get(key)
    }


@pytest.fixture
def redis_url(settings) -> str:
    return settings.REDIS_URL


@pytest.fixture
def process_environment(settings, committed_db: object) -> dict[str, str]:
    """What a process of its own needs in order to work on this test's database and store."""
    database = connection.settings_dict
    host, port = quote(str(database["HOST"]), safe=""), f":{database['PORT']}" if database["PORT"] else ""
    person = ":".join(quote(str(part), safe="") for part in (database["USER"], database["PASSWORD"]) if part)
    return {
        **os.environ,
        "DATABASE_URL": f"postgres://{person}@{host}{port}/{database['NAME']}",
        "REDIS_URL": settings.REDIS_URL,
        "GATEHOUSE_STATE_DIR": str(settings.STATE_DIR),
        "GATEHOUSE_STORE_URL": f"file://{settings.STORE_ROOT}",
        "GATEHOUSE_BIND": "127.0.0.1",
        "GATEHOUSE_MAIL_DOMAIN": settings.MAIL_DOMAIN,
        "SECRET_KEY": settings.SECRET_KEY,
        "GATEHOUSE_WORKER_KEY": settings.WORKER_KEY,
    }


@pytest.fixture
def suspend(acme: Customer) -> Callable[[OpenMailbox], None]:
    """From now on mail for this mailbox is put off."""

    def put_off(opened: OpenMailbox) -> None:
        with tenant_context(acme):
            Mailbox.objects.filter(pk=opened.mailbox.pk).update(status=Mailbox.Status.SUSPENDED)
        DirectoryEntry.objects.filter(mailbox_id=opened.mailbox.pk).update(
            status=DirectoryEntry.Status.SUSPENDED
        )

    return put_off


@pytest.fixture
def blob_of(acme: Customer, settings: Any) -> Callable[[OpenMailbox, str], Path]:
    """The file of a waiting message, by its unique-id."""

    def find(opened: OpenMailbox, uid: str) -> Path:
        with tenant_context(acme):
            return Path(settings.STORE_ROOT) / Message.objects.get(uid=uid, mailbox=opened.mailbox).blob

    return find


@pytest.fixture
def lock_age(acme: Customer) -> Callable[[OpenMailbox], datetime]:
    """Until when a session holds the maildrop; later with each renewal."""

    def look(opened: OpenMailbox) -> datetime:
        with tenant_context(acme):
            return MaildropLock.objects.get(pk=opened.mailbox.pk).expires_at

    return look


@pytest.fixture
def take_over(acme: Customer) -> Callable[[OpenMailbox], None]:
    """Another session gets the maildrop, as after a pause longer than the lock."""

    def take(opened: OpenMailbox) -> None:
        with tenant_context(acme):
            MaildropLock.objects.filter(pk=opened.mailbox.pk).update(session=uuid4())

    return take


@pytest.fixture
def hold_messages(acme: Customer) -> Callable[[OpenMailbox], AbstractContextManager[None]]:
    """Nobody can add a message meanwhile: the table is locked by somebody else."""

    @contextmanager
    def hold(opened: OpenMailbox) -> Iterator[None]:
        with psycopg.connect(**_parameters()) as outside:
            outside.execute(f'LOCK TABLE "{acme.schema_name}".mailboxes_message IN ACCESS EXCLUSIVE MODE')
            yield
            outside.rollback()

    return hold
