"""PostgreSQL's machine is gone, and its standby takes over: mail is put off meanwhile, and none that was acknowledged is lost;
pages say when to come again, and jobs go on.
"""

import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.db import connection, connections

from portal.onebox.embedded import addresses, permissions, postgres
from tests.breaking.installation import Installation
from tests.breaking.kit import LONG, Box, mails, until
from tests.breaking.workers import Bell
from tests.cast import customer
from tests.gateway.kit import Certificates, gateway_running, without_trace

MAILS = 30  # before, and again afterwards


class Standby:
    """A copy of a running server that follows it, in a folder of its own."""

    def __init__(self, primary: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gh-"))
        data = addresses.postgres_dir(self.folder)
        subprocess.run(
            [
                *(postgres._programs() / "pg_basebackup", "--pgdata", data, "--write-recovery-conf"),
                *("--checkpoint=fast", "--no-sync", "--username=postgres"),
                *("--host", addresses.postgres_dir(primary), "--port", str(addresses.POSTGRES_PORT)),
            ],
            check=True,
        )
        for left_over in data.glob(".s.PGSQL.*"):  # of the other's socket, which lies in its folder
            left_over.unlink()
        if user := permissions.server_user():
            permissions.let_in(self.folder, user)
            for path in (data, *data.rglob("*")):
                shutil.chown(path, user, user)
        self._running = postgres.start(self.folder, durable=False)

    def ask(self, statement: str) -> None:
        _ask(self.folder, statement)

    def stop(self) -> None:
        self._running.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _ask(folder: Path, statement: str) -> list:
    url = addresses.postgres_url(folder, role="postgres", database="postgres")
    with psycopg.connect(url, autocommit=True) as where:
        answer = where.execute(statement)
        return answer.fetchall() if answer.description else []


@pytest.fixture
def standby(server):
    """It confirms each commit before that is acknowledged, and our processes know of both."""
    standby = Standby(server.folder)
    of_both = (
        pytest.MonkeyPatch()
    )  # the test's own would be undone after the `server` has led back to the suite's
    try:
        _ask(server.folder, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        _ask(server.folder, "SELECT pg_reload_conf()")
        until(
            lambda: ("sync",) in _ask(server.folder, "SELECT sync_state FROM pg_stat_replication"),
            "the standby confirms",
        )
        connections.close_all()
        folders = [str(addresses.postgres_dir(folder)) for folder in (server.folder, standby.folder)]
        options = connection.settings_dict["OPTIONS"] | {"target_session_attrs": "read-write"}
        for known in (connection.settings_dict, connections.settings["default"]):
            of_both.setitem(known, "HOST", ",".join(folders))
            of_both.setitem(known, "PORT", ",".join([str(addresses.POSTGRES_PORT)] * 2))
            of_both.setitem(known, "OPTIONS", options)
        yield standby
    finally:
        connections.close_all()
        of_both.undo()
        standby.stop()


@pytest.mark.skipif(not LONG, reason="a second PostgreSQL is made first: make soak")
def test_a_standby_that_takes_over_costs_no_acknowledged_mail(server, standby, tmp_path):
    box = Box(customer("acme"))
    acknowledged, put_off, over = [], [], threading.Event()
    with gateway_running(Certificates(tmp_path)) as clients:

        def send():
            texts = iter(mails(100_000))
            while not over.is_set():
                text = next(texts)
                try:
                    reply = clients.send(text, box.address)
                except OSError:
                    reply = b"4"  # cut off: a sender tries again
                (acknowledged if reply.startswith(b"250 ") else put_off).append((text, reply))

        sender = threading.Thread(target=send)
        sender.start()
        try:
            until(lambda: len(acknowledged) >= MAILS, "mail comes in")
            server.crash_for_good()
            until(lambda: len(put_off) >= 3, "mail is put off")
            standby.ask("SELECT pg_promote()")
            before = len(acknowledged)
            until(lambda: len(acknowledged) >= before + MAILS, "mail comes in again, by itself")
        finally:
            over.set()
            sender.join()
        assert {reply[:1] for _, reply in put_off} == {b"4"}, "each sender keeps its mail"
        there = [without_trace(text) for text in box.collected(clients).values()]
        assert {text for text, _ in acknowledged} <= set(there)
        assert len(there) == len(set(there))


@pytest.mark.skipif(not LONG, reason="a second PostgreSQL and all processes are started for it: make soak")
def test_all_processes_follow_a_standby_that_takes_over_while_redis_comes_back_empty(
    server, own_redis, standby, tmp_path
):
    box = Box(customer("acme"))
    box.seed(mails(400))
    installation = Installation(tmp_path / "all", box, disk_ms=4)
    try:
        with ThreadPoolExecutor(2) as hands:
            working = [hands.submit(installation.work, act) for act in (installation.send, installation.look)]
            try:
                until(lambda: bool(installation.sent) and 200 in installation.ready, "all of it serves")
                job = box.reset()
                box.await_done(job, 20)
                connections.close_all()
                installation.forget()
                own_redis.stop()
                server.crash_for_good()
                until(lambda: installation.put_off > 0, "mail is put off")
                until(lambda: {503} <= {*installation.pages} & {*installation.ready}, "pages say so")
                own_redis.start()
                Bell().flush()  # whatever it had to hand on is for beat to ring for
                standby.ask("SELECT pg_promote()")
                until(
                    lambda: installation.ready[-1:] == installation.pages[-1:] == [200],
                    "pages are back, by themselves",
                )
                installation.forget()
                until(lambda: installation.taken >= MAILS, "mail is taken")
                assert box.job(job).state != "failed"
                box.await_state(job, "done")
                box.await_state(box.reset(), "done")
                assert {*installation.pages} == {*installation.ready} == {200}
            finally:
                installation.end()
            for each in working:
                each.result()
        assert installation.alive(), "nobody had to start anything"
        found = list(box.collected(installation.clients).values())
        theirs = [without_trace(text) for text in found if text.startswith(b"Return-Path")]
        assert set(installation.sent) <= set(theirs) and len(theirs) == len(set(theirs))
        assert set(box.ledger.values()) <= set(found)
    finally:
        installation.clients.close()
        installation.kill()
