"""`manage.py upgrade` to a next release, which has migrations of the customers' schemas, while this one goes on serving."""

import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Mailbox
from tenants import upgrading
from tenants.models import Customer, SpareSchema
from tenants.services import create_customer
from tenants.upgrading import schemas
from tenants.upgrading.short_locks import ShortLocks
from tests.breaking.kit import LONG, SECONDS, Box, mails, until
from tests.breaking.workers import ROOT, environment_of_processes
from tests.cast import customer, provider
from tests.catalogs import structure
from tests.gateway.kit import Certificates, Clients, Ports, without_trace

LABELS, NOTES = "mailboxes.9001_labels", "mailboxes.9002_notes"
# Customers besides those that are there, and how often it is killed: many of them, and often.
SIZES = [(500, 5), (50, 12)] if LONG else [(10, 2)]
# A second is promised, and the machine may be busy; without the promise it would be eight or ten.
PATIENCE = 4.0


def outside() -> psycopg.Connection:
    """Another session, as another program has it."""
    known = connection.get_connection_params()
    return psycopg.connect(
        **{key: known[key] for key in ("host", "port", "user", "dbname") if known.get(key)}
    )


class Mail:
    """Comes in for some mailboxes in turn, and is waited for."""

    def __init__(self, clients: Clients, *boxes: Any) -> None:  # each with an address and a password
        self._clients, self._boxes = clients, boxes
        self._over = threading.Event()
        self.longest = 0.0
        self.arrived: dict[str, list[bytes]] = {box.address: [] for box in boxes}

    @contextmanager
    def coming_in(self) -> Iterator[None]:
        with ThreadPoolExecutor(1) as hand:
            working = hand.submit(self._send)
            try:
                yield
            finally:
                self._over.set()
        working.result()

    def _send(self) -> None:
        for box in itertools.cycle(self._boxes):
            [text] = mails(1)
            began = time.monotonic()
            reply = self._clients.send(text, box.address)
            self.longest = max(self.longest, time.monotonic() - began)
            assert reply.startswith(b"250 "), reply
            self.arrived[box.address].append(text)
            if self._over.wait(0.1):
                return

    def __str__(self) -> str:
        return f"{sum(map(len, self.arrived.values()))} mails acknowledged, each within {self.longest:.2f} s"

    def prove(self) -> None:
        """All of it is there, once; and nobody waited for long."""
        for box in self._boxes:
            found = sorted(map(without_trace, self._clients.collect(box)))
            assert found == sorted(self.arrived[box.address])
            assert found, "some came in"
        assert self.longest < PATIENCE


@pytest.fixture
def upgrade(tmp_path) -> Iterator[Callable[..., psutil.Popen]]:
    """Starts the next release's `manage.py upgrade`; whatever is left is killed."""
    started: list[psutil.Popen] = []

    def start(*options: str, terminal: int | None = None, **environment: str) -> psutil.Popen:
        log = tmp_path / f"upgrade{len(started)}.log"
        with log.open("wb") as output:
            process = psutil.Popen(
                [sys.executable, "manage.py", "upgrade", *options],
                cwd=ROOT,
                env=environment_of_processes()
                | {"DJANGO_SETTINGS_MODULE": "tests.breaking.next_release.settings"}
                | environment,
                stdout=output,
                stderr=output if terminal is None else terminal,
                start_new_session=True,
            )
        process.log = log
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):  # all of it, whoever is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        sys.stdout.write(f"--- {process.log.name}\n{process.log.read_text(errors='replace')}")


def upgraded(process: psutil.Popen) -> int:
    """How many customers it has told of."""
    return len(re.findall(r"c_\w+ upgraded in ", process.log.read_text()))


