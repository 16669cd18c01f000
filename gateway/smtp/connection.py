"""The life of one SMTP connection: places, time limits, last words. What is said in between is in `protocol.py`.

aiosmtpd gives the asyncio protocol, session, envelope and timer. Its switch to TLS is not used: nobody hears of a
handshake that fails in it, and the connection would be taken for open as long as the process lives.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aiosmtpd.smtp import SMTP, TLSSetupException

from ..peers import peer_address
from . import replies
from .replies import Reply
from .text import Pace

# The library logs commands at INFO and the text of mail at DEBUG, and a line for every connection besides.
logging.getLogger("mail.log").setLevel(logging.WARNING)

LINGER_SECONDS = 30
GIVING_WAY_SECONDS = 2


class Times(NamedTuple):
    """Seconds; `command` and `data_block` are RFC 5321 4.5.3.2's for a server."""

    command: float = 300
    data_block: float = 180
    text: Pace = Pace()
    without_mail: float = 900  # from the greeting, or from the last mail that was kept, to the next text
    handshake: float = 30


class Connection(SMTP):
    """`announce` gets True when the connection opens, False when it ended."""

    line_length_limit = 64 * 1024  # asyncio's read-ahead: it stops reading the socket at twice this

    def __init__(
        self,
        *,
        host: str,
        tls_context: ssl.SSLContext | None,
        implicit_tls: bool,
        times: Times,
        announce: Callable[["Connection", bool], None],
    ) -> None:
        super().__init__(
            None,  # a handler: the library's hooks are not used
            enable_SMTPUTF8=True,
            hostname=host,
            tls_context=None if implicit_tls else tls_context,
            timeout=times.command,
            loop=asyncio.get_running_loop(),
        )
        self.implicit_tls = implicit_tls
        self.times = times
        self.peer = ""
        self.stopping = False
        self.in_transaction = False  # from MAIL to the reply to its text
        self.said_last: Reply | None = None
        self._announce = announce
        self._shaking_hands = False

    @property
    def secure(self) -> bool:
        return self.implicit_tls or self._tls_protocol is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._original_transport is None:
            self.peer = peer_address(transport)
            self._announce(self, True)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.session is not None:  # there is none when a port's own handshake failed
            super().connection_lost(error)
        self._announce(self, False)

    def eof_received(self) -> bool | None:
        """Let the dialogue end by itself: a client may send all it has, close its side and read our replies."""
        self._reader.feed_eof()
        return not self.secure

    def _timeout_cb(self) -> None:
        self.last_words(replies.TIMED_OUT)

    def shut_down(self) -> None:
        """Close now unless a transaction is under way; that one may end first."""
        self.stopping = True
        if not self.in_transaction:
            self.last_words(replies.SHUTTING_DOWN)

    def give_way(self) -> None:
        """Close at once, for the place is somebody else's by now; whoever does not read is not waited for."""
        self.last_words(replies.GIVING_WAY)
        self.loop.call_later(GIVING_WAY_SECONDS, self.hang_up)

    def last_words(self, reply: Reply) -> None:
        if self._shaking_hands:
            self.hang_up()  # nothing that it would understand can be said now
        elif self.transport is not None and not self.transport.is_closing():
            self.said_last = reply
            self._writer.write(f"{reply}\r\n".encode())
            self.close()

    def close(self) -> None:
        """End the connection when the client has taken what is written; one that does not read can't hold its place."""
        if isinstance(self.transport, asyncio.WriteTransport) and not self.transport.is_closing():
            self.transport.close()
            self.loop.call_later(LINGER_SECONDS, self.hang_up)

    def hang_up(self) -> None:
        """End the connection at once, whatever is still to be written."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def start_tls(self) -> None:
        """Go on under TLS, as a new session (RFC 3207 4.2). Raises TLSSetupException; then the connection is over."""
        raw: Any = self.transport
        secured: Any = None
        self._reader._buffer.clear()  # type: ignore[attr-defined]  # what was said in clear counts no more
        self._shaking_hands = True
        try:
            secured = await self.loop.start_tls(
                raw,
                self,
                self.tls_context,  # type: ignore[arg-type]
                server_side=True,
                ssl_handshake_timeout=self.times.handshake,
            )
        except OSError as error:  # TLS's own errors too
            raise TLSSetupException from error
        finally:
            self._shaking_hands = False
            if secured is None:
                # asyncio does not tell this protocol of each way in which a handshake can end.
                raw.abort()
                self._announce(self, False)
        if secured is None or secured.is_closing():
            raise TLSSetupException
        self._original_transport, self._tls_protocol = raw, secured._ssl_protocol
        # Who is quick has spoken under TLS already, and the library throws away what it finds. asyncio's reader has no
        # public way to look at it or to give it back.
        spoken = bytes(self._reader._buffer)  # type: ignore[attr-defined]
        self.connection_made(secured)
        self._reader._buffer.extend(spoken)  # type: ignore[attr-defined]

    async def push(self, status: Any) -> None:
        self._writer.write(f"{status}\r\n".encode())
        with self.patience(self.times.command):
            await self._writer.drain()

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """The library's timer, running only while it is the client's turn: our own work has bounds of its own."""
        self._reset_timeout(seconds)
        try:
            yield
        finally:
            if self._timeout_handle is not None:
                self._timeout_handle.cancel()
