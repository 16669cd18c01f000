"""Two machines on one PostgreSQL, Redis and bucket, with nothing else in common: one of them dies, and the other goes on."""

import http.client
import sys
import threading

import pytest

from tests.breaking.kit import LONG, PAGE, mails, until
from tests.breaking.machine import Machine
from tests.gateway.kit import without_trace

SENT = 100  # before a machine dies, and again afterwards


def serves(machine):
    """Whether a page is answered, and the gateway greets."""
    asking = http.client.HTTPConnection("127.0.0.1", machine.web, timeout=60)
    try:
        asking.request("GET", PAGE, headers={"Host": "acme.portal.localhost"})
        machine.clients.smtp_wire().close()
        return asking.getresponse().status == 200
    except OSError:
        return False
    finally:
        asking.close()


@pytest.fixture
def machines(committed_db, bell, s3_store, tmp_path):
    started = []
    try:
        started += [Machine(tmp_path / "one"), Machine(tmp_path / "two", beat=True)]
        yield started
    finally:
        for machine in started:
            machine.dies()
            sys.stdout.write(machine.last_words())
        bell.flush()


@pytest.mark.skipif(not LONG, reason="seven processes are started for it: make soak")
def test_one_of_two_machines_dies_and_no_acknowledged_mail_with_it(machines, box):
    one, two = machines
    box.seed(mails(300))
    until(lambda: all(map(serves, machines)), "both serve")
    acknowledged, over = {"one": [], "two": []}, threading.Event()

    def send(name, machine):
        """To a machine that is preferred; what that did not acknowledge goes to the other, as mail servers do."""
        while not over.is_set():
            [text] = mails(1)
            for to, at in ((name, machine), ("two", two)):
                try:
                    reply = at.clients.send(text, box.address)
                except (OSError, AssertionError):  # cut off in the middle
                    continue
                if reply.startswith(b"250 "):
                    acknowledged[to].append(text)
                    break

    senders = [
        threading.Thread(target=send, args=each) for each in (("one", one), ("two", two), ("one", one))
    ]
    for sender in senders:
        sender.start()
    try:
        until(lambda: min(map(len, acknowledged.values())) >= SENT, "mail comes in at both")
        job = box.reset()
        box.await_done(job, 10)
        one.dies()
        before = len(acknowledged["two"])
        until(lambda: len(acknowledged["two"]) >= before + SENT, "the other takes all")
        box.await_state(job, "done")
        assert serves(two)
    finally:
        over.set()
        for sender in senders:
            sender.join()
    there = [without_trace_if_any(text) for text in box.collected(two.clients).values()]
    sent = [text for texts in acknowledged.values() for text in texts]
    assert acknowledged["one"] and set(sent) | set(box.ledger.values()) <= set(there)
    assert not (one.folder / "state" / "store").exists(), "nothing lies on a machine"


def without_trace_if_any(text):
    return without_trace(text) if text.startswith(b"Return-Path:") else text
