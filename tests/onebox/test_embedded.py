"""PostgreSQL and Redis below a state directory, started and stopped for real."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from portal.onebox.embedded import addresses, postgres, redis
from portal.onebox.embedded.errors import ServiceFailed, StateDirUnusable
from portal.onebox.embedded.process import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def running(state_dir):
    """Starts services that are stopped at the end, whatever happens."""
    started = []

    def start(service, **options):
        started.append(service.start(state_dir, **{"durable": False} | options))
        return started[-1]

    yield start
    for server in reversed(started):
        server.stop()


def remember(server, value):
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (text text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [value])


def notes(server):
    with psycopg.connect(server.url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes")]


def test_postgres_keeps_its_data_over_a_stop_and_a_start(running):
    first = running(postgres)
    remember(first, "kept")
    first.stop()
    assert not first.is_alive()

    assert notes(running(postgres)) == ["kept"]


def test_postgres_listens_on_its_private_socket_only(running, state_dir):
    server = running(postgres)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (False,)
    assert addresses.postgres_socket(state_dir).is_socket()
    assert stat.S_IMODE(addresses.postgres_dir(state_dir).stat().st_mode) == 0o700
    assert not stat.S_IMODE(state_dir.stat().st_mode) & 0o067


def test_a_postgres_that_still_runs_is_taken_over(running):
    first = running(postgres)
    remember(first, "kept")

    second = running(postgres)
    assert (second.process, second.pid) == (None, first.pid)
    assert notes(second) == ["kept"]

    second.stop()
    assert wait_until(lambda: not first.is_alive(), 10)


def test_postgres_comes_back_after_its_postmaster_was_killed(running):
    first = running(postgres)
    remember(first, "kept")
    with psycopg.connect(first.url):  # a backend that outlives the postmaster by a moment
        first.process.kill()
        first.process.wait()
        assert notes(running(postgres)) == ["kept"]


def test_the_number_of_a_dead_postmaster_may_belong_to_someone_else_by_now(running, state_dir):
    running(postgres).stop()
    left = f"{os.getpid()}\n{addresses.postgres_dir(state_dir)}\n"
    pid_file = addresses.postgres_dir(state_dir) / "postmaster.pid"
    pid_file.write_text(left)
    if os.geteuid() == 0:
        owner = addresses.postgres_dir(state_dir).stat()
        os.chown(pid_file, owner.st_uid, owner.st_gid)

    assert running(postgres).is_alive()


def test_an_interrupted_initialisation_leaves_nothing_half_made(running, state_dir):
    half_made = state_dir / "postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    assert running(postgres).is_alive()
    assert not half_made.exists()


def test_data_of_another_version_is_refused_and_left_alone(running, state_dir):
    running(postgres).stop()
    (addresses.postgres_dir(state_dir) / "PG_VERSION").write_text("16\n")

    with pytest.raises(ServiceFailed, match="holds version 16.*pg_upgrade"):
        postgres.start(state_dir)


def test_redis_keeps_what_was_queued_and_listens_on_its_private_socket_only(running, state_dir):
    first = running(redis, durable=True)
    with redis_client.Redis.from_url(first.url) as client:
        client.lpush("queue", "ring")
        wanted = {"port": "0", "maxmemory-policy": "noeviction", "appendonly": "yes"}
        assert {name: client.config_get(name)[name] for name in wanted} == wanted
    assert stat.S_IMODE(addresses.redis_socket(state_dir).stat().st_mode) == 0o700
    assert stat.S_IMODE(addresses.redis_dir(state_dir).stat().st_mode) == 0o700
    first.stop()

    with redis_client.Redis.from_url(running(redis, durable=True).url) as client:
        assert client.lrange("queue", 0, -1) == [b"ring"]


def test_redis_takes_no_item_that_would_fill_a_workers_memory(running):
    server = running(redis)
    with redis_client.Redis.from_url(server.url) as client:
        client.rpush("queue", b" " * 1_000_000)
        with pytest.raises(redis_client.RedisError):
            client.rpush("queue", b" " * 1_100_000)
        assert client.llen("queue") == 1


def test_a_redis_that_still_runs_is_taken_over(running):
    first = running(redis)
    second = running(redis)
    assert (second.process, second.pid) == (None, first.pid)

    second.stop()
    assert wait_until(lambda: not first.is_alive(), 10)


def test_both_end_with_the_process_that_started_them_and_start_again_with_their_data(running, state_dir):
    program = f"""
        import sys
        from pathlib import Path
        from portal.onebox.embedded import postgres, redis
        servers = postgres.start(Path({str(state_dir)!r})), redis.start(Path({str(state_dir)!r}))
        print(*(server.pid for server in servers), flush=True)
        sys.stdin.read()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        with psycopg.connect(addresses.postgres_url(state_dir)) as connection:
            connection.execute("CREATE TABLE notes AS SELECT 'kept' AS text")
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    assert notes(running(postgres)) == ["kept"]
    assert running(redis).is_alive()
    assert wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 10)


@pytest.mark.parametrize("service", [postgres, redis])
def test_a_path_too_long_for_a_socket_names_the_variable_that_moves_it(service, state_dir):
    with pytest.raises(StateDirUnusable, match="GATEHOUSE_STATE_DIR to a directory with a shorter path"):
        service.start(state_dir / ("long" * 25))


def test_a_path_with_a_comma_is_refused_for_clients_would_read_two_hosts(state_dir):
    with pytest.raises(StateDirUnusable, match="comma"):
        postgres.start(state_dir / "a,b")


def test_the_addresses_survive_blanks_and_capitals(tmp_path):
    state_dir = tmp_path / "With Blank"
    assert "With%20Blank%2Fpostgres:5432/gatehouse" in addresses.postgres_url(state_dir)
    assert addresses.redis_url(state_dir).endswith("With%20Blank/redis/redis.sock")
    pool = redis_client.ConnectionPool.from_url(addresses.redis_url(state_dir))
    assert pool.connection_kwargs["path"] == str(addresses.redis_socket(state_dir))
