"""`kill -9` of a real gateway process, and the order in which mail becomes durable."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from tests.gateway.kit import Clients, without_trace
from tests.ports import free_ports

ROUNDS = 3
SENDERS = 4


@pytest.fixture
def gateway_process(committed_db, certificates, process_environment, tmp_path):
    """Starts `manage.py gateway` as a process of its own, behind `prefix` if given; kills what is left at the end."""
    started = []

    def start(*arguments: str, prefix: tuple[str, ...] = (), ports: dict[str, str] | None = None):
        environment = {
            **process_environment,
            "GATEHOUSE_SMTP_PORT": "0",
            "GATEHOUSE_SMTPS_PORT": "0",
            "GATEHOUSE_POP3_PORT": "0",
            "GATEHOUSE_POP3S_PORT": "0",
            "GATEHOUSE_TLS_CERT_FILE": str(certificates.cert_file),
            "GATEHOUSE_TLS_KEY_FILE": str(certificates.key_file),
            **(ports or {}),
        }
        process = subprocess.Popen(
            [*prefix, sys.executable, "manage.py", "gateway", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=open(tmp_path / "gateway.log", "ab"),  # noqa: SIM115
            text=True,
        )
        started.append(process)
        assert process.stdout
        line = process.stdout.readline()
        numbers = [int(number) for number in re.findall(r"\d+", line.replace("POP3", ""))]
        assert len(numbers) == 4, (tmp_path / "gateway.log").read_text()
        from gateway.server import Ports

        return process, Clients(Ports(*numbers), certificates.client_context)

    yield start
    for process in started:
        if process.poll() is None:
            # Whatever stands behind it, too: a tracer that is killed lets go of what it traces.
            for left in [*psutil.Process(process.pid).children(recursive=True), process]:
                left.kill()
        process.wait()
        process.stdout.close()


def message(number: str, octets: int) -> bytes:
    return (
        f"Subject: {number}\r\n\r\n".encode()
        + os.urandom(octets).replace(b"\n", b"").hex().encode()
        + b"\r\n.\r\n"
    )


def test_kill_9_under_load_loses_none_of_the_messages_answered_250(gateway_process, acme_mailbox):
    ledger: dict[bytes, bytes] = {}
    sent: dict[bytes, bytes] = {}
    chance = random.Random(7)

    for round_ in range(ROUNDS):
        process, clients = gateway_process()
        enough = threading.Event()

        def load(sender: int, clients: Clients = clients, round_: int = round_, enough=enough) -> None:
            for count in range(10_000):
                text = message(f"{round_}-{sender}-{count}", chance.choice([10, 1000, 100_000]))
                sent[text[:20]] = text
                try:
                    reply = clients.send(text, acme_mailbox.address)
                except (OSError, AssertionError):
                    return
                if not reply.startswith(b"250 "):
                    return
                ledger[text[:20]] = text
                if len(ledger) >= 25 * (round_ + 1):
                    enough.set()

        threads = [threading.Thread(target=load, args=(number,)) for number in range(SENDERS)]
        for thread in threads:
            thread.start()
        assert enough.wait(60), "mail must flow before the kill means anything"
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()

    process, clients = gateway_process()
    collected = [without_trace(text) for text in clients.collect(acme_mailbox)]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert len(collected) == len(set(collected)), "nothing is there twice"
    assert set(ledger.values()) <= set(collected), "every 250 is there, octet by octet"
    assert set(collected) <= set(sent.values()), "and nothing torn"


def test_mail_is_flushed_named_and_committed_before_250(
    gateway_process, acme_mailbox, acme, tmp_path, settings
):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    prefix = ("strace", "-f", "-y", "-s", "120", "-o", str(trace), "-e")
    try:
        process, clients = gateway_process(
            prefix=(
                *prefix,
                "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat,sendto,sendmsg,write",
            )
        )
    except AssertionError:
        if "PTRACE" in (tmp_path / "gateway.log").read_text():
            pytest.skip("strace may not trace here")
        raise
    wire = clients.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    wire.ask(b"DATA")
    before = len(trace.read_text().splitlines())
    wire.send(b"Subject: in order\r\n\r\n.\r\n")
    assert wire.reply().startswith(b"250 2.0.0 OK, kept as")
    psutil.Process(process.pid).children()[
        0
    ].terminate()  # the gateway itself: strace keeps signals to itself
    process.wait(30)

    calls = trace.read_text().splitlines()[before:]
    steps = [
        r"f(data)?sync\(\d+<[^>]+\.draft>",
        r"(rename|link)\w*\(.*\.draft",
        r"fsync\(\d+<[^>]+/[0-9a-f]{2}>",
        r"(sendto|write|sendmsg)\(.*COMMIT",
        r"250 2\.0\.0 OK, kept as",
    ]
    at = -1
    for step in steps:
        at = next((number for number in range(at + 1, len(calls)) if re.search(step, calls[number])), -1)
        assert at >= 0, f"no {step} after the one before in:\n" + "\n".join(calls)

    flushed = set(re.findall(r"fsync\(\d+<([^>]+)>", trace.read_text().split("250 2.0.0 OK, kept as")[0]))
    customer = settings.STORE_ROOT / acme.pk.hex
    for parent in (settings.STORE_ROOT, customer, customer / acme_mailbox.mailbox.pk.hex):
        assert str(parent) in flushed, "a new folder is lost in a power cut unless its parent was flushed"


def test_sigterm_lets_a_message_end_and_tells_the_others(gateway_process, acme_mailbox):
    process, clients = gateway_process()
    idle, busy = clients.smtp_wire(), clients.smtp_wire()
    busy.ask(b"MAIL FROM:<a@b.example>")
    busy.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    busy.ask(b"DATA")
    busy.send(b"Subject: at the last moment\r\n\r\n")

    process.send_signal(signal.SIGTERM)
    assert idle.rest() == b"421 4.3.2 Shutting down, please come back later\r\n"
    busy.send(b".\r\n")

    assert busy.reply().startswith(b"250 2.0.0 OK")
    assert busy.rest() == b"421 4.3.2 Shutting down, please come back later\r\n"
    assert process.wait(30) == 0
    _, again = gateway_process()
    assert len(again.collect(acme_mailbox)) == 1


def test_a_taken_port_is_named_with_the_variable_that_moves_it(
    gateway_process, process_environment, certificates
):
    _, clients = gateway_process()

    done = subprocess.run(
        [sys.executable, "manage.py", "gateway"],
        check=False,
        env={
            **process_environment,
            "GATEHOUSE_SMTP_PORT": str(clients.ports.smtp),
            "GATEHOUSE_TLS_CERT_FILE": str(certificates.cert_file),
            "GATEHOUSE_TLS_KEY_FILE": str(certificates.key_file),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode != 0
    assert f"Port {clients.ports.smtp} on 127.0.0.1 is taken. Set GATEHOUSE_SMTP_PORT" in done.stderr


def test_processes_share_the_ports_and_are_restarted(gateway_process, acme_mailbox, until):
    names = ("SMTP", "SMTPS", "POP3", "POP3S")
    ports = {f"GATEHOUSE_{name}_PORT": str(port) for name, port in zip(names, free_ports(4), strict=True)}
    process, clients = gateway_process("--processes", "2", ports=ports)
    parent = psutil.Process(process.pid)

    def serving() -> bool:
        listening = [
            child
            for child in parent.children()
            if any(c.laddr.port == clients.ports.smtp for c in child.net_connections("tcp"))
        ]
        return len(listening) == 2

    until(serving)
    assert clients.send(b"Subject: 1\r\n\r\n", acme_mailbox.address).startswith(b"250 ")
    victim = parent.children()[0]
    victim.kill()
    until(lambda: victim.pid not in [child.pid for child in parent.children()] and serving())
    assert clients.send(b"Subject: 2\r\n\r\n", acme_mailbox.address).startswith(b"250 ")
    children = parent.children()

    process.kill()

    until(lambda: not any(child.is_running() and child.status() != "zombie" for child in children))
