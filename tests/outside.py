"""The services as a production has them, instead of those that `make run` embeds: a PostgreSQL of the distribution's behind
PgBouncer, and its Redis or Valkey, all with passwords and TLS. `make core` runs a part of the tests on them.
"""

import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import redis
import trustme

from portal.onebox.embedded import permissions, postgres
from portal.onebox.embedded.process import open_log, spawn, wait_until
from tests.poolers import SESSIONS, Pooler, time_out_by_role
from tests.ports import free_port

HOST = "127.0.0.1"
SECONDS = 60
ROLE = "gatehouse"
OURS = ("max_connections", "max_locks_per_transaction", "timezone", "log_timezone")


class Outside:
    """All of them, running below a folder. `programs` is where PostgreSQL's lie."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._ending: list[Callable[[], object]] = []
        self._user = permissions.server_user()
        self._password = secrets.token_hex(16)
        folder.mkdir(mode=0o711)
        if self._user:
            permissions.let_in(folder.parent, self._user)
        self._certify(folder)
        try:
            behind = self._start_postgres(folder, programs)
            self.database_url = self._start_pooler(folder, behind)
            self.redis_url = self._start_redis(folder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        while self._ending:
            self._ending.pop()()

    def _certify(self, folder: Path) -> None:
        authority = trustme.CA()
        leaf = authority.issue_cert(HOST)
        self._ca, self._cert, self._key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        authority.cert_pem.write_to_path(str(self._ca))
        leaf.cert_chain_pems[0].write_to_path(str(self._cert))
        leaf.private_key_pem.write_to_path(str(self._key))
        self._key.chmod(0o600)
        if self._user:
            shutil.chown(self._key, self._user)

    def _start_postgres(self, folder: Path, programs: Path) -> int:
        data, port = folder / "data", free_port()
        data.mkdir(mode=0o700)
        password = folder / "password"
        password.write_text(self._password)
        for path in (data, password):
            if self._user:
                shutil.chown(path, self._user)
        with open_log(folder / "postgres.log") as output:
            made = spawn(
                [
                    *(programs / "initdb", "--pgdata", data, "--username", "postgres", "--pwfile", password),
                    *("--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "scram-sha-256", "--no-sync"),
                ],
                cwd="/",
                user=self._user,
                output=output,
            ).wait()
            assert made == 0, (folder / "postgres.log").read_text()
            settings = {
                **{name: postgres.SETTINGS[name] for name in OURS},
                **postgres.NOT_DURABLE,
                "listen_addresses": HOST,
                "unix_socket_directories": "",
                "ssl": "on",
                "ssl_cert_file": self._cert,
                "ssl_key_file": self._key,
            }
            process = spawn(
                [
                    *(programs / "postgres", "-D", data, "-p", str(port)),
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                death_signal=signal.SIGINT,
                cwd="/",
                user=self._user,
                output=output,
            )
        self._ending.append(lambda: _end(process, signal.SIGINT))

        def url(role: str, database: str) -> str:
            tls = f"sslmode=verify-full&sslrootcert={self._ca}"
            return f"postgresql://{role}:{self._password}@{HOST}:{port}/{database}?{tls}"

        def answers() -> bool:
            try:
                psycopg.connect(url("postgres", "postgres")).close()
            except psycopg.OperationalError:
                return False
            return True

        assert wait_until(answers, SECONDS), (folder / "postgres.log").read_text()
        with psycopg.connect(url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{self._password}'")
            connection.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
        time_out_by_role(url(ROLE, ROLE))
        return port

    def _start_pooler(self, folder: Path, behind: int) -> str:
        people = folder / "userlist.txt"
        people.write_text(f'"{ROLE}" "{self._password}"\n')
        if self._user:
            shutil.chown(people, self._user)
        port = free_port()
        pooler = Pooler(
            folder / "pooler",
            f"host={HOST} port={behind}",
            f"{SESSIONS}listen_addr = {HOST}\nauth_type = scram-sha-256\nauth_file = {people}\n"
            f"server_tls_sslmode = verify-full\nserver_tls_ca_file = {self._ca}\n"
            f"client_tls_sslmode = require\nclient_tls_cert_file = {self._cert}\nclient_tls_key_file = {self._key}\n"
            # A database whose sessions it keeps can be neither copied nor dropped.
            "default_pool_size = 50\nserver_idle_timeout = 1\n",
            port=port,
        )
        self._ending.append(pooler.stop)
        return f"postgresql://{ROLE}:{self._password}@{HOST}:{port}/{ROLE}?sslmode=verify-full&sslrootcert={self._ca}"

    def _start_redis(self, folder: Path) -> str:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        assert program, "There is neither redis-server nor valkey-server on the PATH."
        port = free_port()
        configuration = folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"bind {HOST}\nport 0\ntls-port {port}\ntls-auth-clients no\nrequirepass {self._password}\n"
            f"tls-cert-file {self._cert}\ntls-key-file {self._key}\ntls-ca-cert-file {self._ca}\n"
            f'dir {folder}\nsave ""\nproto-max-bulk-len 1mb\nmaxmemory-policy noeviction\n'
        )
        with open_log(folder / "redis.log") as output:
            process = spawn([program, configuration], cwd=folder, output=output)
        self._ending.append(lambda: _end(process, signal.SIGTERM))
        url = f"rediss://:{self._password}@{HOST}:{port}/0?ssl_ca_certs={self._ca}"

        def answers() -> bool:
            try:
                with redis.Redis.from_url(url) as client:
                    return bool(client.ping())
            except redis.RedisError:
                return False

        assert wait_until(answers, SECONDS), (folder / "redis.log").read_text()
        return url


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    process.wait(SECONDS)
