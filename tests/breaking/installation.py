"""All processes of an installation, each of its own, somebody who sends and somebody who looks."""

import http.client
import ssl
import sys
import threading

from tests.breaking.kit import PAGE, mails
from tests.breaking.machine import Machine

READY = "/readyz"


class Installation:
    """All processes, a sender who comes again with what was put off, and somebody who looks at pages."""

    def __init__(self, folder, box, **behaviour):
        """`behaviour` is what worker_settings and disk read."""
        self._box, self._machine = box, Machine(folder, processes=2, beat=True, **behaviour)
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
                answer = asking.getresponse()
                assert answer.status != 503 or path == READY or answer.headers["Retry-After"]
                statuses.append(answer.status)
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
