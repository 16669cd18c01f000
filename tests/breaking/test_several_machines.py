"""Two machines on one PostgreSQL, Redis and bucket, with nothing else in common: one of them dies, and the other goes on."""

import http.client
import subprocess
import sys
import threading

import psutil
import pytest

from gateway.server import Ports
from tests.breaking.kit import LONG, PAGE, mails, until
from tests.breaking.workers import ROOT, environment_of_processes
from tests.gateway.kit import Certificates, Clients, without_trace
from tests.ports import free_ports

SENT = 100  # before a machine dies, and again afterwards


class Machine:
    """Web, worker and gateway, with a folder that is their own."""

    def __init__(self, folder, *, beat=False):
        folder.mkdir()
        self.folder, certificates = folder, Certificates(folder)
        self.web, *ports = free_ports(5)
        names = ("SMTP", "SMTPS", "POP3", "POP3S")
        variables = environment_of_processes() | {
            "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
            "BREAKING_BEAT_SCHEDULE": str(folder / "schedule"),
            "BREAKING_KILL_MARKS": str(folder),
            "GATEHOUSE_STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder),
            "GATEHOUSE_HTTP_PORT": str(self.web),
            "GATEHOUSE_TLS_CERT_FILE": str(certificates.cert_file),
            "GATEHOUSE_TLS_KEY_FILE": str(certificates.key_file),
            **{f"GATEHOUSE_{name}_PORT": str(port) for name, port in zip(names, ports, strict=True)},
        }
        commands = [
            ["web", "--processes", "1"],
            ["worker", "--processes", "1"],
            ["gateway"],
            *[["beat"]] * beat,
        ]
        self._processes = []
        for command in commands:
            with (folder / f"{command[0]}.log").open("wb") as log:
                self._processes.append(
                    psutil.Popen(
                        [sys.executable, "manage.py", *command],
                        cwd=ROOT,
                        env=variables,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        self.clients = Clients(Ports(*ports), certificates.client_context)

    def serves(self):
        """Whether a page is answered, and the gateway greets."""
        asking = http.client.HTTPConnection("127.0.0.1", self.web, timeout=60)
        try:
            asking.request("GET", PAGE, headers={"Host": "acme.portal.localhost"})
            self.clients.smtp_wire().close()
            return asking.getresponse().status == 200
        except OSError:
            return False
        finally:
            asking.close()

    def dies(self):
        """All of it at once, and nobody is told."""
        for process in self._processes:
            for each in (*process.children(recursive=True), process) if process.poll() is None else ():
                each.kill()
            process.wait()


@pytest.fixture
def machines(committed_db, bell, s3_store, tmp_path):
    started = []
    try:
        started += [Machine(tmp_path / "one"), Machine(tmp_path / "two", beat=True)]
        yield started
    finally:
        for machine in started:
            machine.dies()
            for log in machine.folder.glob("*.log"):
                sys.stdout.write(
                    f"--- {machine.folder.name}/{log.name}\n{log.read_text(errors='replace')[-2000:]}\n"
                )
        bell.flush()


@pytest.mark.skipif(not LONG, reason="seven processes are started for it: make soak")
def test_one_of_two_machines_dies_and_no_acknowledged_mail_with_it(machines, box):
    one, two = machines
    box.seed(mails(300))
    until(lambda: all(machine.serves() for machine in machines), "both serve")
    acknowledged, over = {"one": [], "two": []}, threading.Event()

    def send(name, machine):
        """To a machine that is preferred; what that did not acknowledge goes to the other, as mail servers do."""
        while not over.is_set():
            [text] = mails(1)
            for to, at in ((name, machine), ("two", two)):
                try:
                    reply = at.clients.send(text, box.address)
                except (OSError, AssertionError):  # cut off in the middle
                    continue
                if reply.startswith(b"250 "):
                    acknowledged[to].append(text)
                    break

    senders = [
        threading.Thread(target=send, args=each) for each in (("one", one), ("two", two), ("one", one))
    ]
    for sender in senders:
        sender.start()
    try:
        until(lambda: min(map(len, acknowledged.values())) >= SENT, "mail comes in at both")
        job = box.reset()
        box.await_done(job, 10)
        one.dies()
        before = len(acknowledged["two"])
        until(lambda: len(acknowledged["two"]) >= before + SENT, "the other takes all")
        box.await_state(job, "done")
        assert two.serves()
    finally:
        over.set()
        for sender in senders:
            sender.join()
    there = [without_trace_if_any(text) for text in box.collected(two.clients).values()]
    sent = [text for texts in acknowledged.values() for text in texts]
    assert acknowledged["one"] and set(sent) | set(box.ledger.values()) <= set(there)
    assert not (one.folder / "state" / "store").exists(), "nothing lies on a machine"


def without_trace_if_any(text):
    return without_trace(text) if text.startswith(b"Return-Path:") else text
