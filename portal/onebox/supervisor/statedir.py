"""One supervisor for each state directory."""

import fcntl
import os
from pathlib import Path

from portal.folders import private_dir

FILE_NAME = "supervisor.lock"


class AlreadyRunning(Exception):
    """Another supervisor holds this state directory."""


class StateDirLock:
    """Held from `take` to `release`; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, state_dir: Path) -> None:
        self.path = private_dir(state_dir) / FILE_NAME
        self.left_unclean = False  # the last run was killed: its children may need a moment to end
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises AlreadyRunning."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise AlreadyRunning(
                f"Gatehouse already runs in {self.path.parent} (process {holder or 'unknown'}).\n"
                "Stop it first, or set GATEHOUSE_STATE_DIR and the GATEHOUSE_..._PORT variables for a second one."
            ) from None
        self.left_unclean = bool(os.read(descriptor, 32).strip())
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
