"""One POP3 connection: octets in and out around a session. Time limits, TLS, and writing as fast as the client reads."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from mailboxes.services.delivery_log import Reason

from ..errors import BareLineFeed, ConnectionEnded, EndlessLine, LineTooLong
from ..lines import LineReader
from ..peers import peer_address, tls_version
from .replies import Interrupted, Reply, Then
from .session import Session
from .stuffing import DotStuffer

log = logging.getLogger("gateway.pop3")

WRITE_OCTETS = 64 * 1024  # smaller writes cost a TLS record and a system call each
GREETING = b"+OK Gatehouse POP3 ready\r\n"
TOO_MANY_CONNECTIONS = b"-ERR [SYS/TEMP] Too many connections, please come back later\r\n"


class Times(NamedTuple):
    """Seconds."""

    sign_in: float = 180  # from the greeting; who has not signed in by then holds a place for nothing
    idle: float = 600  # RFC 1939 3: at least ten minutes
    write: float = 180  # for the client to take what it asked for, 64 KiB at a time
    handshake: float = 30


class Connection:
    """Serves one client until it leaves, is lost or is told to go."""

    def __init__(
        self,
        maildrops: Any,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        certificate: ssl.SSLContext,
        secure: bool,
        times: Times,
    ) -> None:
        self.peer = peer_address(writer)
        self.busy = False
        self._stream = reader
        self._lines = LineReader(reader)
        self._writer = writer
        self._certificate = certificate
        self._times = times
        self._stopping = False
        self._shaking_hands = False
        self._session = Session(maildrops, peer=self.peer, secure=secure, hang_up=self.hang_up)
        self._session.tls = tls_version(writer)

    async def serve(self) -> None:
        """Returns when the connection is over; the maildrop is released by then, deletions only if QUIT said so."""
        try:
            sign_in_by = asyncio.get_running_loop().time() + self._times.sign_in
            await self._write(GREETING)
            while not self._stopping:
                if await self._one_command(sign_in_by) is Then.CLOSE:
                    break
        except Interrupted:
            # The final dot must not come: what was sent is only a part of the message.
            self.hang_up()
        except TimeoutError:
            self._session.broken_by = Reason.TOO_SLOW
        except (ConnectionEnded, EndlessLine, OSError):
            pass
        finally:
            try:
                await self._session.end()
            finally:
                await self._close()

    @property
    def at_work(self) -> bool:
        """Whether somebody has signed in."""
        return self._session.signed_in

    def give_way(self) -> None:
        """POP3 has no word for it: the connection ends, nothing is deleted, and the client comes again."""
        self._session.broken_by = Reason.STOPPED
        self.hang_up()

    def hang_up(self) -> None:
        self._writer.transport.abort()

    def shut_down(self) -> None:
        """Close now, or after the command at hand."""
        self._stopping = True
        self._session.broken_by = Reason.STOPPED
        if not self.busy:
            self._writer.transport.close()

    async def _one_command(self, sign_in_by: float) -> Then:
        now = asyncio.get_running_loop().time()
        patience = self._times.idle
        if not self._session.signed_in:
            patience = min(patience, sign_in_by - now)
            if patience <= 0:  # asked here too, for a line that is there already is not waited for
                raise TimeoutError
        try:
            # RFC 1939 3: at the end of patience the connection closes without a word and without UPDATE.
            async with asyncio.timeout_at(now + patience):
                line = await self._lines.line(self._session.line_limit)
        except EndlessLine:
            raise
        except LineTooLong:
            return await self._send(self._session.wrong("Line too long"))
        except BareLineFeed:
            return await self._send(self._session.wrong("Lines must end with CRLF"))
        self.busy = True
        try:
            return await self._send(await self._session.answer(line))
        finally:
            self.busy = False

    async def _send(self, reply: Reply) -> Then:
        if reply.then is Then.START_TLS and self._lines.has_more:
            # What follows was sent in clear, by anyone; it must not be taken for what the protected session says.
            log.warning("pop3 closed peer=%s reason=data-behind-stls", self.peer)
            return Then.CLOSE
        first = f"{reply.line}\r\n".encode()
        if reply.body is None:
            await self._write(first)
        elif isinstance(reply.body, bytes):
            await self._write(first + reply.body + b".\r\n")
        else:
            await self._send_body(first, reply.body)
        if reply.then is Then.START_TLS:
            await self._start_tls()
        return reply.then

    async def _send_body(self, first: bytes, body: AsyncGenerator[bytes, None]) -> None:
        stuffer, pending = DotStuffer(), bytearray(first)
        async with contextlib.aclosing(body):
            async for octets in body:
                pending += stuffer.feed(octets)
                if len(pending) >= WRITE_OCTETS:
                    await self._write(bytes(pending))
                    pending.clear()
                    await asyncio.sleep(0)  # a listing waits for nothing, and others want their turn
        await self._write(bytes(pending + stuffer.finish()))

    async def _start_tls(self) -> None:
        self._shaking_hands = True
        await self._writer.start_tls(self._certificate, ssl_handshake_timeout=self._times.handshake)
        self._shaking_hands = False
        self._lines = LineReader(self._stream)
        self._session.secure = True
        self._session.tls = tls_version(self._writer)

    async def _write(self, octets: bytes) -> None:
        self._writer.write(octets)
        async with asyncio.timeout(self._times.write):
            await self._writer.drain()

    async def _close(self) -> None:
        if self._shaking_hands:  # it failed, and asyncio tells nobody of the end of such a connection
            self._writer.transport.abort()
            return
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._times.write):
                await self._writer.wait_closed()
        self._writer.transport.abort()