def works(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE  # dead, and not yet counted by whoever inherited it
    return False


def all_schemas() -> list[str]:
    return list(Customer.objects.order_by("schema_name").values_list("schema_name", flat=True))


@pytest.mark.parametrize(("customers", "kills"), SIZES)
def test_it_is_killed_again_and_again_ends_well_and_mail_comes_in_all_the_while(
    committed_db, acme, gateway, upgrade, customers, kills
):
    northwind = provider("northwind")
    for number in range(customers):
        create_customer(f"extra{number}", f"Extra {number}", provider=northwind, by=SYSTEM)
    mail = Mail(gateway, Box(acme), Box(customer("extra7")))
    each = max(1, customers // (2 * kills))  # customers whom it gets done: half of them are left for its end
    seconds = []
    with mail.coming_in():
        for kill in range(kills):
            began = time.monotonic()
            process = upgrade("--processes", "2", GATEHOUSE_LOG_FORMAT="json" if kill else "text")
            until(lambda p=process: upgraded(p) >= each or p.poll() is not None, "customers are upgraded")
            hands = process.children()
            assert len(hands) == 2
            if kill == 0:  # the machine takes a process away, and the others go on
                hands[0].kill()
                until(lambda p=process: upgraded(p) > each, "another customer is upgraded")
                hands = process.children()
            assert process.poll() is None, "there was something left to do"
            process.kill()
            process.wait()
            until(lambda h=hands: not any(map(works, h)), "nobody works on")
            seconds.append(time.monotonic() - began)
        began = time.monotonic()
        ours, theirs = pty.openpty()
        last = upgrade(terminal=theirs)
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how a terminal says that nobody is there any more
            while some := os.read(ours, 65536):
                shown += some
        os.close(ours)
        assert last.wait(SECONDS) == 0
        seconds.append(time.monotonic() - began)
    sys.stdout.write(f"{mail}; runs of {', '.join(f'{one:.1f} s' for one in seconds)}\n")
    assert b"[####" in shown and b" INFO " not in shown
    for line in process.log.read_text().splitlines(keepends=True):
        assert not line.endswith("\n") or json.loads(line)["logger"] == "tenants.upgrading"
    mail.prove()
    spare = SpareSchema.objects.first()
    assert spare and "mailboxes_note" in str(structure(spare.schema_name))
    for schema in all_schemas():
        assert structure(schema) == structure(spare.schema_name)


def test_customers_that_fail_are_named_with_the_reason_and_the_others_go_on(
    committed_db, acme, globex, gateway, next_release, caplog
):
    slow, faulty = Box(acme, name="Slow"), Box(globex, name="Faulty")
    mail = Mail(gateway, slow)
    out = StringIO()
    with mail.coming_in(), pytest.raises(CommandError) as refused:
        call_command("upgrade", processes=1, json=True, stdout=out)
    mail.prove()  # although one customer's migration would have held its tables for longer
    told = str(refused.value)
    assert "2 schemas could not be upgraded" in told
    # By its one statement, or on a busy machine by all of them together.
    assert re.search(rf"c_acme: {LABELS}: (OperationalError: canceling statement|HeldTooLong)", told)
    assert f"c_globex: {LABELS}: DataError: division by zero" in told
    said = json.loads(out.getvalue())
    assert [each["schema"] for each in said["failed"]] == ["c_acme", "c_globex"]
    assert said["upgraded"] == len(["public", "c_initech"])
    assert {name for name, state in schemas.customers().items() if state.is_behind} == {"c_acme", "c_globex"}

    for box in (slow, faulty):  # somebody mends that
        with tenant_context(box.customer):
            Mailbox.objects.update(name="Journal")
    caplog.clear()
    call_command("upgrade", processes=1, json=True, stdout=(out := StringIO()))
    said = json.loads(out.getvalue())
    assert (said["customers"], said["upgraded"], said["failed"]) == (3, 2, [])
    assert [name for name in all_schemas() if name in caplog.text] == ["c_acme", "c_globex"], "no other again"
    assert not any(state.is_behind for state in schemas.customers().values())


def test_it_waits_its_turn_beside_readers_and_other_upgrades_without_keeping_mail_waiting(
    committed_db, acme, gateway, next_release
):
    mail = Mail(gateway, Box(acme))
    with outside() as reader, ThreadPoolExecutor(2) as hands:
        reader.execute("SELECT count(*) FROM c_acme.mailboxes_message")  # and its transaction goes on
        first = hands.submit(_upgrade)
        with mail.coming_in():
            for _ in range(2):  # it asks again
                until(lambda: waits_for("c_acme.mailboxes_message"), "it asks for the table")
                until(lambda: not waits_for("c_acme.mailboxes_message"), "it gives up for now")
            with pytest.raises(
                CommandError, match="Another upgrade of this database, or a backup, is at work"
            ):
                call_command("upgrade", no_wait=True)
            second: Future[str] = hands.submit(_upgrade)
            reader.rollback()
            assert "4 schemas upgraded" in first.result(SECONDS)
            assert "Nothing to do." in second.result(SECONDS)
    mail.prove()


def _upgrade() -> str:
    """In a thread of its own; what it says at its end."""
    out = StringIO()
    try:
        call_command("upgrade", processes=1, stdout=out)
    finally:
        connections.close_all()
    return out.getvalue()


def waits_for(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_locks WHERE relation = %s::regclass AND NOT granted AND mode LIKE '%%Exclusive%%'",
            [table],
        )
        return cursor.fetchone() is not None


def test_what_a_killed_process_was_committing_is_not_done_twice(committed_db, next_release):
    """The server works on although nobody listens any more, and its COMMIT comes after our look at what is left."""
    with outside() as killed, ThreadPoolExecutor(1) as hand:
        for sql in (
            "SET search_path TO c_acme",
            "ALTER TABLE mailboxes_mailbox ADD label varchar(40) DEFAULT '' NOT NULL",
            "ALTER TABLE mailboxes_message ADD seen_at timestamptz NULL",
            "CREATE INDEX message_by_seen_at ON mailboxes_message (seen_at)",
            "INSERT INTO django_migrations (app, name, applied) VALUES ('mailboxes', '9001_labels', now())",
        ):
            killed.execute(sql)
        others = hand.submit(_upgrade)
        until(lambda: waits_for("c_acme.django_migrations"), "it waits for what is under way")
        killed.commit()
        others.result(SECONDS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM c_acme.django_migrations WHERE name = '9001_labels'")
        assert cursor.fetchone() == (1,)
    assert not any(state.is_behind for state in schemas.customers().values())


@contextmanager
def made_by_the_release_before() -> Iterator[psycopg.Connection]:
    """A customer, as far as create_customer of another process has come: its schema was a spare one."""
    with outside() as spare:
        spare.execute("CREATE SCHEMA c_late")
        for (table,) in spare.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'c_acme'"
        ).fetchall():
            spare.execute(f"CREATE TABLE c_late.{table} (LIKE c_acme.{table} INCLUDING ALL)")
        spare.execute(
            "INSERT INTO c_late.django_migrations (app, name, applied) SELECT app, name, applied FROM c_acme.django_migrations"
        )
    columns = [f'"{field.column}"' for field in Customer._meta.local_concrete_fields if field.column != "seq"]
    new = {'"id"': "gen_random_uuid()", '"slug"': "'late'", '"schema_name"': "'c_late'"}
    with outside() as maker:
        maker.execute(
            f"INSERT INTO public.tenants_customer ({', '.join(columns)}) "
            f"SELECT {', '.join(new.get(name, name) for name in columns)} FROM public.tenants_customer WHERE slug = 'acme'"
        )
        yield maker


def test_a_customer_that_was_long_in_the_making_is_upgraded_too(committed_db, next_release):
    longer = 1.5  # seconds, than one look at it waits
    with made_by_the_release_before() as maker, ThreadPoolExecutor(1) as hand:
        said = hand.submit(_upgrade)
        until(lambda: not behind(), "all that are there are upgraded")
        began = time.monotonic()
        until(lambda: time.monotonic() > began + longer or said.done(), "it waits for that one")
        assert not said.done()
        maker.commit()
        assert said.result(SECONDS).startswith("5 schemas upgraded"), "public and four customers"
    assert "c_late" in schemas.customers()
    assert not behind()


def test_an_upgrade_that_leaves_a_customer_in_the_making_fails(committed_db, monkeypatch):
    monkeypatch.setattr(upgrading, "CREATION_SECONDS", 0.0)
    with made_by_the_release_before():
        with pytest.raises(CommandError, match="public: a customer has been in the making for 0 s"):
            _upgrade()
        assert "c_late" not in schemas.customers()


def behind() -> set[str]:
    return {name for name, state in schemas.customers().items() if state.is_behind}


def test_what_is_made_concurrently_takes_nothing_from_anybody_and_as_long_as_it_wants(committed_db):
    """An index of a large table waits for all who write to it, and has to be done some day."""

    def make() -> None:
        try:
            with connection.execute_wrapper(ShortLocks(0.1)), connection.cursor() as cursor:
                cursor.execute("CREATE INDEX CONCURRENTLY by_slug ON tenants_provider (slug)")
        finally:
            connections.close_all()

    with outside() as writer, ThreadPoolExecutor(1) as hand:
        writer.execute("UPDATE public.tenants_provider SET name = name")
        made = hand.submit(make)
        began = time.monotonic()
        until(lambda: time.monotonic() > began + 0.5 or made.done(), "it waits for longer than others may")
        assert not made.done()
        writer.commit()
        made.result(SECONDS)


class Release:
    """The last release whose database was another: its own code, on a database of its own."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        here = environment_of_processes()
        self.environment = here | {"DATABASE_URL": f"{here['DATABASE_URL'].rpartition('/')[0]}/{database}"}

    def says(self, *command: str) -> Any:
        """What a command of it prints, with --json."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(done.stdout) if "--json" in command else None


@pytest.fixture
def last_release(committed_db, tmp_path) -> Iterator[Release]:
    rooms = [f"{room}/migrations" for room in ("accounts", "tenants", "mailboxes")]

    def ask(*question: str) -> bytes:
        return subprocess.run(["git", *question], cwd=ROOT, capture_output=True, check=True).stdout

    try:
        changed = ask("log", "-1", "--format=%H", "--", *rooms).decode().strip()
        files = ask("archive", f"{changed}^")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no history to take it from")
    folder = tmp_path / "release"
    folder.mkdir()
    subprocess.run(["tar", "-x"], cwd=folder, input=files, check=True)
    name = f"last_{os.getpid()}"
    with outside() as server:
        server.rollback()
        server.autocommit = True
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield Release(folder, name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.skipif(not LONG, reason="make soak has it: it starts a dozen processes")
def test_the_gateway_of_the_last_release_serves_on_while_this_one_upgrades_its_database(
    last_release, tmp_path
):
    last_release.says("upgrade", "--public", "-v", "0")
    last_release.says("create_provider", "northwind", "--name", "Northwind IT")
    for number in range(5):
        last_release.says("create_customer", f"c{number}", "--provider", "northwind", "--name", f"C {number}")
    opened = [last_release.says("create_mailbox", f"c{number}", "Journal", "--json") for number in (0, 4)]
    boxes = [SimpleNamespace(address=facts["address"], password=facts["password"]) for facts in opened]
    certificates = Certificates(tmp_path)
    gateway = psutil.Popen(
        [sys.executable, "manage.py", "gateway"],
        cwd=last_release.folder,
        env=last_release.environment
        | {
            "GATEHOUSE_TLS_CERT_FILE": str(certificates.cert_file),
            "GATEHOUSE_TLS_KEY_FILE": str(certificates.key_file),
        }
        | {f"GATEHOUSE_{name}_PORT": "0" for name in ("SMTP", "SMTPS", "POP3", "POP3S")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        ports = [int(number) for number in re.findall(r"\b\d+\b", gateway.stdout.readline())]
        clients = Clients(Ports(*ports), certificates.client_context)
        mail = Mail(clients, *boxes)
        with mail.coming_in():
            until(lambda: all(mail.arrived.values()), "mail comes in before")
            ours = Release(ROOT, "unused")
            ours.environment = last_release.environment
            report = ours.says("upgrade", "--json")
            assert report["upgraded"] >= 1 and not report["failed"]
            before = {address: len(texts) for address, texts in mail.arrived.items()}
            until(
                lambda: all(len(mail.arrived[address]) > count + 3 for address, count in before.items()),
                "mail comes in afterwards",
            )
        mail.prove()
        clients.close()
    finally:
        gateway.terminate()
        gateway.wait(SECONDS)
        gateway.stdout.close()
