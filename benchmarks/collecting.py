"""How fast waiting mail is collected by POP3S, against reading the same octets from plain files."""

import poplib
import ssl

from benchmarks.installation import Installation
from benchmarks.measure import Result, compare

MIB = 1024 * 1024
MESSAGES = 200  # in one turn
SECONDS = 60


def measure(installation: Installation, pop3s_port: int) -> list[Result]:
    """Needs at least MESSAGES waiting messages. The sign-in is measured elsewhere."""
    trust = ssl.create_default_context(cafile=str(installation.folder / "tls" / "cert.pem"))
    client = poplib.POP3_SSL("localhost", pop3s_port, timeout=SECONDS, context=trust)
    client.user(installation.address)
    client.pass_(installation.password)
    if client.stat()[0] < MESSAGES:
        raise RuntimeError("too few messages are waiting")

    folder = installation.folder / "plain"
    folder.mkdir()
    octets = 0
    for number in range(1, MESSAGES + 1):
        text = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
        (folder / str(number)).write_bytes(text)
        octets += len(text)

    def collect() -> None:
        for number in range(1, MESSAGES + 1):
            _retrieve(client, number)

    def read() -> None:
        for number in range(1, MESSAGES + 1):
            (folder / str(number)).read_bytes()

    result = compare(
        "POP3S collecting, 75 KiB, one connection",
        amount=octets / MIB,
        unit="MiB/s",
        ours=collect,
        baseline=read,
        baseline_name="plain files, from the page cache",
    )
    client.quit()
    return [result]


def _retrieve(client: poplib.POP3, number: int) -> None:
    """RETR without poplib's lists of lines, which would cost more than the server."""
    client.sock.sendall(b"RETR %d\r\n" % number)
    reply = client.file.readline()
    if not reply.startswith(b"+OK"):
        raise RuntimeError(f"refused: {reply!r}")
    while client.file.readline() != b".\r\n":
        pass
