"""A real S3 server for the tests, SeaweedFS, and a way to it that can be barred, slow or out of room."""

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from requests_aws4auth import AWS4Auth

from portal.onebox.embedded.process import spawn
from tests import folders

ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION = "gatehouse", "not-so-secret", "us-east-1"
SECONDS = 60
GRPC = 10_000  # a port's distance from the one beside it


class Server:
    """SeaweedFS in a folder of its own; it may be killed and started again with what it has."""

    def __init__(self) -> None:
        self.folder = folders.make("s3-")
        self._ports = _free_ports(4)
        self.address = f"127.0.0.1:{self._ports[-1]}"
        self.endpoint = f"http://{self.address}"
        self._process: subprocess.Popen[bytes] | None = None
        identity = {
            "name": "gatehouse",
            "credentials": [{"accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))

    def start(self) -> None:
        master, volume, filer, s3 = self._ports
        self._process = spawn(
            [
                str(Path(sys.executable).with_name("weed")),
                "-logtostderr=true",
                "server",
                f"-dir={self.folder}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                f"-master.port={master}",
                f"-volume.port={volume}",
                f"-filer.port={filer}",
                f"-s3.port={s3}",
                "-filer",
                "-s3",
                f"-s3.config={self.folder}/s3.json",
                "-master.volumeSizeLimitMB=64",
                "-volume.max=5000",  # by itself as many as there is room for, and each bucket takes seven
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.telemetry=false",
                "-master.electionTimeout=100ms",
                "-master.heartbeatInterval=30ms",
            ],
            death_signal=signal.SIGKILL,
            output=(self.folder / "log").open("ab"),
        )
        deadline = time.monotonic() + SECONDS
        pause = threading.Event()
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < deadline, self.said()
            pause.wait(0.05)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        for port in self._ports:  # it has sockets of its own there, whatever it is told
            for number in (port, port + GRPC):
                for left in Path("/tmp").glob(f"seaweedfs-*-{number}.sock"):
                    left.unlink(missing_ok=True)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def bucket(self, name: str = "") -> str:
        """Make one, and give its name."""
        name = name or f"test-{secrets.token_hex(6)}"
        assert self.ask("PUT", f"/{name}").ok
        return name

    def ask(self, method: str, path: str, body: bytes | str = b"", **options: object) -> requests.Response:
        auth = AWS4Auth(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION, "s3")
        return requests.request(  # type: ignore[arg-type]
            method, self.endpoint + path, data=body, auth=auth, timeout=SECONDS, **options
        )

    def _answers(self) -> bool:
        """Whether it takes what it is given, which is later than when it answers."""
        with suppress(requests.RequestException):
            made = self.ask("PUT", "/ready").status_code in (200, 409)
            return made and self.ask("PUT", "/ready/ready", b"ready").ok
        return False


class Gate:
    """A way to the server: `open`; `says` what it wants to requests; `holds` them, saying nothing; `forgets` a header.

    A connection carries one request: a client that kept one would find it cut at its next, before that is said.
    """

    def __init__(self, server: str) -> None:
        host, port = server.split(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._answer = b""
        self._to = b""  # requests with these words in their head get that answer
        self._forgotten = b""
        self._holds = False
        self._links: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def open(self) -> None:
        self._holds = False
        self._answer = self._forgotten = b""
        self._cut()

    def says(self, status: str, code: str, *, to: str = "", whole: bool = False) -> None:
        """An error, or the `whole` text."""
        body = code if whole else f"<Error><Code>{code}</Code></Error>"
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: {len(body)}"
        self._answer, self._to = f"{head}\r\n\r\n{body}".encode(), to.encode()
        self._holds = False
        self._cut()

    def forgets(self, header: str) -> None:
        """One that is not signed."""
        self._forgotten = header.lower().encode()
        self._holds = False
        self._cut()

    def holds(self) -> None:
        self._holds = True
        self._cut()

    def close(self) -> None:
        self._listener.close()
        self._cut()

    def _cut(self) -> None:
        """What was begun goes another way from now on."""
        links, self._links = self._links, []
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._links.append(client)
            if not self._holds:
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = _read_head(client)
            if self._answer and self._to in head:
                _read_rest(client, head)
                client.sendall(self._answer)
                client.close()
                return
            head = self._changed(head)
            server = socket.create_connection(self._server)
            self._links.append(server)
            server.sendall(head)
            threading.Thread(target=_pipe, args=(server, client), daemon=True).start()
            _pipe(client, server)

    def _changed(self, head: bytes) -> bytes:
        """Without what is forgotten, and for a connection with one request."""
        lines, end, body = head.partition(b"\r\n\r\n")
        dropped = (b"connection:", self._forgotten) if self._forgotten else (b"connection:",)
        kept = [line for line in lines.split(b"\r\n") if not line.lower().startswith(dropped)]
        return b"\r\n".join([*kept, b"Connection: close"]) + end + body


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while octets := source.recv(65536):
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)


def _read_head(client: socket.socket) -> bytes:
    """With what came of the body along with it."""
    head = b""
    while b"\r\n\r\n" not in head and (octets := client.recv(65536)):
        head += octets
    return head


def _read_rest(client: socket.socket, begun: bytes) -> None:
    """Or the answer would be lost with what is unread."""
    head, _, body = begun.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while left > 0 and (octets := client.recv(65536)):
        left -= len(octets)


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


def use(settings: object, url: str, endpoint: str) -> None:
    """From now on the store is there."""
    for name, value in variables(url, endpoint).items():
        setattr(settings, name.removeprefix("GATEHOUSE_"), value)


def variables(url: str, endpoint: str) -> dict[str, str]:
    """What processes of their own are told."""
    return {
        "GATEHOUSE_STORE_URL": url,
        "GATEHOUSE_S3_ENDPOINT": endpoint,
        "GATEHOUSE_S3_REGION": REGION,
        "GATEHOUSE_S3_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "GATEHOUSE_S3_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }


def objects(server: Server, bucket: str) -> set[str]:
    """The names of all that lies in a bucket."""
    from lxml import etree

    names: set[str] = set()
    token = ""
    while True:
        answer = server.ask(
            "GET", f"/{bucket}?list-type=2" + (f"&continuation-token={token}" if token else "")
        )
        tree = etree.fromstring(answer.content)
        names |= {str(key.text) for key in tree.iterfind(".//{*}Contents/{*}Key")}
        token = tree.findtext("{*}NextContinuationToken") or ""
        if not token:
            return names


def _free_ports(count: int) -> list[int]:
    """Each with the one that SeaweedFS takes beside it."""
    found: list[int] = []
    held = []
    while len(found) < count:
        port = 12_000 + secrets.randbelow(10_000)
        with suppress(OSError):
            pair = [socket.create_server(("127.0.0.1", each)) for each in (port, port + GRPC)]
            held += pair
            found.append(port)
    for each in held:
        each.close()
    return found
