"""PostgreSQL and the store in trouble: the sender keeps the mail, and the gateway goes on by itself afterwards."""

import resource
import time

import pytest
from django.db import connection

from gateway.smtp.ingress import Bounds
from gateway.threads import Threads
from tests.gateway.kit import without_trace

LATER = b"451 4.3.0 Please try again later\r\n"


@pytest.fixture
def database_gone(other_database):
    """A switch: while it is on, this test's database takes no connections and has none."""
    name = connection.settings_dict["NAME"]

    def switch(gone: bool) -> None:
        connection.close()
        other_database(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {"false" if gone else "true"}')
        if gone:
            other_database(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    yield switch
    switch(False)


def test_mail_is_put_off_while_the_database_is_gone_and_taken_afterwards(
    gateway, acme_mailbox, database_gone
):
    assert gateway.send(b"Subject: before\r\n\r\n", acme_mailbox.address).startswith(b"250 ")
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()).startswith(b"250 ")
    assert wire.ask(b"DATA").startswith(b"354 ")

    database_gone(True)
    wire.send(b"Subject: during\r\n\r\n.\r\n")
    assert wire.reply() == LATER
    assert gateway.send(b"Subject: during\r\n\r\n", acme_mailbox.address) in (LATER, LATER)
    database_gone(False)

    assert gateway.send(b"Subject: after\r\n\r\n", acme_mailbox.address).startswith(b"250 ")
    assert [without_trace(message)[9:14] for message in gateway.collect(acme_mailbox)] == [
        b"before"[:5],
        b"after",
    ]


def test_logins_are_put_off_while_the_database_is_gone(gateway, acme_mailbox, database_gone):
    gateway.logged_in(acme_mailbox).ask(b"QUIT")
    wire = gateway.pop3_wire()
    wire.ask(f"USER {acme_mailbox.address}".encode())

    database_gone(True)
    assert wire.ask(f"PASS {acme_mailbox.password}".encode()) == b"-ERR [SYS/TEMP] Please try again later\r\n"
    database_gone(False)

    gateway.logged_in(acme_mailbox).ask(b"QUIT")


def test_a_database_lost_in_the_middle_of_a_session_deletes_nothing(gateway, acme_mailbox, database_gone):
    gateway.send(b"Subject: stays\r\n\r\n", acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)
    wire.ask(b"DELE 1")

    database_gone(True)
    assert wire.ask(b"QUIT").startswith(b"-ERR [SYS/TEMP] ")
    database_gone(False)


def test_a_hung_database_is_answered_within_the_bound(start_gateway, acme_mailbox, hold_messages):
    gateway = start_gateway(smtp_bounds=Bounds(commit=0.5))

    with hold_messages(acme_mailbox):
        begun = time.monotonic()
        assert gateway.send(b"Subject: hung\r\n\r\n", acme_mailbox.address) == LATER
        assert time.monotonic() - begun < 10

    assert gateway.send(b"Subject: after\r\n\r\n", acme_mailbox.address).startswith(b"250 ")
    assert [without_trace(m) for m in gateway.collect(acme_mailbox)][-1] == b"Subject: after\r\n\r\n"


@pytest.fixture
def full_store():
    """No file of this process may grow beyond so many octets: the kernel refuses, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(octets: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if octets is None else octets, hard))

    yield limit
    limit(None)


def test_a_full_store_puts_mail_off_and_leaves_nothing_torn(
    gateway, acme_mailbox, full_store, settings, until
):
    big = b"x: y\r\n\r\n" + b"z" * 3_000_000 + b"\r\n"
    before = _files(settings)

    full_store(1_000_000)
    reply = gateway.send(big, acme_mailbox.address)
    full_store(None)

    assert reply == b"452 4.3.1 No room for mail at present, please try again later\r\n"
    until(lambda: _files(settings) == before)  # nobody's reply waits for the draft to be discarded
    assert gateway.send(big, acme_mailbox.address).startswith(b"250 "), "it recovers alone"
    assert [without_trace(message) for message in gateway.collect(acme_mailbox)] == [big]


def _files(settings) -> set[str]:
    return {str(path) for path in settings.STORE_ROOT.rglob("*") if path.is_file()}


def test_a_client_lost_in_the_middle_of_data_leaves_nothing(gateway, acme_mailbox, settings, until):
    before = _files(settings)
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    wire.ask(b"DATA")
    wire.send(b"Subject: half\r\n\r\n" + b"x" * 3_000_000)

    wire.close()

    until(lambda: _files(settings) == before)
    assert gateway.collect(acme_mailbox) == []


def test_threads_take_a_new_connection_after_theirs_was_cut(committed_db, other_database):
    threads = Threads("test", size=1)

    def backend() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0]

    try:
        first = threads.start(backend).result()
        other_database(f"SELECT pg_terminate_backend({first})")
        outcomes = [threads.start(backend).exception() for _ in range(2)]
        assert outcomes[-1] is None
    finally:
        threads.stop()


def test_a_call_that_nobody_waits_for_is_told_when_it_fails_and_not_begun_once_the_pool_has_stopped(caplog):
    def fails() -> None:
        raise OSError("the disk is gone")

    threads = Threads("test", size=1)
    threads.start_aside(fails)
    threads.stop()
    threads.start_aside(fails)

    (told,) = [record for record in caplog.records if record.name == "gateway.threads"]
    assert told.levelname == "ERROR"
    assert "the disk is gone" in str(told.exc_info)
