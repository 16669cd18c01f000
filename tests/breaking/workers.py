"""Real Celery workers, with beat inside, in processes that can be killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import redis
from django.conf import settings
from django.db import connection

from portal.onebox.embedded.process import spawn
from tests import s3
from tests.breaking.kit import until

ROOT = Path(__file__).resolve().parent.parent.parent
QUEUE = "celery"


class Worker:
    """One worker with two pool processes and perhaps beat: a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def await_ready(self) -> None:
        until(lambda: "ready." in self.words(), "the worker is ready")

    def words(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(errors="replace")

    def tasks(self, name: str) -> int:
        """How many tasks of this name it was sent so far, those sent again among them."""
        return len(re.findall(rf"Task mailboxes\.tasks\.{name}\[\S+\] received", self.words()))

    def family(self) -> list[psutil.Process]:
        """The worker and all its children."""
        head = psutil.Process(self._process.pid)
        return [head, *head.children(recursive=True)]

    def end(self) -> int:
        """SIGTERM, as a unit or container is stopped; the exit status."""
        self._process.terminate()
        return self._process.wait(60)

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        if self.is_alive():
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Workers:
    """The workers of one test, on the database, Redis and store that it uses at that moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marks = folder / "kills"
        self._marks.mkdir()
        self._started: list[Worker] = []

    def start(self, *, beat: bool = True, **behaviour: object) -> Worker:
        """`behaviour` is what worker_settings and disk read: `disk_ms=4`, `kill_at="rename:3"`, ..."""
        number = len(self._started)
        command = [sys.executable, "manage.py", "worker", "--processes", "2", *(["--beat"] if beat else [])]
        environment = {
            **environment_of_processes(),
            "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
            "PYTHONUNBUFFERED": "1",
            "BREAKING_KILL_MARKS": str(self._marks),
            "BREAKING_BEAT_SCHEDULE": str(self._folder / f"beat{number}"),
            **{f"BREAKING_{name.upper()}": str(value) for name, value in behaviour.items()},
        }
        log = self._folder / f"worker{number}.log"
        with log.open("ab") as output:
            process = spawn(command, env=environment, cwd=ROOT, output=output)
        self._started.append(Worker(process, log))
        return self._started[-1]

    def kills(self) -> set[str]:
        """At which points of `kill_at` a process was killed."""
        return {mark.name for mark in self._marks.iterdir()}

    def kill_all(self) -> None:
        for worker in self._started:
            worker.kill()

    def last_words(self) -> str:
        """The end of what each has said, without the heartbeats of beat."""
        said = [
            (
                worker.log.name,
                [line for line in worker.words().splitlines() if "ring_stalled_jobs" not in line],
            )
            for worker in self._started
        ]
        return "\n".join(f"--- {name}\n" + "\n".join(lines[-60:]) for name, lines in said)


class Bell:
    """This test's own Redis database, looked at from outside."""

    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(settings.REDIS_URL)

    def flush(self) -> None:
        self.redis.flushdb()

    def is_silent(self) -> bool:
        """Nothing is queued, and nothing is being worked on."""
        return not self.redis.llen(QUEUE) and not self.redis.hlen("unacked")

    def everything(self) -> bytes:
        """All keys and values, for looking for what must not be there."""
        read: dict[bytes, Callable[[bytes], Iterable[bytes]]] = {
            b"string": lambda key: [self.redis.get(key) or b""],
            b"list": lambda key: self.redis.lrange(key, 0, -1),
            b"set": self.redis.smembers,
            b"hash": lambda key: self.redis.hgetall(key).values(),
            b"zset": lambda key: self.redis.zrange(key, 0, -1),
            b"none": lambda key: [],  # gone in this moment
        }
        keys = list(self.redis.scan_iter())
        return b"".join(key + b"".join(read[self.redis.type(key)](key)) for key in keys)


def environment_of_processes() -> dict[str, str]:
    """What a process of its own needs in order to work on this test's database, Redis and store."""
    database: dict[str, Any] = connection.settings_dict
    hosts, ports = (str(database[part]).split(",") for part in ("HOST", "PORT"))  # several, with standbys
    host = ",".join(
        quote(host, safe="") + (f":{port}" if port else "") for host, port in zip(hosts, ports, strict=True)
    )
    options = database.get("OPTIONS", {})
    behind = urlencode({name: options[name] for name in ("sslmode", "sslrootcert") if name in options})
    person = ":".join(quote(str(part), safe="") for part in (database["USER"], database["PASSWORD"]) if part)
    return {
        **os.environ,
        "DATABASE_URL": f"postgres://{person}@{host}/{database['NAME']}{behind and f'?{behind}'}",
        "REDIS_URL": settings.REDIS_URL,
        "GATEHOUSE_STATE_DIR": str(settings.STATE_DIR),
        "GATEHOUSE_STORE_URL": f"file://{settings.STORE_ROOT}",
        **(
            s3.variables(settings.STORE_URL, settings.S3_ENDPOINT)
            if settings.STORE_URL.startswith("s3:")
            else {}
        ),
        "GATEHOUSE_MAIL_DOMAIN": settings.MAIL_DOMAIN,
        "SECRET_KEY": settings.SECRET_KEY,
        "GATEHOUSE_WORKER_KEY": settings.WORKER_KEY,
    }
