"""Where a connection comes in: a place first, then TLS where the port begins with it, then its protocol."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from .peers import Places, peer_address


class Door(asyncio.Protocol):
    """One connection until its protocol takes over, and its holder of a place until it ends.

    A server of asyncio that speaks TLS tells of a connection after its handshake only: whoever does not begin one
    would be counted nowhere. It would also serve the certificate that it was started with for ever.
    """

    def __init__(
        self,
        places: Places,
        build: Callable[["Door"], Any],
        *,
        refusal: bytes,
        tls: ssl.SSLContext | None,
        handshake_seconds: float,
        entering: "set[Door]",
    ) -> None:
        """`build` makes the protocol; `entering` holds the doors at which a handshake is under way."""
        self.peer = ""
        self.guest: Any = None  # who came in: says whether it is `at_work`, and can `give_way`
        self._places = places
        self._build = build
        self._refusal = refusal
        self._tls = tls
        self._handshake_seconds = handshake_seconds
        self._entering = entering
        self._transport: Any = None
        self._handshake: asyncio.Task[None] | None = None

    @property
    def at_work(self) -> bool:
        return self.guest is not None and self.guest.at_work

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.peer = peer_address(transport)
        if not self._places.take(self):
            if self._tls is None:
                transport.write(self._refusal)
                transport.close()
            else:
                transport.abort()  # nothing can be said before TLS, and a handshake costs us more than it costs them
            return
        if self._tls is None:
            protocol = self._build(self)
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        else:
            transport.pause_reading()  # until TLS reads
            self._entering.add(self)
            self._handshake = asyncio.ensure_future(self._shake_hands(self._tls))

    def give_way(self) -> None:
        """Somebody else needs the place."""
        if self.guest is None or self in self._entering:  # before TLS there is nobody to say it to
            self.hang_up()
        else:
            self.guest.give_way()

    def hang_up(self) -> None:
        self._transport.abort()

    def leave(self) -> None:
        """The connection is over. May be called more than once."""
        self._places.give_back(self)

    async def _shake_hands(self, context: ssl.SSLContext) -> None:
        protocol = self._build(self)
        secured = None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                self._transport,
                protocol,
                context,
                server_side=True,
                ssl_handshake_timeout=self._handshake_seconds,
            )
        except OSError:  # TLS's own errors too: a scanner, an old client, one that was lost
            self._transport.abort()
        finally:
            self._entering.discard(self)
            if secured is None or secured.is_closing():
                self.leave()
        if secured is not None and not secured.is_closing():
            protocol.connection_made(secured)
