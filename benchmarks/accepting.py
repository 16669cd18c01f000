"""How fast mail is accepted, against an aiosmtpd that only writes and flushes a file."""

import socket
from concurrent.futures import ThreadPoolExecutor

from benchmarks.installation import Installation, serving
from benchmarks.measure import Result, compare
from benchmarks.messages import message

MESSAGES = 200  # in one turn
CONNECTIONS = 4
SECONDS = 60


def measure(installation: Installation, smtp_port: int) -> list[Result]:
    """The same messages by the same client over loopback, without TLS on both sides."""
    folder = installation.folder / "sink"
    folder.mkdir()
    texts = [message(number) for number in range(MESSAGES)]
    with serving("-m", "benchmarks.sink", str(folder), log=installation.folder / "sink.log") as (sink_port,):
        for port in (smtp_port, sink_port):  # connections to the database, imports, caches
            _send_all(port, installation.address, texts[: 4 * CONNECTIONS])
        return [
            compare(
                f"SMTP accepting, 75 KiB, {CONNECTIONS} connections",
                amount=MESSAGES,
                unit="messages/s",
                ours=lambda: _send_all(smtp_port, installation.address, texts),
                baseline=lambda: _send_all(sink_port, installation.address, texts),
                baseline_name="aiosmtpd, write and fsync",
            )
        ]


def send(port: int, addresses: list[str], texts: list[bytes]) -> None:
    """All of them to each address, side by side, over a connection each."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        for done in [pool.submit(_send, port, address, texts) for address in addresses]:
            done.result()


def _send_all(port: int, address: str, texts: list[bytes]) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [texts[first::CONNECTIONS] for first in range(CONNECTIONS)]
        for done in [pool.submit(_send, port, address, share) for share in shares]:
            done.result()


def _send(port: int, address: str, texts: list[bytes]) -> None:
    """One connection. The texts have no dots to double, so that the client costs next to nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        replies = connection.makefile("rb")

        def expect(code: bytes) -> None:
            while (line := replies.readline())[3:4] == b"-":
                pass
            if not line.startswith(code):
                raise RuntimeError(f"expected {code!r}, got {line!r}")

        def ask(command: str, code: bytes) -> None:
            connection.sendall(f"{command}\r\n".encode())
            expect(code)

        expect(b"220")
        ask("EHLO bench.example", b"250")
        for text in texts:
            ask("MAIL FROM:<journal@acme.example>", b"250")
            ask(f"RCPT TO:<{address}>", b"250")
            ask("DATA", b"354")
            connection.sendall(text + b".\r\n")
            expect(b"250")
        ask("QUIT", b"221")
