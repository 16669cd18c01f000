"""PostgreSQL that can be restarted, and a disk that can be full."""

import os
import resource
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import connection

from portal.onebox.embedded import postgres
from tests.breaking.workers import Worker

DISK_OCTETS = 64 * 1024 * 1024
LARGEST_LOG = 48 * 1024  # octets; mail that a disk refuses has to be larger


class Server:
    """PostgreSQL below a folder of its own."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir
        self._running = postgres.start(state_dir, durable=False)
        self.url = self._running.url

    def stop(self) -> None:
        """Whoever is connected is thrown out."""
        connection.close()
        self._running.stop()

    def crash(self) -> None:
        """`kill -9` of the postmaster: nobody is told anything, and what was committed is in the log only."""
        connection.close()
        assert self._running.pid
        os.kill(self._running.pid, signal.SIGKILL)
        self._running.stop()

    def crash_for_good(self) -> None:
        """The same of a machine that does not come back."""
        assert self._running.pid
        os.kill(self._running.pid, signal.SIGKILL)

    def start(self) -> None:
        self._running = postgres.start(self.folder, durable=False)


class Disk(ABC):
    """A disk that fills up and is made room on."""

    @classmethod
    @contextmanager
    def mounted_on(cls, folder: Path) -> Iterator["Disk"]:
        """A file system of its own where that is allowed; elsewhere workers can't write anything longer than a log."""
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_OCTETS},mode=0700", "tmpfs", str(folder)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            yield LimitedDisk()
            return
        try:
            yield MountedDisk(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    @abstractmethod
    def fill(self, worker: Worker) -> None:
        """There is no room any more; what is freed in the meantime is taken by the next call."""

    @abstractmethod
    def make_room(self, worker: Worker) -> None: ...


class MountedDisk(Disk):
    """Full because somebody else's file lies there."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, worker: Worker) -> None:
        with suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(1024 * 1024))

    def make_room(self, worker: Worker) -> None:
        self._ballast.unlink()


class LimitedDisk(Disk):
    """The kernel refuses to let the worker's files grow (EFBIG), as it does on a full disk (ENOSPC)."""

    def fill(self, worker: Worker) -> None:
        self._limit(worker, LARGEST_LOG)

    def make_room(self, worker: Worker) -> None:
        self._limit(worker, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(worker: Worker, octets: int) -> None:
        for process in worker.family():
            process.rlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY))
