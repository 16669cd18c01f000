"""Four ports, one process: SMTP and POP3, each in clear with an upgrade to TLS and under TLS from the start."""

import asyncio
import contextlib
import errno
import functools
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from .door import Door
from .errors import PortTaken
from .lanes import Lanes
from .limits import GuessLimits
from .peers import Places
from .pop3.connection import TOO_MANY_CONNECTIONS, Connection
from .pop3.connection import Times as Pop3Times
from .pop3.maildrops import Maildrops
from .smtp import replies
from .smtp.connection import Times as SmtpTimes
from .smtp.ingress import Bounds, Ingress
from .smtp.protocol import Limits, Protocol
from .threads import Threads
from .tls import Certificate

log = logging.getLogger("gateway")

STOP_SECONDS = 10  # for what is under way when the gateway is told to stop
CERTIFICATE_SECONDS = 60  # between two looks at the certificate's files
BACKLOG = 512
DELIVERY_THREADS = 8  # each has a database connection of its own
COLLECTION_THREADS = 8
COUNTING_THREADS = 2  # they ask Redis only
LOOKUP_THREADS = 4


class Ports(NamedTuple):
    """0 lets the system choose."""

    smtp: int
    smtps: int
    pop3: int
    pop3s: int


PORT_VARIABLES = {
    "smtp": "GATEHOUSE_SMTP_PORT",
    "smtps": "GATEHOUSE_SMTPS_PORT",
    "pop3": "GATEHOUSE_POP3_PORT",
    "pop3s": "GATEHOUSE_POP3S_PORT",
}


@dataclass(frozen=True)
class Configuration:
    """What a gateway needs to know; `from_settings` is the one place where it looks."""

    bind: str
    ports: Ports
    host: str
    cert_file: Path | str | None
    key_file: Path | str | None
    redis_url: str | None
    max_octets: int
    shared_ports: bool = False  # several processes listen on the same ports
    smtp_times: SmtpTimes = field(default_factory=SmtpTimes)
    smtp_limits: Limits = field(default_factory=Limits)
    smtp_bounds: Bounds = field(default_factory=Bounds)
    pop3_times: Pop3Times = field(default_factory=Pop3Times)
    smtp_places: int = 1000
    pop3_places: int = 500
    pop3_per_network: int | None = None  # of these; None leaves it all to the fair shares
    guesses: dict[str, Any] = field(default_factory=dict)  # keywords of GuessLimits
    maildrops: dict[str, Any] = field(default_factory=dict)  # keywords of Maildrops
    stop_seconds: float = STOP_SECONDS

    @classmethod
    def from_settings(cls, **changes: Any) -> "Configuration":
        values: dict[str, Any] = {
            "bind": settings.BIND,
            "ports": Ports(settings.SMTP_PORT, settings.SMTPS_PORT, settings.POP3_PORT, settings.POP3S_PORT),
            "host": settings.MAIL_DOMAIN,
            "cert_file": settings.TLS_CERT_FILE,
            "key_file": settings.TLS_KEY_FILE,
            "redis_url": settings.REDIS_URL,
            "max_octets": settings.MAX_MESSAGE_OCTETS,
            "pop3_per_network": settings.POP3_PER_NETWORK,
        }
        return cls(**{**values, **changes})


