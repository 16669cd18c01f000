"""What was said to be kept is on the disk, and an answer that gets lost costs nothing."""

import shutil
import socket
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connection, connections
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import Message
from mailboxes.services import collection, delivery
from mailboxes.work.reencryption import BATCH
from mailboxes.work.slices import work_slice
from tests.conftest import PEER

MAIL = b"Subject: hello\r\n\r\nA line.\r\n"
SECONDS = 30


@pytest.fixture
def commits(in_acme):
    """How durable the transactions are that touch messages and locks: a trigger in the database notes it down."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE noted (at bigserial, act text, durable text);"
            "CREATE FUNCTION note_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO noted (act, durable) VALUES"
            " (tg_op || ' ' || tg_table_name, current_setting('synchronous_commit'));"
            " RETURN NULL; END $$;"
            "CREATE TRIGGER note_down AFTER INSERT OR UPDATE OR DELETE ON mailboxes_message"
            " EXECUTE FUNCTION note_down();"
            "CREATE TRIGGER note_down AFTER DELETE ON mailboxes_keylock EXECUTE FUNCTION note_down()"
        )

    def read() -> list[tuple[str, str]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT act, durable FROM noted ORDER BY at")
            rows = cursor.fetchall()
            cursor.execute("DELETE FROM noted")
            # The tests' one transaction goes on, and the next act must say it for itself.
            cursor.execute("SET LOCAL synchronous_commit = off")
        return rows

    read()
    return read


def test_the_server_may_not_put_off_what_the_store_relies_on(commits, fill, acme, acme_mailbox, work):
    fill(MAIL, MAIL)
    assert ("INSERT mailboxes_message", "on") in commits(), "250 follows"

    password, job = services.reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    assert ("DELETE mailboxes_keylock", "on") in commits(), (
        "the old password is said to open nothing any more"
    )
    work(job)
    told = commits()
    assert ("UPDATE mailboxes_message", "on") in told, "the old blobs go"
    assert {durable for _, durable in told} == {"on"}

    maildrop = collection.open_maildrop(acme_mailbox.address, password, peer=PEER)
    maildrop.commit([0])
    assert commits() == [("DELETE mailboxes_message", "on")], "the blob goes"

    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, locked_mail="keep")
    commits()
    services.delete_locked_mail(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert commits() == [("DELETE mailboxes_keylock", "on")], "nobody is said to read it any more"

    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert ("DELETE mailboxes_keylock", "on") in commits(), "nor the rest"


class Losing:
    """A way to PostgreSQL that breaks off after the first COMMIT was carried out, before its answer comes back."""

    def __init__(self, server: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="gh-")
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.folder}/{Path(server).name}")
        self._listener.listen()
        self.lost = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._server)
        back = threading.Thread(target=self._carry_back, args=(server, client), daemon=True)
        back.start()
        while octets := _received(client):
            if b"COMMIT" in octets and not self.lost:
                self.lost = True
            server.sendall(octets)
        server.close()

    def _carry_back(self, server: socket.socket, client: socket.socket) -> None:
        lost_before = self.lost
        while octets := _received(server):
            if self.lost and not lost_before:
                break
            client.sendall(octets)
        client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self.folder)


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


@pytest.fixture
def losing(committed_db):
    """A block in which the answer to the first COMMIT gets lost."""
    known = connection.get_connection_params()
    if not str(known["host"]).startswith("/"):
        pytest.skip("PostgreSQL is not reached by a socket in a folder")

    @contextmanager
    def block():
        way = Losing(f"{known['host']}/.s.PGSQL.{known.get('port') or 5432}")
        before = connection.settings_dict["HOST"]
        connection.close()
        connection.settings_dict["HOST"] = way.folder
        try:
            yield
            assert way.lost
        finally:
            connection.close()
            connection.settings_dict["HOST"] = before
            way.close()

    return block


def test_mail_whose_commit_went_unanswered_is_whole_though_the_sender_is_told_to_try_again(
    losing, acme_mailbox, collect
):
    recipient = delivery.resolve(acme_mailbox.address, peer=PEER)
    with losing(), pytest.raises(DatabaseError):
        delivery.deliver([recipient], [MAIL])
    assert collect(acme_mailbox.password) == [MAIL]


def test_re_encrypted_mail_whose_commit_went_unanswered_is_whole(losing, fill, acme, acme_mailbox, collect):
    fill(MAIL, MAIL)
    password, job = services.reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    with losing():
        assert not work_slice(acme, job.pk)
    with tenant_context(acme):
        assert {message.key.generation for message in Message.objects.select_related("key")} == {2}
    assert collect(password) == [MAIL, MAIL]


@pytest.fixture
def outside(committed_db):
    """Somebody else's connection."""
    known = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: known[name] for name in names if known.get(name)}) as other:
        yield other


def test_a_job_gets_four_slices_at_once_and_one_failure_of_them_all_counts_once(
    outside, fill, acme, acme_mailbox
):
    fill(*[MAIL] * (6 * BATCH))  # enough for all six
    _, job = services.reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    # Who has a place gets as far as this row, and waits there.
    outside.execute(
        f"SELECT id FROM \"{acme.schema_name}\".mailboxes_mailboxkey WHERE state = 'current' FOR UPDATE"
    )
    turned_away = threading.Semaphore(0)

    def slice_of_work() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET lock_timeout = 0"
                )  # the first waits as long as it takes the fourth to come
            work_slice(acme, job.pk)
            turned_away.release()
        finally:
            connections.close_all()

    workers = [threading.Thread(target=slice_of_work) for _ in range(6)]
    for worker in workers:
        worker.start()
    assert turned_away.acquire(timeout=SECONDS)
    assert turned_away.acquire(timeout=SECONDS), "two of six find no place"
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    pause = threading.Event()
    while len(outside.execute(waiting).fetchall()) < 4:
        pause.wait(0.02)

    outside.execute(f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS w")
    for worker in workers:
        worker.join(SECONDS)
    outside.rollback()

    job = services.job_for(SYSTEM, acme, job.pk)
    assert (job.error, job.failures) == ("database-failed", 1)
