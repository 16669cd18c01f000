"""An installation for the time of the run: embedded services that do flush, a mailbox, processes that serve."""

import base64
import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from portal.onebox import certificate
from portal.onebox.embedded import postgres, redis

START_SECONDS = STOP_SECONDS = 30
PORT_NAMES = ("SMTP", "SMTPS", "POP3", "POP3S")


@dataclass(frozen=True)
class Installation:
    """Where it is, and the one mailbox in it."""

    folder: Path
    address: str
    password: str


@contextlib.contextmanager
def installed() -> Iterator[Installation]:
    """Set up in a new temporary folder, which TMPDIR moves to another disk; everything is gone at the end.

    Settings are read once per process, so this comes before all else that needs them.
    """
    with bare() as folder:
        yield _mailbox(folder)


@contextlib.contextmanager
def bare() -> Iterator[Path]:
    """The same without anybody in it: its folder."""
    for name in [name for name in os.environ if name.startswith("GATEHOUSE_")]:
        del os.environ[name]
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    os.environ["GATEHOUSE_MEASURING"] = "1"
    folder = Path(tempfile.mkdtemp(prefix="gh-bench-"))  # short, for sockets live in it
    try:
        with _services(folder):
            try:
                django.setup()
                settings.STORE_ROOT.mkdir(mode=0o700, exist_ok=True)
                call_command("upgrade", public=True, verbosity=0)
                yield folder
            finally:
                connections.close_all()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _services(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        database = postgres.start(folder, durable=True)
        stack.callback(database.stop)
        cache = redis.start(folder, durable=True)
        stack.callback(cache.stop)
        os.environ.update(
            {
                "DATABASE_URL": database.url,
                "REDIS_URL": cache.url,
                "GATEHOUSE_STATE_DIR": str(folder),
                "SECRET_KEY": secrets.token_urlsafe(48),
                "GATEHOUSE_WORKER_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                **{f"GATEHOUSE_{name}_PORT": "0" for name in PORT_NAMES},
            }
        )
        certificate.ensure(folder, base_domain="portal.localhost", mail_domain="gateway.localhost")
        yield


def _mailbox(folder: Path) -> Installation:
    # These bring models, which need the settings and so the services that have just been started.
    from accounts.actors import SYSTEM  # noqa: PLC0415
    from mailboxes.services import create_mailbox  # noqa: PLC0415
    from tenants.services import create_customer, create_provider  # noqa: PLC0415

    customer = create_customer(
        "acme", "Acme", provider=create_provider("northwind", "Northwind IT", by=SYSTEM), by=SYSTEM
    )
    mailbox, password = create_mailbox(customer, name="Journal", by=SYSTEM)
    return Installation(folder, mailbox.address, password.reveal())


@contextlib.contextmanager
def gateway_in_two(log: Path) -> Iterator[list[int]]:
    """A gateway of two processes beside the one that runs, once both of them serve."""
    for name, port in zip(PORT_NAMES, _free_ports(), strict=True):
        os.environ[f"GATEHOUSE_{name}_PORT"] = str(port)
    with serving("manage.py", "gateway", "--processes", "2", log=log) as ports:
        deadline = time.monotonic() + START_SECONDS
        while log.read_bytes().count(b"gateway listens") < 2:  # the ports are told before the children serve
            if time.monotonic() > deadline:
                raise RuntimeError(f"the gateway's processes did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield ports


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORT_NAMES]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def serving(*arguments: str, log: Path) -> Iterator[list[int]]:
    """Another Python process that prints the ports it listens on; it gets SIGTERM at the end.

    Processes of their own, because client and server in one interpreter would wait for each other.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=output, text=True
        )
        try:
            assert process.stdout
            line = process.stdout.readline()
            ports = [int(number) for number in re.findall(r"\b\d+\b", line)]
            if not ports:
                raise RuntimeError(f"{arguments} did not start:\n{log.read_text()}")
            yield ports
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout
            process.stdout.close()
