"""Each service is restarted while web, worker, beat and gateway run, each a process of its own that nobody starts anew."""

import http.client
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from portal.onebox.embedded import redis
from tests.breaking.kit import IN_CORE, PAGE, Box, mails, until
from tests.breaking.machine import Machine
from tests.cast import customer
from tests.gateway.kit import without_trace

READY = "/readyz"


@pytest.fixture
def own_redis(server, settings, turn_to):
    running = [redis.start(server.folder, durable=True)]
    settings.REDIS_URL = running[0].url
    turn_to(settings.REDIS_URL.replace("unix://", "redis+socket://", 1))

    class Redis:
        def stop(self):
            running.pop().stop()

        def start(self):
            running.append(redis.start(server.folder, durable=True))

    yield Redis()
    for each in running:
        each.stop()


class Installation:
    """All processes, a sender who comes again with what was put off, and somebody who looks at pages."""

    def __init__(self, folder, box):
        self._box, self._machine = box, Machine(folder, processes=2, beat=True)
        self.clients = self._machine.clients
        self._over = threading.Event()
        self.sent, self.pages, self.ready = [], [], []
        self.looked = False
        self.forget()

    def forget(self):
        """What was seen, but not what was sent."""
        self.taken = self.put_off = 0
        self.pages.clear()
        self.ready.clear()

    def alive(self):
        return self._machine.is_whole()

    def work(self, until_over):
        while not self._over.is_set():
            until_over()
            self._over.wait(0.02)

    def send(self):
        """Until it is taken: the first that is put off is the next to be sent."""
        [text] = mails(1)
        while not self._over.is_set():
            try:
                reply = self.clients.send(text, self._box.address)
            except (ConnectionRefusedError, ssl.SSLError):  # it does not listen yet
                assert not self.sent
                continue
            if reply.startswith(b"250 "):
                self.sent.append(text)
                self.taken += 1
                return
            assert reply.startswith(b"4"), reply
            self.put_off += 1
            self._over.wait(0.1)

    def look(self):
        for path, statuses in ((PAGE, self.pages), (READY, self.ready)):
            asking = http.client.HTTPConnection("127.0.0.1", self._machine.web, timeout=60)
            try:
                asking.request("GET", path, headers={"Host": "acme.portal.localhost"})
                statuses.append(asking.getresponse().status)
                self.looked = True
            except ConnectionRefusedError:
                assert not self.looked, "it listened before"
            finally:
                asking.close()

    def end(self):
        self._over.set()

    def kill(self):
        self._machine.dies()
        sys.stdout.write(self._machine.last_words())


@IN_CORE
def test_each_service_is_restarted_in_turn_and_nothing_is_lost_or_has_to_be_started_by_hand(
    server, own_redis, few_sessions, tmp_path
):
    box = Box(customer("acme"))
    box.seed(mails(60))
    installation = Installation(tmp_path / "all", box)

    class Crashing:
        stop, start = server.crash, server.start

    try:
        with ThreadPoolExecutor(2) as hands:
            working = [hands.submit(installation.work, act) for act in (installation.send, installation.look)]
            try:
                until(lambda: bool(installation.sent) and 200 in installation.ready, "all of it serves")
                for service in (server, Crashing, few_sessions, own_redis):
                    job = box.reset()
                    connection.close()
                    installation.forget()
                    service.stop()
                    until(lambda: 503 in installation.ready, "it is missed")
                    if service is not own_redis:
                        until(lambda: installation.put_off > 0, "mail is put off")
                        until(lambda: 503 in installation.pages, "a page says so")
                    service.start()
                    installation.forget()
                    until(
                        lambda: installation.ready[-1:] == installation.pages[-1:] == [200], "pages are back"
                    )
                    until(lambda: installation.taken > 2, "mail is taken")
                    box.await_state(job, "done")
                    assert set(installation.pages) <= {200, 503}
            finally:
                installation.end()
            for each in working:
                each.result()
        assert installation.alive(), "nobody had to start anything"
        found = list(box.collected(installation.clients).values())
        theirs = {without_trace(text) for text in found if text.startswith(b"Return-Path")}
        assert set(installation.sent) <= theirs, "what was taken is there"
        assert set(box.ledger.values()) <= set(found)
    finally:
        installation.clients.close()
        installation.kill()
