"""A worker's disk that is slow, or deadly. Python's audit events tell of each step, so nothing of ours is replaced.

BREAKING_DISK_MS        each blob that is begun or removed takes so long
BREAKING_DISK           the folder, if it is not the store
BREAKING_KILL_AT        "rename:3 remove:1": SIGKILL before the third blob is put in place, and before the first one is
                        removed; each once, in whichever process gets there first
BREAKING_KILL_WHOM      "worker": SIGKILL to the whole worker instead of one process of it
BREAKING_KILL_MARKS     the folder that remembers which of them have happened
"""

import os
import signal
import sys
import threading
from itertools import count
from pathlib import Path

EVENTS = ("open", "os.rename", "os.remove", "os.rmdir")
# "folder" is the flush of a shard's folder: all blobs of a batch are in place, and COMMIT comes next.
STEPS = ("read", "draft", "rename", "folder", "remove", "rmdir")
SHARD_DEPTH = 3  # customer, mailbox, shard


def watch(store: Path, environment: dict[str, str]) -> None:
    """From now on the disk below `store` behaves as the environment says, in this process and its children."""
    slowness = float(environment.get("BREAKING_DISK_MS", "0")) / 1000
    points = environment.get("BREAKING_KILL_AT", "").split()
    if not slowness and not points:
        return
    whole_worker = environment.get("BREAKING_KILL_WHOM") == "worker"
    marks = Path(environment["BREAKING_KILL_MARKS"])
    prefix = f"{store}{os.sep}"
    counters = {step: count(1) for step in STEPS}
    pause = threading.Event()  # nobody sets it

    def notice(event: str, arguments: tuple[object, ...]) -> None:
        if event not in EVENTS:
            return
        path = str(arguments[0])
        if not path.startswith(prefix):
            return
        step = event.removeprefix("os.")
        if step == "open":
            depth = path.removeprefix(prefix).count(os.sep) + 1
            if depth < SHARD_DEPTH:
                return
            step = "draft" if path.endswith(".draft") else "read" if depth > SHARD_DEPTH else "folder"
        point = f"{step}:{next(counters[step])}"
        if point in points and _is_first(marks / point):
            os.kill(0 if whole_worker else os.getpid(), signal.SIGKILL)
        if slowness and step in ("draft", "remove"):
            pause.wait(slowness)

    sys.addaudithook(notice)


def _is_first(mark: Path) -> bool:
    """Whether nobody was killed at this point before."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
