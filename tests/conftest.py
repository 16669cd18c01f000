"""A database for each worker, cloned from one template that holds the cast; `db` rolls back, `committed_db` is for real commits."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from allauth.mfa.totp.internal import auth as totp
from celery import current_app
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from django.core.cache import caches
from django.core.management import call_command
from django.db import connection, connections
from django.test import Client, override_settings
from django.utils import translation
from psycopg import sql

from accounts.actors import SYSTEM
from mailboxes.services import collection, delivery
from mailboxes.vault import primitives
from tenants import migrated, spares
from tenants.cluster import prepare_public
from tests import citus, folders, s3
from tests.accounts.factors import Clock, sets_up_an_app
from tests.accounts.post import MailServer, Post
from tests.cast import Cast, assemble, customer, present, provider
from tests.roles import ROLE, as_superuser, statements

RUN = os.environ["GATEHOUSE_TEST_RUN"]
TEMPLATE = f"cast_{RUN}"
DATABASE = f"test_{RUN}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
TEMPLATE_LOCK = 4711
DROP_SECONDS = 60
PEER = "192.0.2.7"  # of mail servers and archivers


def _outside() -> psycopg.Connection[Any]:
    parameters = connection.get_connection_params()
    known = {key: parameters[key] for key in ("host", "port", "user", "password") if parameters.get(key)}
    return psycopg.connect(**known, dbname="postgres", autocommit=True)


def _use(name: str) -> None:
    connection.close()
    for settings_dict in (connection.settings_dict, connections.settings["default"]):
        settings_dict["NAME"] = name


def _drop(outside: psycopg.Connection[Any], name: str) -> None:
    """With whoever is still in it. Autovacuum may not be put out by us, and Citus's daemon comes back: both are waited for."""
    deadline = time.monotonic() + DROP_SECONDS
    while True:
        try:
            outside.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            return
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.1)


def _clone() -> None:
    """This worker's database, as new."""
    connections.close_all()
    for server in citus.nodes() or [_outside()]:
        with server as outside:
            _drop(outside, DATABASE)
            # By copying files, which takes a third of the time; before PostgreSQL 15 there is no other way, and no word for it.
            how = sql.SQL("STRATEGY FILE_COPY" if outside.info.server_version >= 150_000 else "")
            outside.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(TEMPLATE), how
                )
            )
    _use(DATABASE)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        with _outside() as outside:
            outside.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])  # one worker builds, others wait
            if not outside.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
                building = f"{TEMPLATE}_new"
                if citus.URL:
                    citus.create(building)
                else:
                    outside.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(building)))
                _use(building)
                call_command("migrate_schemas", shared=True, verbosity=0)
                prepare_public()
                assemble()
                connection.close()
                if citus.URL:
                    citus.rename(building, TEMPLATE)
                else:
                    outside.execute(
                        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                            sql.Identifier(building), sql.Identifier(TEMPLATE)
                        )
                    )
            outside.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])
        _clone()
    yield


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database that other threads and processes see too; the next test gets a new one."""
    with django_db_blocker.unblock():
        connection.set_schema_to_public()
        yield
        connection.set_schema_to_public()
        _clone()


@pytest.fixture
def application(committed_db: None) -> Iterator[None]:
    """All that follows is done as the application's role."""
    owner = connection.settings_dict["USER"]
    connection.close()
    documented = [
        statements(beginning) for beginning in ("what the application may do", "the customers' schemas")
    ]
    as_superuser(
        f"CREATE ROLE {ROLE} LOGIN",
        "REVOKE ALL ON DATABASE " + f'"{connection.settings_dict["NAME"]}" FROM PUBLIC',
        f"SET ROLE {owner}",
        documented[0],
        "RESET ROLE",
        documented[1],
    )
    connection.settings_dict["USER"] = ROLE
    yield
    connection.close()
    connection.settings_dict["USER"] = owner
    as_superuser(f"DROP OWNED BY {ROLE} CASCADE", f"DROP ROLE {ROLE}")


@pytest.fixture
def next_release() -> Iterator[None]:
    """From now on this process is of a release after this one, which has migrations of the customers' schemas that this one lacks."""

    def forget() -> None:
        migrated.known.cache_clear()
        migrated.wanted.cache_clear()
        spares.fingerprint.cache_clear()

    with override_settings(MIGRATION_MODULES={"mailboxes": "tests.breaking.next_release.mailboxes"}):
        forget()
        yield
    forget()


@pytest.fixture(autouse=True)
def _signed_in_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is signed in by force has what a host gives to its browser, too."""
    from portal.gates.companion import COMPANION, companion_of

    sign_in = Client._login

    def login(client: Client, *args: Any, **options: Any) -> None:
        sign_in(client, *args, **options)
        client.cookies[COMPANION] = companion_of(client.session.session_key)

    monkeypatch.setattr(Client, "_login", login)


@pytest.fixture(autouse=True)
def _clean_slate(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Each test has a message store of its own, and neither guesses nor the language of the one before."""
    settings.STORE_ROOT = tmp_path / "store"
    settings.STORE_ROOT.mkdir(mode=0o700)
    for cache in caches.all(initialized_only=True):
        cache.clear()
    translation.activate(settings.LANGUAGE_CODE)  # the last request's stays active on its thread
    yield


