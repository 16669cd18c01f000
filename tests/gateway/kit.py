"""Clients for a gateway under test. Replies are compared as octets, so these know as little of the server as others do."""

import contextlib
import poplib
import smtplib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from gateway.background import running
from gateway.server import Configuration, Gateway, Ports

SECONDS = 20  # for anything to answer on a busy machine
SENDER = "journal@acme.example"


class Certificates:
    """A throw-away authority and the gateway's pair of files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.cert_file = folder / "cert.pem"
        self.key_file = folder / "key.pem"
        self.ca_file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca_file))
        self.renew()

    def renew(self, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> None:
        leaf = self.authority.issue_cert(
            "localhost", "127.0.0.1", "gateway.localhost", common_name="localhost", key_type=key_type
        )
        leaf.private_key_pem.write_to_path(str(self.key_file))
        leaf.cert_chain_pems[0].write_to_path(str(self.cert_file))

    @property
    def served(self) -> bytes:
        """What a client gets to see when the files are in use."""
        return ssl.PEM_cert_to_DER_cert(self.cert_file.read_text())

    @property
    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


class Wire:
    """A raw connection: sends what it is told, reads lines and multi-line answers as octets."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, *, source: str = "127.0.0.1") -> None:
        self.socket: socket.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=SECONDS, source_address=(source, 0)
        )
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def line(self) -> bytes:
        return self._file.readline()

    def reply(self) -> bytes:
        """One SMTP reply, all of its lines."""
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return b"".join(lines)

    def ask(self, command: bytes) -> bytes:
        self.send(command + b"\r\n")
        return self.reply()

    def body(self) -> bytes:
        """The lines of a POP3 multi-line answer, dots taken off."""
        lines = []
        while (line := self.line()) != b".\r\n":
            if not line:
                raise EOFError("the connection ended before the final dot")
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
            self.socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._file = self.socket.makefile("rb")


@dataclass
class Clients:
    """Ways into one running gateway."""

    ports: Ports
    tls: ssl.SSLContext
    _open: list[Any] = field(default_factory=list)

    def smtp_wire(self, *, secure: bool = False, hello: bool = True) -> Wire:
        wire = self._keep(Wire(self.ports.smtps if secure else self.ports.smtp, self.tls if secure else None))
        if hello:
            assert wire.reply().startswith(b"220 ")
            assert wire.ask(b"EHLO client.example").startswith(b"250-")
        return wire

    def pop3_wire(self, *, secure: bool = True, source: str = "127.0.0.1") -> Wire:
        port, tls = (self.ports.pop3s, self.tls) if secure else (self.ports.pop3, None)
        wire = self._keep(Wire(port, tls, source=source))
        assert wire.line().startswith(b"+OK ")
        return wire

    def sign_ins(self, *attempts: tuple[str, str], source: str = "127.0.0.1") -> list[bytes]:
        """The reply to each name and password from this address, over as few connections as the server allows."""
        replies, wire = [], self.pop3_wire(source=source)
        for login, password in attempts:
            try:
                wire.ask(f"USER {login}".encode())
                reply = wire.ask(f"PASS {password}".encode())
            except OSError:
                reply = b""
            if not reply:  # closed after some wrong ones
                wire.close()
                wire = self.pop3_wire(source=source)
                wire.ask(f"USER {login}".encode())
                reply = wire.ask(f"PASS {password}".encode())
            replies.append(reply)
            if reply.startswith(b"+OK"):
                wire.ask(b"QUIT")
                wire.close()
                wire = self.pop3_wire(source=source)
        wire.close()
        return replies

    def logged_in(self, mailbox: Any) -> Wire:
        wire = self.pop3_wire()
        assert wire.ask(f"USER {mailbox.address}".encode()).startswith(b"+OK")
        assert wire.ask(f"PASS {mailbox.password}".encode()).startswith(b"+OK"), "the password must open"
        return wire

    def smtp(self) -> smtplib.SMTP:
        client: smtplib.SMTP = self._keep(smtplib.SMTP("127.0.0.1", self.ports.smtp, timeout=SECONDS))
        client.starttls(context=self.tls)
        return client

    def pop3(self, mailbox: Any) -> poplib.POP3:
        client: poplib.POP3 = self._keep(
            poplib.POP3_SSL("127.0.0.1", self.ports.pop3s, context=self.tls, timeout=SECONDS)
        )
        client.user(mailbox.address)
        client.pass_(mailbox.password)
        return client

    def send(self, text: bytes, *recipients: str, sender: str = SENDER) -> bytes:
        """The reply to one message sent exactly so, dots doubled; the refusal if it came earlier."""
        wire = self.smtp_wire(secure=True)
        try:
            for command in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)):
                reply = wire.ask(command.encode())
                if not reply.startswith(b"250 "):
                    return reply
            assert wire.ask(b"DATA").startswith(b"354 ")
            wire.send(stuffed(text))
            return wire.reply()
        finally:
            wire.close()

    def collect(self, mailbox: Any, *, delete: bool = False) -> list[bytes]:
        """All messages of a maildrop, octet by octet, with the trace fields."""
        wire = self.logged_in(mailbox)
        try:
            count = int(wire.ask(b"STAT").split()[1])
            messages = []
            for number in range(1, count + 1):
                assert wire.ask(b"RETR %d" % number).startswith(b"+OK")
                messages.append(wire.body())
                if delete:
                    assert wire.ask(b"DELE %d" % number).startswith(b"+OK")
            assert wire.ask(b"QUIT").startswith(b"+OK")
            return messages
        finally:
            wire.close()

    def _keep(self, client: Any) -> Any:
        self._open.append(client)
        return client

    def close(self) -> None:
        for client in self._open:
            with contextlib.suppress(Exception):
                client.close()


def stuffed(text: bytes) -> bytes:
    """A message as DATA wants it; the text is empty or ends with CRLF."""
    doubled = text.replace(b"\r\n.", b"\r\n..")
    return (b"." if text.startswith(b".") else b"") + doubled + b".\r\n"


def without_trace(message: bytes) -> bytes:
    """What lies below `Return-Path:` and `Received:`."""
    return_path, _, rest = message.partition(b"\r\n")
    assert return_path.startswith(b"Return-Path: <")
    assert rest.startswith(b"Received: from ")
    while True:
        _, _, rest = rest.partition(b"\r\n")
        if not rest.startswith(b"\t"):
            return rest


@contextlib.contextmanager
def gateway_running(certificates: Certificates, **changes: Any) -> Iterator[Clients]:
    """A gateway with the settings' database and store, on ports of the system's choice; `changes` to its Configuration.

    Guesses are counted by the process alone unless a test asks for Redis: all tests share one network.
    """
    configuration = Configuration.from_settings(
        **{
            "bind": "127.0.0.1",
            "ports": Ports(0, 0, 0, 0),
            "cert_file": certificates.cert_file,
            "key_file": certificates.key_file,
            "redis_url": None,
            "stop_seconds": 3,
            **changes,
        }
    )
    with running(configuration) as ports:
        clients = Clients(ports, certificates.client_context)
        try:
            yield clients
        finally:
            clients.close()


@contextlib.asynccontextmanager
async def serving(certificates: Certificates, **changes: Any) -> AsyncIterator[Gateway]:
    """A gateway in this very loop, so that its turns can be counted."""
    gateway = Gateway(
        Configuration.from_settings(
            bind="127.0.0.1",
            ports=Ports(0, 0, 0, 0),
            cert_file=certificates.cert_file,
            key_file=certificates.key_file,
            redis_url=None,
            stop_seconds=0.2,
            **changes,
        )
    )
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()
