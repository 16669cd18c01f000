"""A PostgreSQL as somebody runs it for us elsewhere: by TCP, over TLS alone, for roles with passwords (SCRAM).

The one of `make run` has no TLS, so the programs are the machine's own, or those that `make core` is given.
"""

import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme

from portal.onebox.embedded import permissions, postgres
from portal.onebox.embedded.process import open_log, spawn, wait_until
from tests.ports import free_port

ADDRESS, NAME = "127.0.0.1", "localhost"
SUPERUSER = "postgres"
SECONDS = 60
OURS = ("max_connections", "max_locks_per_transaction", "timezone", "log_timezone")
OVER_TLS_ALONE = "hostssl all all all scram-sha-256\n"
WITHOUT_TLS = "hostnossl all all all scram-sha-256\n"


def programs() -> Path:
    """The folder of PostgreSQL's programs that speak TLS. Skips the test without one; fails it under CI."""
    if given := os.environ.get("GATEHOUSE_TEST_POSTGRES"):
        return Path(given)
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    message = "There is no PostgreSQL of this machine's own: apt-get install postgresql."
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Postgres:
    """One that runs. Its certificate is for whom `certify` says, and `authority` is the file of who vouched for it."""

    def __init__(self, folder: Path, programs: Path, settings: dict[str, Any] | None = None) -> None:
        self._user = permissions.server_user()
        self.password, self.port = secrets.token_hex(16), free_port()
        self._programs, self._folder = programs, folder
        folder.mkdir(mode=0o711)
        if self._user:
            permissions.let_in(folder.parent, self._user)
        self._data = self._private(folder / "data")
        self.log = folder / "postgres.log"
        self._settings = {
            **{name: postgres.SETTINGS[name] for name in OURS},
            **postgres.NOT_DURABLE,
            "listen_addresses": ADDRESS,
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": self._data / "server.crt",
            "ssl_key_file": self._data / "server.key",
            **(settings or {}),
        }
        self._initialize()
        self.authority = folder / "authority.pem"
        self.vouches = trustme.CA()
        self.certify(NAME, ADDRESS)
        self.lets_in(OVER_TLS_ALONE)
        self.start()

    # --- What its administrator does ---
    def certify(self, *names: str, by: trustme.CA | None = None, **dates: Any) -> None:
        """Another certificate, by another authority if one is given. It takes it up when it starts, or is told to reload."""
        self.vouches = by or self.vouches
        self.vouches.cert_pem.write_to_path(str(self.authority))
        leaf = self.vouches.issue_cert(*names, **dates)
        for name, pem in (("server.crt", leaf.cert_chain_pems[0]), ("server.key", leaf.private_key_pem)):
            path = self._data / name
            pem.write_to_path(str(path))
            path.chmod(0o600)
            self._give(path)

    def lets_in(self, lines: str) -> None:
        """As pg_hba.conf has it."""
        path = self._data / "pg_hba.conf"
        path.write_text(lines)
        self._give(path)

    def start(self, **settings: Any) -> None:
        every = {**self._settings, **settings}
        with open_log(self.log) as output:
            self._process = spawn(
                [
                    *(self._programs / "postgres", "-D", self._data, "-p", str(self.port)),
                    *(part for name, value in every.items() for part in ("-c", f"{name}={value}")),
                ],
                death_signal=signal.SIGINT,
                cwd="/",
                user=self._user,
                output=output,
            )
        self._await(lambda: self._answers(every["ssl"]), "it does not answer")

    def reload(self) -> None:
        """Whoever is connected stays; who comes from now on sees the new certificate."""
        before = self.log.read_text().count("reloading configuration files")
        self._process.send_signal(signal.SIGHUP)
        self._await(
            lambda: self.log.read_text().count("reloading configuration files") > before, "it does not reload"
        )

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(SECONDS)

    def does(self, *statements: str, database: str = SUPERUSER) -> None:
        """As its superuser, whatever its certificate is."""
        with self._entered(database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    # --- What it tells others ---
    @property
    def verified(self) -> str:
        """What to say behind the `?` of a URL, so that nobody else can pass for it."""
        return f"sslmode=verify-full&sslrootcert={self.authority}"

    def url(self, role: str, database: str, behind: str = "", host: str = NAME) -> str:
        return f"postgresql://{role}:{self.password}@{host}:{self.port}/{database}" + (
            behind and f"?{behind}"
        )

    @property
    def version(self) -> int:
        with self._entered() as connection:
            return connection.info.server_version // 10_000

    def lend(self, *paths: Path) -> None:
        """What another service reads that runs as the same user."""
        for path in paths:
            path.chmod(0o600)
            self._give(path)

    # --- Within ---
    def _initialize(self) -> None:
        password = self._folder / "password"
        password.write_text(self.password)
        password.chmod(0o600)
        self._give(password)
        with open_log(self.log) as output:
            made = spawn(
                [
                    *(self._programs / "initdb", "--pgdata", self._data, "--username", SUPERUSER),
                    *("--pwfile", password, "--encoding", "UTF8", "--locale", "C.UTF-8"),
                    *("--auth", "scram-sha-256", "--no-sync"),
                ],
                cwd="/",
                user=self._user,
                output=output,
            ).wait()
        assert made == 0, self.log.read_text()

    def _private(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700)
        self._give(folder)
        return folder

    def _give(self, path: Path) -> None:
        if self._user:
            shutil.chown(path, self._user)

    def _entered(
        self, database: str = SUPERUSER, sslmode: str = "require", **options: Any
    ) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(SUPERUSER, database), sslmode=sslmode, sslrootcert="", **options)

    def _answers(self, ssl: str) -> bool:
        try:
            self._entered(sslmode="require" if ssl == "on" else "disable").close()
        except psycopg.OperationalError:
            return False
        return True

    def _await(self, holds: Callable[[], bool], what: str) -> None:
        if not wait_until(holds, SECONDS):
            said = self.log.read_text()
            self.stop()
            pytest.fail(f"{what}: {said}")


@contextmanager
def serving(folder: Path) -> Iterator[Postgres]:
    """One for this block, below a folder that need not be there."""
    server = Postgres(folder, programs())
    try:
        yield server
    finally:
        server.stop()