@pytest.fixture
def database(request: pytest.FixtureRequest) -> None:
    """Whichever database the test works on: `committed_db` if it asks for that, else `db`."""
    if "committed_db" not in request.fixturenames:
        request.getfixturevalue("db")


@pytest.fixture
def cast(database: None) -> Cast:
    return present()


@pytest.fixture
def acme(database: None) -> Any:
    return customer("acme")


@pytest.fixture
def globex(database: None) -> Any:
    return customer("globex")


@pytest.fixture
def northwind(database: None) -> Any:
    return provider("northwind")


@pytest.fixture
def client_for() -> Callable[..., Client]:
    """A browser of somebody (or of nobody) on a customer's host, or on the base host."""

    def make(user: Any = None, host: str | None = "acme", **options: Any) -> Client:
        name = f"{host}.portal.localhost" if host else "portal.localhost"
        client = Client(headers={"host": name}, **options)
        if user is not None:
            client.force_login(user)
        return client

    return make


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What authenticator apps and the portal go by."""
    clock = Clock()
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: clock.counter * 30))
    return clock


@pytest.fixture
def post(mailoutbox: list[Any], django_capture_on_commit_callbacks: Any) -> Post:
    return Post(mailoutbox, django_capture_on_commit_callbacks)


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    """What the portal sends goes there."""
    with MailServer().serving() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def with_app(cast: Any, client_for: Any, clock: Clock) -> str:
    """Acme's admin with an authenticator app; gives the app's secret."""
    return sets_up_an_app(client_for(cast.admin), clock)


@pytest.fixture
def turn_to() -> Iterator[Callable[[str], None]]:
    """Have tasks rung for elsewhere, where each bell has been heard so far."""
    from accounts import bell

    broker = current_app.conf.broker_url

    def turn(url: str) -> None:
        bell._Pause.ends = 0.0
        current_app.conf.broker_url = url
        current_app._pool = current_app.amqp._producer_pool = None  # connections to the one before

    yield turn
    turn(broker)


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A state directory with a path short enough for sockets, which pytest's own need not be."""
    with folders.folder() as folder:
        yield folder / "state"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.Server]:
    """One for all tests of this process."""
    with s3.serving() as server:
        yield server


@pytest.fixture
def s3_store(s3_server: s3.Server, settings: Any) -> str:
    """The message store is a part of a bucket; gives the bucket's name."""
    bucket = s3_server.bucket()
    s3.use(settings, f"s3://{bucket}/mail", s3_server.endpoint)
    return bucket


@pytest.fixture
def s3_gate(s3_server: s3.Server, s3_store: str, settings: Any) -> Iterator[s3.Gate]:
    """The way to that store."""
    gate = s3.Gate(s3_server.address)
    settings.S3_ENDPOINT = gate.endpoint
    yield gate
    gate.close()


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Memory in KiB, passes and lanes of each derivation of Argon2id in this process from now on."""
    begun: list[tuple[int, int, int]] = []

    def derive(*, iterations: int, lanes: int, memory_cost: int, **others: Any) -> Any:
        begun.append((memory_cost, iterations, lanes))
        return Argon2id(iterations=iterations, lanes=lanes, memory_cost=memory_cost, **others)

    monkeypatch.setattr(primitives, "Argon2id", derive)
    return begun


@dataclass
class OpenMailbox:
    """A mailbox and the password that only its owner has."""

    mailbox: Any
    password: str

    @property
    def address(self) -> str:
        return str(self.mailbox.address)


@pytest.fixture
def make_mailbox(acme: Any) -> Callable[..., OpenMailbox]:
    from mailboxes.services import create_mailbox

    def make(
        name: str = "Office 365 Journal", *, customer: Any = None, by: Any = SYSTEM, **details: Any
    ) -> OpenMailbox:
        mailbox, password = create_mailbox(customer or acme, by=by, name=name, **details)
        return OpenMailbox(mailbox, password.reveal())

    return make


@pytest.fixture
def acme_mailbox(make_mailbox: Callable[..., OpenMailbox]) -> OpenMailbox:
    return make_mailbox()


@pytest.fixture
def fill(acme_mailbox: OpenMailbox) -> Callable[..., None]:
    """Mail comes in."""

    def deliver(*mails: bytes, to: OpenMailbox = acme_mailbox) -> None:
        for mail in mails:
            delivery.deliver([delivery.resolve(to.address, peer=PEER)], [mail])

    return deliver


@pytest.fixture
def collect(acme_mailbox: OpenMailbox) -> Callable[..., list[bytes]]:
    """What an archiver gets with this password."""

    def read(password: Any, *, of: OpenMailbox = acme_mailbox) -> list[bytes]:
        maildrop = collection.open_maildrop(of.address, password, peer=PEER)
        try:
            return [b"".join(maildrop.read(index)) for index in range(len(maildrop.entries))]
        finally:
            maildrop.release()

    return read
