"""The story of `make run`: look, start the services, prepare, start the processes, say so, watch, stop."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babel.messages.pofile import PoFileError
from django.conf import LazySettings, settings
from django.db import connections

from portal.folders import private_dir
from portal.languages import catalogs
from portal.network import is_loopback
from portal.onebox import certificate, secrets
from portal.onebox.embedded import addresses, postgres, redis
from portal.onebox.embedded.errors import EmbeddedServiceError
from portal.onebox.embedded.permissions import shut
from portal.onebox.supervisor import panel, ports
from portal.onebox.supervisor.crew import Crew, EmbeddedMember
from portal.onebox.supervisor.statedir import AlreadyRunning, StateDirLock
from portal.onebox.supervisor.terminal import Console

READY_SECONDS = 120.0
PORTS_SECONDS = 15.0  # how long what a killed run left behind may need to end
# PostgreSQL refuses a folder that others can read; of the store, whose files are private from the start, there may be
# millions.
SEE_TO_THEMSELVES = frozenset({"postgres", "store"})
ROOT = Path(__file__).resolve().parents[3]


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came before everything was up."""


class Refused(Exception):
    """It can't start like this; the text says what to change."""


def run(console: Console | None = None) -> int:
    """Run the demo until it is told to stop. Returns the exit status: 0 after an orderly end, else 1."""
    console = console or Console()
    os.umask(0o077)  # for the processes that are started, too
    crew = Crew(console)
    crew.catch_signals()
    _log_to(console)
    lock = StateDirLock(settings.STATE_DIR)
    try:
        _refuse_what_is_wrong(settings)
        lock.take()
    except (AlreadyRunning, Refused, OSError) as error:
        console.shout(str(error))
        return 1
    try:
        _wait_for_ports(crew, lock)
        _start(crew)
        _watch(crew)
    except Interrupted:
        pass
    except (Refused, EmbeddedServiceError) as error:
        if not crew.stop_wanted:  # or it failed because it was told to end
            console.shout(str(error))
            crew.exhausted = True
    finally:
        if crew.is_busy:
            console.say("Stopping ...")
            crew.stop()
            console.say(f"Stopped. The data stays in {settings.STATE_DIR}")
        lock.release()
    return 1 if crew.exhausted else 0


def _refuse_what_is_wrong(settings: LazySettings) -> None:
    problems = [f"{variable}: {what} {hint}" for variable, what, hint in settings.ENVIRONMENT_PROBLEMS]
    if problems:
        raise Refused("\n".join(problems))
    if not is_loopback(settings.BIND):
        raise Refused(
            f"GATEHOUSE_BIND is {settings.BIND}, and others can reach that. The demo has a fixed password, a "
            "self-signed certificate and secrets made by itself, so it runs on 127.0.0.1 or ::1 only."
        )


def _wait_for_ports(crew: Crew, lock: StateDirLock) -> None:
    """Raises Refused when a port is taken; after a killed run its children first get the time to end."""
    deadline = time.monotonic() + (PORTS_SECONDS if lock.left_unclean else 0.0)
    while complaints := ports.complaints(settings.BIND, ports.wanted(settings)):
        if crew.stop_wanted or time.monotonic() >= deadline:
            raise Refused("\n".join(complaints))
        crew.turn(0.2)


def _start(crew: Crew) -> None:
    state_dir: Path = settings.STATE_DIR
    crew.console.say(f"Gatehouse keeps its data in {state_dir}")
    try:
        shut(state_dir, skip=SEE_TO_THEMSELVES)
    except OSError as error:
        raise Refused(f"{state_dir} is not private: {error}. Give it to who runs this.") from error
    if settings.DATABASE_IS_EMBEDDED:
        with _timed(crew, "PostgreSQL"):
            crew.add(EmbeddedMember("postgres", lambda: postgres.start(state_dir)))
    if addresses.redis_url(state_dir) == settings.REDIS_URL:
        with _timed(crew, "Redis"):
            crew.add(EmbeddedMember("redis", lambda: redis.start(state_dir)))
    with _timed(crew, "Secrets, certificate, translations"):
        _prepare_files()
    env = _environment()
    with _timed(crew, "Preparation"):
        if not crew.run_step("prepare", _manage("prepare_demo"), env):
            raise Refused("The preparation failed; its lines above say why.")
    with _timed(crew, "Web, worker and gateway"):
        for name, command in _processes().items():
            crew.add(crew.child(name, command, env))
        _await_ready(crew)
    panel.show(crew.console, settings)
    connections.close_all()  # the panel asked who may sign in; nothing else here asks the database


def _prepare_files() -> None:
    try:
        secrets.ensure(settings.STATE_DIR)
        certificate.ensure(
            settings.STATE_DIR, base_domain=settings.BASE_DOMAIN, mail_domain=settings.MAIL_DOMAIN
        )
        catalogs.compile_catalogs()
        if settings.STORE_URL.startswith("file:"):
            private_dir(settings.STORE_ROOT)
    except (OSError, ValueError, PoFileError) as error:
        raise Refused(str(error)) from error


def _processes() -> dict[str, list[str]]:
    """In the order of their start; the other way round they stop."""
    return {
        "web": _manage("web"),
        "worker": _manage("worker", "--beat"),  # in the only one beat need not start Django once more
        "gateway": _manage("gateway"),
    }


def _await_ready(crew: Crew) -> None:
    """Wait until web and gateway really answer. Raises Refused when they never do."""
    deadline = time.monotonic() + READY_SECONDS
    while closed := panel.not_ready(settings):
        crew.turn(0.3)
        if crew.stop_wanted:
            raise Interrupted
        if time.monotonic() > deadline:
            raise Refused(
                f"Not ready after {READY_SECONDS:.0f} s: {', '.join(closed)}. The lines above say why."
            )


def _watch(crew: Crew) -> None:
    while not crew.stop_wanted:
        crew.turn(60)


@contextmanager
def _timed(crew: Crew, what: str) -> Iterator[None]:
    """Say how long it took. Raises Interrupted when nobody wants it any more."""
    if crew.stop_wanted:
        raise Interrupted
    began = time.monotonic()
    yield
    if crew.stop_wanted:
        raise Interrupted
    crew.console.say(f"{what}: {time.monotonic() - began:.1f} s")


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def _environment() -> dict[str, str]:
    """What the children see: ours, and that this is the demo."""
    return os.environ | {"GATEHOUSE_DEMO": "1", "PYTHONUNBUFFERED": "1"}


def _log_to(console: Console) -> None:
    """Warnings of the embedded services belong on the terminal, whatever the settings log and where."""

    class ToConsole(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.shout(record.getMessage())

    logger = logging.getLogger("portal.onebox.embedded")
    logger.handlers, logger.propagate = [ToConsole(logging.WARNING)], False
