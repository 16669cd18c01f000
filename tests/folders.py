"""Folders of services that a test has for itself: in memory where there is room, and with a path short enough for sockets.

What a killed run leaves there would take memory until the machine starts anew, so the next run removes it: each folder is
locked as long as the process lives that made it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A database is made of 700 files, and is copied for each committed test: on a disk that takes ten times as long.
MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3
PREFIX = "gatehouse-"
YOUNG_SECONDS = 60  # between making a folder and locking it


def make(kind: str = "") -> Path:
    """A new one, locked until this process ends; whoever wants it removes it."""
    return _made(kind)[0]


@contextmanager
def folder() -> Iterator[Path]:
    made, lock = _made()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(lock)


def sweep() -> None:
    """Remove from memory what is nobody's any more."""
    for left in MEMORY.glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is locked, has just gone, or is another person's
            if time.time() - left.stat().st_ctime > YOUNG_SECONDS:
                lock = _lock(left)
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _made(kind: str = "") -> tuple[Path, int]:
    memory = MEMORY if MEMORY.is_mount() and shutil.disk_usage(MEMORY).free > ROOM else None
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}", dir=memory))
    return made, _lock(made)


def _lock(folder: Path) -> int:
    """Raises BlockingIOError where a process has it that lives."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise
    return number
