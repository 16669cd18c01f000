"""The processes of an installation, each started as its unit or container starts it, asked and stopped from outside."""

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from portal import webserver
from portal.onebox.embedded.process import wait_until
from portal.onebox.supervisor import crew
from tests.breaking.kit import short_or_long
from tests.breaking.workers import environment_of_processes
from tests.gateway.kit import Certificates
from tests.ports import free_port, free_ports

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
ENDED_WELL = 0
PORTS = ("GATEHOUSE_SMTP_PORT", "GATEHOUSE_SMTPS_PORT", "GATEHOUSE_POP3_PORT", "GATEHOUSE_POP3S_PORT")
QUICK = {"DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings"}  # beat rings twice a second
# By a signal for real time, which Python has no name for, and by the usual one.
KILLED, TOLD = pytest.param(signal.SIGRTMIN + 1, id="killed"), pytest.param(signal.SIGTERM, id="told to end")
# `manage.py web` that reckons with answers that take no time: what it waits for is what may take its time to arrive.
ANSWERS_AT_ONCE = """
import sys
import django
django.setup()
from django.core.management import execute_from_command_line
from portal import webserver
webserver.LAST_ANSWER_SECONDS = 0.0
execute_from_command_line(sys.argv)
"""


@contextmanager
def starting(folder):
    """Gives what starts `manage.py NAME` with variables of the environment, or that script in its place; whatever is left is
    killed.
    """
    started = []

    def start(*command, script=None, **environment):
        log = folder / f"{command[0]}{len(started)}.log"
        with log.open("wb") as output:
            process = psutil.Popen(
                [sys.executable, *(("-c", script) if script else ("manage.py",)), *command],
                cwd=ROOT,
                env=environment_of_processes() | {"GATEHOUSE_STATE_DIR": str(folder / "state")} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process.log = log
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            for each in (*process.children(recursive=True), process):
                each.kill()
        process.wait()
        sys.stdout.write(process.log.read_text(errors="replace"))


@pytest.fixture
def start(tmp_path):
    with starting(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def open_web(django_db_setup, tmp_path_factory):
    """A web server of as many processes as the setting says, beside a gateway that is open, with a log of JSON; and its port."""
    port = free_port()
    with starting(tmp_path_factory.mktemp("web")) as start:
        process = start(
            "web",
            GATEHOUSE_BIND="0.0.0.0",
            GATEHOUSE_HTTP_PORT=str(port),
            GATEHOUSE_WEB_PROCESSES="3",
            GATEHOUSE_LOG_FORMAT="json",
        )
        assert wait_until(lambda: _answer(port, b"/healthz").startswith(b"HTTP/1.1 200"), SECONDS)
        yield process, port


@pytest.fixture
def web(db, start, request):
    """A web server of one process, whatever the setting says, and its port."""
    port = free_port()
    script = getattr(request, "param", None)
    process = start(
        *("web", "--processes", "1"),
        script=script,
        GATEHOUSE_HTTP_PORT=str(port),
        GATEHOUSE_WEB_PROCESSES="3",
    )
    wait_until(lambda: _answer(port, b"/healthz").startswith(b"HTTP/1.1 200"), SECONDS)
    return process, port


def _answer(port, path):
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
            connection.sendall(
                b"GET %s HTTP/1.1\r\nHost: portal.localhost\r\nConnection: close\r\n\r\n" % path
            )
            return b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError:
        return b""


@pytest.mark.parametrize("name", ["web", "worker", "beat", "gateway"])
def test_each_refuses_an_unsafe_setup_with_id_and_hint(db, start, name):
    process = start(name, GATEHOUSE_DEMO="1", GATEHOUSE_BIND="0.0.0.0")
    assert process.wait(SECONDS) != ENDED_WELL
    said = process.log.read_text()
    assert "gatehouse.E009" in said and "Unset GATEHOUSE_DEMO" in said


def test_each_process_of_a_gateway_learns_that_the_database_was_away(start, tmp_path):
    """They ask nothing at their start, for the one that starts them does."""
    certificates = Certificates(tmp_path)
    process = start(
        *("gateway", "--processes", "2"),
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nowhere",
        GATEHOUSE_TLS_CERT_FILE=str(certificates.cert_file),
        GATEHOUSE_TLS_KEY_FILE=str(certificates.key_file),
        **dict(zip(PORTS, map(str, free_ports(4)), strict=True)),
    )
    assert wait_until(lambda: len(process.children()) == 2, SECONDS)
    assert wait_until(lambda: all("--unasked" in each.cmdline() for each in process.children()), 5)


def test_a_worker_that_is_killed_leaves_no_beat_behind(db, start):
    """Else two would ring once it is started anew. Nobody tells the children: it is gone before it can."""
    worker = start("worker", "--processes", "1", "--beat", **QUICK)
    assert wait_until(lambda: "ring_stalled_jobs" in worker.log.read_text(), SECONDS), "beat rings"
    left = worker.children(recursive=True)
    assert len(left) == 2, "beat, and one who works"
    worker.kill()
    worker.wait()
    _, alive = psutil.wait_procs(left, 15)
    for each in alive:
        each.kill()
    assert not alive


@pytest.mark.parametrize("how", short_or_long([KILLED], [KILLED, TOLD]))
def test_a_worker_whose_beat_is_gone_says_so_and_ends_with_a_status(db, start, how):
    """Who started it starts both anew: one that lived on without would leave everything unrung, in silence."""
    worker, beat, _ = worker_with_beat(start)
    beat.send_signal(how)
    assert worker.wait(SECONDS) not in (ENDED_WELL, -how)
    assert re.search(
        r" ERROR .*beat within this worker is gone: it (was killed by signal \d+\.|ended)",
        worker.log.read_text(),
    )


def test_a_worker_with_beat_that_is_told_to_end_ends_well_and_leaves_nobody(db, start):
    worker, *children = worker_with_beat(start)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SECONDS) == ENDED_WELL
    _, alive = psutil.wait_procs(children, 15)
    assert not alive
    assert "is gone" not in worker.log.read_text(), "which has not ended by itself"


def worker_with_beat(start):
    """Once beat rings: the worker, its beat, and the one who works."""
    worker = start("worker", "--processes", "1", "--beat", **QUICK)
    assert wait_until(lambda: "ring_stalled_jobs" in worker.log.read_text(), SECONDS), "beat rings"
    # It alone has closed what it inherited, the log's file aside.
    works, beat = sorted(worker.children(recursive=True), key=psutil.Process.num_fds, reverse=True)
    return worker, beat, works


@pytest.mark.parametrize("web", [ANSWERS_AT_ONCE], indirect=True, ids=["answers at once"])
def test_the_web_server_answers_what_has_begun_before_it_ends(web):
    """However slowly it arrives, within the time that requests have."""
    process, port = web
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        assert len(process.children()) == 1
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: portal.localhost\r\n")
        assert _answer(port, b"/healthz"), "so the one that came before is being read"
        process.terminate()
        wait_until(lambda: not _answer(port, b"/healthz"), SECONDS)
        connection.sendall(b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    assert process.wait(SECONDS) == ENDED_WELL


def test_who_stops_the_web_server_gives_it_the_time_that_it_takes():
    """Killed earlier, it would cut what it is about to answer."""
    takes = webserver.WebServer(1).cfg.graceful_timeout
    assert takes >= webserver.REQUEST_SECONDS + 5
    stopped_after = {
        "docker/compose.yaml": r"stop_grace_period: (\d+)m\n",
        "docker/systemd/gatehouse-.service.d/common.conf": r"TimeoutStopSec=(\d+)min\n",
    }
    for file, pattern in stopped_after.items():
        minutes = re.findall(pattern, (ROOT / file).read_text())
        assert minutes and all(int(each) * 60 > takes for each in minutes), file
    assert takes < crew.GRACE_SECONDS


def test_a_web_server_whose_port_is_taken_says_so_and_ends(open_web, start):
    _, port = open_web
    second = start("web", GATEHOUSE_HTTP_PORT=str(port))
    assert second.wait(SECONDS) != ENDED_WELL
    assert f"('127.0.0.1', {port})" in second.log.read_text()


def test_what_opens_the_gateway_does_not_open_the_web_server(open_web):
    process, _ = open_web
    assert wait_until(lambda: len(process.children()) == 3, SECONDS)
    opened = {each.laddr.ip for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN}
    assert opened == {"127.0.0.1"}


def test_beat_rings_and_a_worker_answers(committed_db, start):
    """Seen in the log of the worker, whom nobody else rings for."""
    worker = start("worker", **QUICK, GATEHOUSE_WORKER_PROCESSES="3")
    beat = start("beat", **QUICK)
    wait_until(lambda: "ring_stalled_jobs" in worker.log.read_text(), SECONDS)
    wait_until(lambda: len(worker.children()) == 3, SECONDS)
    for process in (beat, worker):
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == ENDED_WELL


def test_the_log_is_of_json_where_that_is_asked_for(open_web):
    """To its last line, so nothing is asked of this server any more."""
    web, port = open_web
    assert _answer(port, b"/no-such-page/")
    _answer(port, b"/\xff")  # of which gunicorn has a line of its own
    web.terminate()
    web.wait(SECONDS)
    lines = [json.loads(line) for line in web.log.read_text().splitlines()]
    assert any(line["logger"] == "django.request" and "no-such-page" in line["message"] for line in lines)
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
