"""Senders and archivers at work on a mailbox."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.breaking.kit import Box, Ledger, mails
from tests.gateway.kit import Clients, Wire, without_trace

FIRST, STEP = 12, 4  # an archiver takes some of the first few, so that less goes than comes


class Traffic:
    """A sender by SMTP and an archiver by POP3 who go on until they are told to stop, and who keep books."""

    def __init__(self, box: Box, clients: Clients) -> None:
        self._box, self._clients = box, clients
        self._over = threading.Event()
        self.arrived: list[bytes] = []
        self.collected: Ledger = {}

    @contextmanager
    def flowing(self) -> Iterator[None]:
        with ThreadPoolExecutor(2) as hands:
            working = [hands.submit(self._repeat, act) for act in (self._send, self._collect)]
            try:
                yield
            finally:
                self._over.set()
        for work in working:
            work.result()

    def prove(self, before: Ledger, now: Ledger) -> Ledger:
        """What was there before and what has arrived is there or was collected, exactly once; returns what is there."""
        assert not self.collected.keys() & now.keys(), "gone is gone"
        known = {uid: text for uid, text in (self.collected | now).items() if uid in before}
        assert known == before
        others = [text for uid, text in (self.collected | now).items() if uid not in before]
        assert sorted(map(without_trace, others)) == sorted(self.arrived)
        return now

    def _repeat(self, act: Callable[[], None]) -> None:
        while not self._over.is_set():
            act()

    def _send(self) -> None:
        [text] = mails(1)
        reply = self._clients.send(text, self._box.address)
        if reply.startswith(b"250 "):
            self.arrived.append(text)
        else:
            assert reply.startswith(b"451 "), reply  # a reset came in between: senders try again

    def _collect(self) -> None:
        wire = self._clients.pop3_wire()
        try:
            self.collected |= self._session(wire)
        finally:
            wire.close()

    def _session(self, wire: Wire) -> Ledger:
        """What was collected and deleted for good; nothing when a reset ended the session."""
        password = self._box.password
        wire.ask(f"USER {self._box.address}".encode())
        if not wire.ask(f"PASS {password}".encode()).startswith(b"+OK"):
            with self._box.resetting:
                assert password != self._box.password, "the newest password opens at every moment"
            return {}
        assert wire.ask(b"UIDL").startswith(b"+OK")
        uids = [line.split()[1].decode() for line in wire.body().splitlines()]
        taken = {}
        for number in range(1, min(FIRST, len(uids)) + 1, STEP):
            if not wire.ask(b"RETR %d" % number).startswith(b"+OK"):
                return {}
            taken[uids[number - 1]] = wire.body()
            wire.ask(b"DELE %d" % number)
        return taken if wire.ask(b"QUIT").startswith(b"+OK") else {}
