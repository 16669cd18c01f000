"""`manage.py demo` as a person meets it: started, stopped, killed, started twice, in a state directory of its own."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from portal.onebox.embedded import addresses
from portal.onebox.embedded.process import wait_until
from tests.ports import free_port, free_ports

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("HTTP", "SMTP", "SMTPS", "POP3", "POP3S")
START_SECONDS = 150  # two busy cores and the first start's migrations
PANEL = "Ctrl-C stops everything"


class Demo:
    """One run of the command, with everything that it has said so far."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            umask=0,  # a lax one, which must not matter
        )
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def waits_for(self, text: str, seconds: float = START_SECONDS) -> None:
        def is_decided() -> bool:
            return text in self.said or self.process.poll() is not None

        with self._more:
            self._more.wait_for(is_decided, seconds)
        assert text in self.said, self.said

    def ends(self, how: signal.Signals | None = None, seconds: float = 60) -> int:
        if how is not None:
            self.process.send_signal(how)
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status

    def processes(self) -> dict[int, str]:
        """All that descend from it: number and command line."""
        return descendants_of(self.process.pid)


def descendants_of(root: int) -> dict[int, str]:
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return {pid: commands[pid] for pid in family - {root}}


@pytest.fixture
def environment(state_dir) -> dict[str, str]:
    """Nothing of ours from outside, a state directory and ports of its own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GATEHOUSE_", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DJANGO_", "PYTEST"))
    }
    ports = {f"GATEHOUSE_{name}_PORT": str(port) for name, port in zip(PORTS, free_ports(5), strict=True)}
    return kept | ports | {"GATEHOUSE_STATE_DIR": str(state_dir)}


@pytest.fixture
def demo(environment) -> Iterator:
    started: list[Demo] = []

    def start(**changes: str) -> Demo:
        started.append(Demo(environment | changes))
        return started[-1]

    yield start
    for run in started:
        if run.process.poll() is None:
            run.ends(signal.SIGTERM)


def ready(environment: dict[str, str]) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", int(environment["GATEHOUSE_HTTP_PORT"]), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/readyz", headers={"Host": "acme.portal.localhost"})
        return json.loads(connection.getresponse().read())


def signs_in(environment: dict[str, str], email: str, password: str) -> bool:
    port = environment["GATEHOUSE_HTTP_PORT"]
    page, host = f"http://127.0.0.1:{port}/accounts/login/", {"Host": f"portal.localhost:{port}"}
    with requests.Session() as browser:
        browser.trust_env = False
        form = browser.get(page, headers=host, timeout=10).text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]
        typed = {"login": email, "password": password, "csrfmiddlewaretoken": token}
        answer = browser.post(page, typed, headers=host, allow_redirects=False, timeout=10)
        return answer.status_code == 302


def asks_the_doctor(environment: dict[str, str]) -> dict:
    told = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT,
        env=environment | {"GATEHOUSE_DNS_SERVER": f"127.0.0.1:{free_port()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(told.stdout)


def asks_from_a_second_terminal(environment: dict[str, str]) -> None:
    elsewhere = asks_the_doctor(environment | {"GATEHOUSE_BASE_DOMAIN": "portal.gatehouse.test"})
    found = {each["id"] for each in elsewhere["findings"]}
    assert found >= {"gatehouse.E020", "dns.server", "backups"} and "demo" not in found
    examined: dict = {}

    def is_well() -> bool:
        examined.update(asks_the_doctor(environment))
        return examined["ok"]

    assert wait_until(is_well, 60), "a worker answers"
    assert examined["records"] == []
    assert {each["level"] for each in examined["findings"]} == {"ok"}, examined
    [said] = [each["seen"] for each in examined["findings"] if each["id"] == "demo"]
    assert "neither DNS nor HTTPS, backups, alarms or mail" in said


def mailboxes(state_dir: Path) -> int:
    with psycopg.connect(addresses.postgres_url(state_dir)) as connection:
        return connection.execute("SELECT count(*) FROM c_acme.mailboxes_mailbox").fetchone()[0]


@pytest.mark.timeout(400)
def test_the_whole_life_of_the_demo(demo, environment, state_dir):
    (state_dir / "mail").mkdir(parents=True)
    earlier = state_dir / "mail" / "of an earlier release.log"
    earlier.write_text("a link")
    for path in (earlier.parent, earlier):
        path.chmod(0o777)
    first = demo()
    first.waits_for(PANEL)
    assert open_to_others(state_dir) == []
    http_port, smtp_port = environment["GATEHOUSE_HTTP_PORT"], environment["GATEHOUSE_SMTP_PORT"]
    for text in (
        f"http://portal.localhost:{http_port}/",
        f"http://acme.portal.localhost:{http_port}/",
        "operator@northwind.example",
        "gatehouse-demo",
        f"127.0.0.1:{smtp_port}",
    ):
        assert text in first.said
    assert ready(environment)["status"] == "ok"
    for person in ("operator@northwind.example", "admin@acme.example", "staff@gatehouse.example"):
        assert signs_in(environment, person, "gatehouse-demo")

    # Somebody starts it again beside the first.
    second = demo()
    assert second.ends() == 1
    assert f"already runs in {state_dir} (process {first.process.pid})" in second.said

    asks_from_a_second_terminal(environment)

    # A child dies.
    (gateway,) = [pid for pid, command in first.processes().items() if is_gateway(first, pid, command)]
    os.kill(gateway, signal.SIGKILL)
    first.waits_for("gateway was killed by SIGKILL. Starting it again")
    assert wait_until(lambda: greets(int(smtp_port)), START_SECONDS)

    # An orderly end leaves no process.
    kept = mailboxes(state_dir)
    assert kept
    family = first.processes()
    assert first.ends(signal.SIGTERM) == 0
    assert "Stopped. The data stays in" in first.said
    assert running(family) == {}

    # The second start keeps the data; SIGKILL of the supervisor leaves no process either.
    began = time.monotonic()
    third = demo()
    third.waits_for(PANEL)
    took = time.monotonic() - began
    assert mailboxes(state_dir) == kept
    family = third.processes()
    third.ends(signal.SIGKILL)
    assert wait_until(lambda: running(family) == {}, 60), running(family)

    # What was killed starts again; a wish to stop is heard in the middle of a start, too.
    fourth = demo()
    fourth.waits_for("Database up to date")
    assert mailboxes(state_dir) == kept
    family = fourth.processes()
    assert fourth.ends(signal.SIGINT) == 0
    assert PANEL not in fourth.said
    assert running(family) == {}
    assert took < START_SECONDS / 2


def is_gateway(run: Demo, pid: int, command: str) -> bool:
    """The child itself, not the processes that it starts in turn."""
    parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return command.rstrip().endswith("manage.py gateway") and parent == run.process.pid


def open_to_others(state_dir: Path) -> list[str]:
    """What of the state directory is not for its owner alone. PostgreSQL's user has to pass through its top."""
    folder = state_dir.stat().st_mode & 0o067
    return ["the directory itself"] * bool(folder) + [
        f"{path.relative_to(state_dir)}: {path.lstat().st_mode:o}"
        for path in state_dir.rglob("*")
        if not path.is_symlink()
        and path.relative_to(state_dir).parts[0] != "postgres"
        and path.lstat().st_mode & 0o077
    ]


