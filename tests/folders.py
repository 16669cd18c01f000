"""Folders of services that a test has for itself: in memory where there is room, and with a path short enough for sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A database is made of 700 files, and is copied for each committed test: on a disk that takes ten times as long.
MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3


def make(prefix: str) -> Path:
    """A new one; whoever wants it removes it."""
    memory = MEMORY if MEMORY.is_mount() and shutil.disk_usage(MEMORY).free > ROOM else None
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory))


@contextmanager
def folder() -> Iterator[Path]:
    made = make("gh-")
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
