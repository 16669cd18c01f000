"""PgBouncer in front of a PostgreSQL of the tests: the machine's own, or the newer one that `.ci/newer` puts beside it."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from portal.onebox.embedded import addresses, permissions
from portal.onebox.embedded.process import answers, wait_until

ROOT = Path(__file__).resolve().parent.parent
NEWER = ROOT / ".gatehouse-newer/bin"
ROLES = ROOT / "docs/database-roles.md"
PORT = 6432
# As docs/deployment.md has them, but for how people sign in.
SESSIONS = "pool_mode = session\nignore_startup_parameters = options\n"
LOSING = (  # the search path
    "pool_mode = transaction\nignore_startup_parameters = options\nquery_wait_timeout = 10\nserver_login_retry = 1\n"
)
TRANSACTIONS = f"{LOSING}track_extra_parameters = search_path\n"
CARRYING, ANY = (1, 20), (1, 0)  # versions of PgBouncer: Debian 12 has 1.18


def program(oldest: tuple[int, int]) -> str:
    """The newest PgBouncer here. Skips the test without one from `oldest` on; fails it under CI."""
    newer = NEWER / "pgbouncer"
    own = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if newer.exists():
        return str(newer)
    if own and _version(own) >= oldest:
        return own
    message = f"There is no PgBouncer from {oldest[0]}.{oldest[1]} on; .ci/newer gets one."
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _version(path: str) -> tuple[int, ...]:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0, 0)


def time_out_by_role(url: str) -> None:
    """As docs/database-roles.md says: a pooler drops what clients ask for when they sign in."""
    [statements] = re.findall(r"```sql\n(-- time-outs .*?)```", ROLES.read_text(), re.DOTALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.replace("gatehouse_app", "CURRENT_USER"))


class Pooler:
    """One that runs. `folder` has its socket, and `url` leads to a database through it."""

    def __init__(self, folder: Path, behind: str, lines: str, *, port: int = PORT) -> None:
        """`behind` is how PgBouncer's configuration says where the server is."""
        folder.mkdir()
        self.folder, self._port = folder, port
        self._configuration = folder / "pgbouncer.ini"
        self._configuration.write_text(
            f"[databases]\n* = {behind}\n"
            f"[pgbouncer]\nlisten_port = {port}\nunix_socket_dir = {folder}\nauth_type = any\nlogfile =\n{lines}"
        )
        self._command = [
            program(CARRYING if "track_extra_parameters" in lines else ANY),
            "--quiet",
            str(self._configuration),
        ]
        if (
            user := permissions.server_user()
        ):  # it refuses to be root, and needs its files and the socket then
            shutil.chown(folder, user)
            shutil.chown(self._configuration, user)
            permissions.let_in(folder.parent, user)
            self._command[1:1] = ["--user", user]
        self.start()

    def url(self, database: str = addresses.POSTGRES_DATABASE, role: str = addresses.POSTGRES_ROLE) -> str:
        return f"postgresql://{role}@{quote(str(self.folder), safe='')}:{self._port}/{database}"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        assert wait_until(lambda: answers(self.folder / f".s.PGSQL.{self._port}"), 20)

    def stop(self) -> None:
        """At once: whoever is connected is thrown out."""
        self._process.kill()
        self._process.wait()
        (self.folder / f".s.PGSQL.{self._port}").unlink(missing_ok=True)


def behind(state_dir: Path) -> str:
    """An embedded PostgreSQL, for whoever comes."""
    return f"host={addresses.postgres_dir(state_dir)} port={addresses.POSTGRES_PORT} user={addresses.POSTGRES_ROLE}"
