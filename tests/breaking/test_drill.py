"""A fire drill, `make drill` in earnest: back up under load, lose everything, restore, account for every message."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connections
from psycopg import sql

from accounts.actors import SYSTEM
from mailboxes.backup.keys import new_recovery_key
from mailboxes.services import janitor
from tests.breaking.kit import LONG, Box, mails, short_or_long, until
from tests.breaking.traffic import Traffic
from tests.breaking.workers import environment_of_processes
from tests.conftest import DATABASE, _drop, _outside
from tests.gateway.kit import Certificates, gateway_running, without_trace

ROOT = Path(__file__).resolve().parents[2]
BOXES, SEEDED, LATE = short_or_long(2, 8), short_or_long(60, 1000), short_or_long(5, 50)
SECONDS = 600


@pytest.fixture
def quiet_gateway():
    """Of hundreds of mails nobody reads a line for each."""
    log = logging.getLogger("gateway")
    log.setLevel(logging.WARNING)
    yield
    log.setLevel(logging.NOTSET)


def manage(*arguments, key="", **more):
    """A command in a process of its own, as an operator starts it, to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env={**environment_of_processes(), **more},
        cwd=ROOT,
        input=key,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_all_mail_that_was_accepted_before_the_backup_is_there_after_the_fire(
    committed_db, acme, globex, settings, tmp_path, quiet_gateway
):
    place = tmp_path / "backups"
    place.mkdir()
    public, key = new_recovery_key()
    settings_of_backup = {"GATEHOUSE_RECOVERY_PUBLIC_KEY": public}
    certificates = Certificates(tmp_path)
    boxes = [Box((acme, globex)[number % 2], f"Box {number}") for number in range(BOXES)]
    for box in boxes:
        box.seed(mails(SEEDED))
    killed = 0
    with gateway_running(certificates) as clients, ExitStack() as flowing:
        streams = [Traffic(box, clients) for box in boxes]
        for stream in streams:
            flowing.enter_context(stream.flowing())
        until(lambda: all(len(stream.arrived) >= LATE for stream in streams), "mail comes in")
        if LONG:  # the first attempts end in the middle
            for seconds in (1.5, 3.0, 5.0):
                killed += killed_after(seconds, place, settings_of_backup)
        # Whatever was accepted up to here has to be in it.
        accepted = [list(stream.arrived) for stream in streams]
        taken = manage("backup", place.as_uri(), "--keep", "1", "--json", **settings_of_backup)
        assert taken.returncode == 0, taken.stderr
        made = json.loads(taken.stdout)
        until(lambda: all(stream.collected for stream in streams), "mail is collected")
    assert made["missing"] == []

    connections.close_all()
    with _outside() as outside:
        _drop(outside, DATABASE)
        outside.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    shutil.rmtree(settings.STORE_ROOT)
    settings.STORE_ROOT.mkdir(mode=0o700)

    if LONG:
        checked = manage("check_backup", place.as_uri())
        assert checked.returncode == 0, checked.stdout + checked.stderr
    begun = time.monotonic()
    restored = manage("restore", place.as_uri(), key=f"{key}\n", **settings_of_backup)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    seconds = time.monotonic() - begun

    back = collected = 0
    with gateway_running(certificates) as clients:
        for box, stream, before in zip(boxes, streams, accepted, strict=True):
            now = box.collected(clients)
            # What was there, or had arrived: is there, or had been collected by whoever it was for.
            for uid, text in box.ledger.items():
                assert now.get(uid, stream.collected.get(uid)) == text
            others = [
                without_trace(text) for uid, text in (stream.collected | now).items() if uid not in box.ledger
            ]
            assert set(before) <= set(others)
            assert set(others) <= set(stream.arrived), "and nothing that nobody sent"
            back += len(now)
            collected += len(stream.collected)
            clients.send(b"Subject: after the fire\r\n\r\n", box.address)
            wire = clients.logged_in(box)
            assert wire.ask(b"STAT").startswith(b"+OK %d " % (len(now) + 1))
            wire.close()
    for customer in (acme, globex):
        assert janitor.check_store(customer, by=SYSTEM).ok
    sys.stdout.write(
        f"drill: {sum(map(len, accepted))} messages by SMTP and {BOXES * SEEDED} before, {collected} collected, "
        f"{killed} attempts killed; backup of {made['messages']} messages, {made['octets'] / 1e6:.1f} MB; "
        f"{back} back after {seconds:.1f} s; all accounted for\n"
    )


def killed_after(seconds, place, more):
    """Whether it was killed before it had ended."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "backup", place.as_uri()],
        env={**environment_of_processes(), **more},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False
