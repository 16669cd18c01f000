"""The web server as `manage.py web` runs it, asked by sockets."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.onebox.embedded.process import wait_until
from tests.breaking.workers import environment_of_processes

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30
THREADS = 2
# Little patience, so that slow clients are quickly had; else as it is.
IMPATIENT = """
import django
django.setup()
from django.core.management import call_command
from portal import webserver
webserver.REQUEST_SECONDS = 1.0
call_command("web", "--processes", "1")
"""
FORM_TYPE = b"Content-Type: application/x-www-form-urlencoded"
FORM = b"--x\r\nContent-Disposition: form-data; name="
FILE = FORM + b'"f"; filename="f"\r\nContent-Type: text/plain\r\n\r\n'

SLOW = {
    b"GET /healthz HT": "half a head",
    b"POST /accounts/login/ HTTP/1.1\r\nHost: portal.localhost\r\nContent-Length: 99\r\n\r\nx": "half a body",
}


class Server:
    def __init__(self, port: int, temporary: Path, log: Path) -> None:
        self.port, self.temporary, self.log = port, temporary, log

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def answer(self, request: bytes) -> bytes:
        """All that comes back, with the sending side left open and silent."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def post(self, *headers: bytes, body: bytes = b"") -> bytes:
        lines = (b"POST /accounts/login/ HTTP/1.1", b"Host: portal.localhost", b"Connection: close", *headers)
        return self.answer(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def get(self, path: bytes, *headers: bytes) -> bytes:
        lines = (b"GET " + path + b" HTTP/1.1", b"Host: portal.localhost", b"Connection: close", *headers)
        return self.answer(b"\r\n".join(lines) + b"\r\n\r\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("web")
    temporary = folder / "tmp"
    temporary.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT],
        cwd=ROOT,
        env={
            **environment_of_processes(),
            "TMPDIR": str(temporary),
            "GATEHOUSE_HTTP_PORT": str(port),
            "GATEHOUSE_WEB_THREADS": str(THREADS),
        },
        stdout=log,
        stderr=log,
    )
    found = Server(port, temporary, folder / "log")

    def is_up() -> bool:
        try:
            return found.get(b"/healthz").startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    try:
        wait_until(is_up, SECONDS)
        yield found
    finally:
        process.terminate()
        process.wait(SECONDS)
        log.close()
        sys.stdout.write((folder / "log").read_text(errors="replace"))


@pytest.mark.parametrize("letters", [b"charset*=idna''a", b"charset*=none-such''a", b"x*=idna''%80"])
def test_a_form_of_whose_letters_nobody_can_read_the_name_is_a_bad_request(server, letters):
    """Django reads that before any gate is asked, and it was an error of ours without a page."""
    answer = server.post(FORM_TYPE + b"; " + letters, b"Content-Length: 1", body=b"a")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Content-Security-Policy: " in answer
    assert b"portal/gatehouse" in answer, "it is a page of ours"


def test_a_large_body_is_refused_by_its_header_and_nothing_of_it_gets_to_the_disk(server):
    kind = b"Content-Type: multipart/form-data; boundary=x"
    answer = server.post(kind, b"Content-Length: 200000000", body=FILE + b"y" * 3_000_000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"That was too much to send" in answer
    assert not list(server.temporary.iterdir())


def test_who_sends_on_after_the_answer_still_gets_it(server):
    """As Caddy does, and browsers do: they read once all is sent, and of a connection that was reset, nothing."""
    with server.connect() as connection:
        connection.sendall(
            b"POST /accounts/login/ HTTP/1.1\r\nHost: portal.localhost\r\nContent-Length: 3000000\r\n"
            b"Connection: close\r\n\r\n" + 100_000 * b"y"
        )
        assert connection.recv(1, socket.MSG_PEEK), "it is answered already"
        for _ in range(29):
            connection.sendall(100_000 * b"y")
        assert b"That was too much to send" in b"".join(iter(lambda: connection.recv(65536), b""))


def test_who_asks_whether_to_send_a_large_body_is_refused_before_it_is_sent(server):
    asks = b"Expect: 100-continue"
    assert server.post(asks, b"Content-Length: 200000000").startswith(b"HTTP/1.1 413")
    assert server.post(asks, b"Transfer-Encoding: chunked").startswith(b"HTTP/1.1 411")
    assert server.post(asks, FORM_TYPE, b"Content-Length: 1", body=b"a").startswith(b"HTTP/1.1 100 Continue")


def test_a_body_that_does_not_say_how_large_it_is_is_refused(server):
    assert server.post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n").startswith(b"HTTP/1.1 411")


def test_no_other_page_takes_files(server):
    body = FILE + b"hello\r\n--x--\r\n"
    answer = server.post(
        b"Content-Type: multipart/form-data; boundary=x",
        b"Cookie: csrftoken=" + 32 * b"x",  # or the form is refused unread
        b"Content-Length: " + str(len(body)).encode(),
        body=body,
    )
    assert answer.startswith(b"HTTP/1.1 400")


def test_half_a_form_is_no_form(server):
    with server.connect() as connection:
        connection.sendall(
            b"POST /accounts/login/ HTTP/1.1\r\nHost: portal.localhost\r\nContent-Length: 40\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\nlogin=somebody"
        )
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_no_header_chooses_what_a_path_means(server):
    assert server.get(b"/x/healthz", b"SCRIPT_NAME: /x").startswith(b"HTTP/1.1 404")
    assert server.get(b"/healthz", b"SCRIPT_NAME: /x", b"PATH_INFO: /x").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("begun", [b"", *SLOW], ids=["silent", *SLOW.values()])
def test_slow_clients_give_their_threads_back(server, begun):
    slow = [server.connect() for _ in range(2 * THREADS)]
    try:
        for connection in slow:
            connection.sendall(begun)
        assert server.get(b"/healthz").startswith(b"HTTP/1.1 200")
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("begun", SLOW, ids=SLOW.values())
def test_a_slow_client_is_a_line_in_the_log_and_no_fault(server, begun):
    said_before = server.log.stat().st_size
    server.answer(begun)  # until it is closed
    lines = server.log.read_bytes()[said_before:].splitlines()
    assert lines[-1].endswith(b"a client took too long to send")
    levels = [line.split()[2] for line in lines]
    assert levels in ([b"INFO"], [b"WARNING", b"INFO"]), "of half a form Django says that it is none"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /invitations/SECRET/",
        b"invitations/SECRET/ HTTP/1.1",
        b"sessionid=SECRET; x",
        b"login=a&password=SECRET HTTP/1.1",
        b"login=a'&password=SECRET / HTTP/1.1",
        b"GET / HTTP/1.1\r\nCookie sessionid=SECRET",
        b"GET / HTTP/1.1\r\nCookie: a\r\n sessionid=SECRET",
        b"GET / HTTP/SECRET",
    ],
)
def test_its_own_lines_hold_nothing_of_what_is_no_request(server, head):
    secret, said_before = b"dQw4w9WgXcQ", server.log.stat().st_size
    assert b" 400 " in server.answer(head.replace(b"SECRET", secret) + b"\r\n\r\n")
    wait_until(lambda: b": [hidden]" in server.log.read_bytes()[said_before:], SECONDS)
    [line] = server.log.read_bytes()[said_before:].splitlines()
    assert b"Invalid request from ip=127.0.0.1: " in line, "who sent it"
    assert secret not in line
