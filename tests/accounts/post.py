"""The post: what workers mail of what a block does, as the recipients get it; and a mail server that refuses some."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP

from accounts.tasks import send_mails


class Post:
    """Sends what has to be sent, as workers do, and keeps it."""

    def __init__(self, outbox: list[Any], on_commit: Any) -> None:
        self._outbox, self._on_commit = outbox, on_commit

    @contextmanager
    def of(self) -> Iterator[list[Any]]:
        """The mails of what is done inside; complete when the block has ended."""
        send_mails()  # of what was done before
        before, sent = len(self._outbox), []
        with self._on_commit(execute=True):
            yield sent
        send_mails()
        sent += self._outbox[before:]


class MailServer:
    """Takes mail by SMTP, but for whom it does not know."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self.taken: list[str] = []  # the recipients of what it took
        self.port = 0

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken += envelope.rcpt_tos
        return "250 OK"

    @contextmanager
    def serving(self, **options: Any) -> Iterator["MailServer"]:
        """`options` are aiosmtpd's: TLS, who may sign in."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(
            loop.create_server(
                lambda: SMTP(self, loop=loop, hostname="mail.example", **options), "127.0.0.1", 0
            )
        )
        self.port = server.sockets[0].getsockname()[1]
        thread = Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            loop.close()