class Gateway:
    """The servers of one process. `start`, then `stop`, both within a running event loop."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises CannotServe when there is no usable certificate."""
        self.configuration = configuration
        self.certificate = Certificate(configuration.cert_file, configuration.key_file)
        self.ports = configuration.ports
        self._smtp_places = Places(total=configuration.smtp_places)
        self._pop3_places = Places(
            total=configuration.pop3_places, per_network=configuration.pop3_per_network
        )
        self._delivery = Threads("delivery", size=DELIVERY_THREADS)
        self._collection = Threads("collection", size=COLLECTION_THREADS)
        self._counting = Threads("counting", size=COUNTING_THREADS)
        self._lookups = Threads("lookup", size=LOOKUP_THREADS)
        self._ingress = Ingress(self._delivery, self._lookups, configuration.smtp_bounds)
        self._servers: list[asyncio.Server] = []
        self._protocols: set[Protocol] = set()
        self._connections: set[Connection] = set()
        self._entering: set[Door] = set()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises PortTaken; then nothing listens."""
        limits = GuessLimits(self.configuration.redis_url, **self.configuration.guesses)
        maildrops = Maildrops(
            self._collection, limits, Lanes(), counting=self._counting, **self.configuration.maildrops
        )
        smtp = functools.partial(
            self._door, self._smtp_places, f"{replies.TOO_MANY_CONNECTIONS}\r\n".encode()
        )
        pop3 = functools.partial(self._door, self._pop3_places, TOO_MANY_CONNECTIONS)
        try:
            self.ports = Ports(
                await self._listen("smtp", smtp(self._smtp, secure=False)),
                await self._listen("smtps", smtp(self._smtp, secure=True)),
                await self._listen("pop3", pop3(functools.partial(self._pop3, maildrops), secure=False)),
                await self._listen("pop3s", pop3(functools.partial(self._pop3, maildrops), secure=True)),
            )
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.ensure_future(self._watch_certificate())
        log.info("gateway listens bind=%s ports=%s", self.configuration.bind, "/".join(map(str, self.ports)))

    async def stop(self) -> None:
        """Take no more connections, let what is under way end, for so many seconds; then break off."""
        if self._watch is not None:
            self._watch.cancel()
        for server in self._servers:
            server.close()
        for door in list(self._entering):
            door.hang_up()
        for protocol in list(self._protocols):
            protocol.shut_down()
        for connection in list(self._connections):
            connection.shut_down()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.configuration.stop_seconds):
                await self._quiet()
        for protocol in list(self._protocols):
            protocol.hang_up()
        for connection in list(self._connections):
            connection.hang_up()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.configuration.stop_seconds):
                await self._quiet()
                await self._ingress.settle()
        loop = asyncio.get_running_loop()
        pools = (self._delivery, self._lookups, self._collection, self._counting)
        await asyncio.gather(*(loop.run_in_executor(None, pool.stop) for pool in pools))

    def reload_certificate(self) -> None:
        self.certificate.reload()

    async def _quiet(self) -> None:
        # A look now and then is enough here, and asks nothing of the connections.
        while self._protocols or self._connections or self._entering:
            await asyncio.sleep(0.02)

    async def _listen(self, name: str, factory: Callable[[], Door]) -> int:
        port = getattr(self.configuration.ports, name)
        try:
            server = await asyncio.get_running_loop().create_server(
                factory,
                self.configuration.bind,
                port,
                backlog=BACKLOG,
                reuse_port=self.configuration.shared_ports or None,
            )
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise PortTaken(self.configuration.bind, port, PORT_VARIABLES[name]) from error
            raise
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _door(
        self, places: Places, refusal: bytes, build: Callable[..., Any], *, secure: bool
    ) -> Callable[[], Door]:
        # The certificate is asked for anew by each connection: it may have been renewed since the last one.
        return lambda: Door(
            places,
            functools.partial(build, secure=secure),
            refusal=refusal,
            tls=self.certificate.context if secure else None,
            handshake_seconds=self.configuration.pop3_times.handshake,
            entering=self._entering,
        )

    def _smtp(self, door: Door, *, secure: bool) -> Protocol:
        door.guest = Protocol(
            self._ingress,
            host=self.configuration.host,
            max_octets=self.configuration.max_octets,
            tls_context=self.certificate.context,
            implicit_tls=secure,
            times=self.configuration.smtp_times,
            limits=self.configuration.smtp_limits,
            announce=functools.partial(self._smtp_came_or_went, door),
        )
        return door.guest

    def _smtp_came_or_went(self, door: Door, protocol: Protocol, came: bool) -> None:
        if came:
            self._protocols.add(protocol)
        else:
            self._protocols.discard(protocol)
            door.leave()

    def _pop3(self, maildrops: Maildrops, door: Door, *, secure: bool) -> asyncio.StreamReaderProtocol:
        def connected(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> Coroutine[Any, Any, None]:
            return self._serve_pop3(maildrops, door, reader, writer, secure=secure)

        return asyncio.StreamReaderProtocol(asyncio.StreamReader(), connected)

    async def _serve_pop3(
        self,
        maildrops: Maildrops,
        door: Door,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        secure: bool,
    ) -> None:
        connection = Connection(
            maildrops,
            reader,
            writer,
            certificate=self.certificate.context,
            secure=secure,
            times=self.configuration.pop3_times,
        )
        door.guest = connection
        self._connections.add(connection)
        try:
            await connection.serve()
        except Exception:
            log.exception("pop3 connection failed peer=%s", connection.peer)
        finally:
            self._connections.discard(connection)
            door.leave()

    async def _watch_certificate(self) -> None:
        while True:
            self.certificate.tell_its_end()
            await asyncio.sleep(CERTIFICATE_SECONDS)
            self.certificate.reload(only_if_changed=True)
