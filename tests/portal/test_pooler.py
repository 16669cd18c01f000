"""The pooler check against PostgreSQL itself and against a real PgBouncer in front of it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import dj_database_url
import pytest
from django.db.utils import ConnectionHandler

from portal.checks import pooler
from portal.checks.pooler import sessions_are_shared
from portal.onebox.embedded import addresses, postgres
from portal.onebox.embedded.process import answers, wait_until

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@pytest.fixture(scope="module")
def database():
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    server = postgres.start(folder / "state", durable=False)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def pooled(database, state_dir):
    """Gives the URL of a PgBouncer in the mode wanted."""
    if PGBOUNCER is None:
        if os.environ.get("CI"):
            pytest.fail("PgBouncer is not installed; .ci/run installs it.")
        pytest.skip("PgBouncer is not installed.")
    processes = []
    state_dir.mkdir()

    def start(mode):
        behind = addresses.postgres_dir(database.state_dir)
        configuration = state_dir / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n{addresses.POSTGRES_DATABASE} = host={behind} port={addresses.POSTGRES_PORT} "
            f"user={addresses.POSTGRES_ROLE}\n"
            f"[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {state_dir}\nauth_type = any\n"
            f"pool_mode = {mode}\nlogfile =\n"
        )
        command = [PGBOUNCER, "--quiet", str(configuration)]
        if os.geteuid() == 0:  # it refuses to be root, and needs its files and the socket then
            shutil.chown(state_dir, "pgserver")
            shutil.chown(configuration, "pgserver")
            state_dir.parent.chmod(0o711)
            command[1:1] = ["--user", "pgserver"]
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        assert wait_until(lambda: answers(state_dir / ".s.PGSQL.6432"), 10)
        socket_dir = quote(str(state_dir), safe="")
        return f"postgresql://{addresses.POSTGRES_ROLE}@{socket_dir}:6432/{addresses.POSTGRES_DATABASE}"

    yield start
    for process in processes:
        process.terminate()
        process.wait()


def connection_to(url):
    return ConnectionHandler({"default": dj_database_url.parse(url)})["default"]


def test_sessions_of_postgres_itself_are_our_own(database):
    assert not sessions_are_shared(connection_to(database.url))


def test_session_pooling_is_fine(pooled):
    assert not sessions_are_shared(connection_to(pooled("session")))


def test_a_database_that_cannot_be_reached_is_a_complaint_and_not_a_traceback(monkeypatch, tmp_path):
    nowhere = f"postgresql://somebody@{quote(str(tmp_path), safe='')}:5432/gatehouse"
    handler = ConnectionHandler({"default": dj_database_url.parse(nowhere)})
    monkeypatch.setattr(pooler, "connections", handler)

    (message,) = pooler.sessions_are_our_own(None, databases=["default"])
    assert message.id == "gatehouse.E016"
    assert "DATABASE_URL" in message.hint
    assert pooler.sessions_are_our_own(None) == []


def test_transaction_pooling_is_a_complaint(monkeypatch, pooled):
    handler = ConnectionHandler({"default": dj_database_url.parse(pooled("transaction"))})
    monkeypatch.setattr(pooler, "connections", handler)

    (message,) = pooler.sessions_are_our_own(None, databases=["default"])
    assert message.id == "gatehouse.E015"
    assert "pool_mode = session" in message.hint