def greets(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return connection.recv(3) == b"220"
    return False


def running(family: dict[int, str]) -> dict[int, str]:
    """Who of them is still there; a number may have passed on to another command, and zombies are gone."""
    found = {}
    for pid, command in family.items():
        with contextlib.suppress(OSError):
            now = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if now and now == command:
                found[pid] = command
    return found


@pytest.mark.timeout(120)
def test_a_taken_port_ends_the_start_before_anything_is_made(demo, environment, state_dir):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        run = demo(GATEHOUSE_POP3S_PORT=str(taken))
        assert run.ends() == 1
    assert re.search(rf"Port {taken} on 127.0.0.1 \(POP3 over TLS\) is taken.*GATEHOUSE_POP3S_PORT", run.said)
    assert not (state_dir / "postgres").exists()


@pytest.mark.timeout(120)
def test_the_demo_is_refused_where_others_can_reach_it(demo, state_dir):
    run = demo(GATEHOUSE_BIND="0.0.0.0")
    assert run.ends() == 1
    assert "GATEHOUSE_BIND is 0.0.0.0, and others can reach that" in run.said
    assert not (state_dir / "postgres").exists()


@pytest.mark.timeout(120)
def test_a_setting_that_makes_no_sense_is_named(demo, state_dir):
    run = demo(GATEHOUSE_SMTP_PORT="smtp")
    assert run.ends() == 1
    assert "GATEHOUSE_SMTP_PORT" in run.said
    assert not (state_dir / "postgres").exists()


@pytest.mark.timeout(120)
def test_a_state_directory_too_deep_for_sockets_names_its_variable(demo, state_dir):
    run = demo(GATEHOUSE_STATE_DIR=str(state_dir / ("deep" * 25)))
    assert run.ends() == 1
    assert "Set GATEHOUSE_STATE_DIR to a directory with a shorter path" in run.said
