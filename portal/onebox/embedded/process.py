"""Child processes that never outlive what started them, and the small things both services need."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from accounts.children import die_with
from portal.onebox.embedded.errors import ServiceFailed, StateDirUnusable

# sockaddr_un.sun_path is 108 octets on Linux and 104 elsewhere, closing NUL included.
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
LOG_KEPT_OCTETS = 5 * 1024 * 1024


def dies_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`, for a child that becomes another program: even SIGKILL of the parent leaves nothing behind."""
    return partial(die_with, os.getpid(), death_signal)


def spawn(
    command: Sequence[str | Path],
    *,
    death_signal: signal.Signals = signal.SIGTERM,
    env: dict[str, str] | None = None,
    cwd: Path | str | None = None,
    user: str | None = None,
    output: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that Ctrl-C reaches it only through us and in our order."""
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=env,
        cwd=cwd,
        user=user,
        group=user and _primary_group(user),
        extra_groups=[] if user else None,
        start_new_session=True,
        preexec_fn=dies_with_parent(death_signal),  # noqa: PLW1509  it runs one system call, takes no lock
    )


def check_socket_path(path: Path) -> None:
    """Raises StateDirUnusable when a Unix socket can't have this path or a client can't be told it."""
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_LIMIT:
        raise StateDirUnusable(
            f"The socket {path} would have a path of {length} octets; the system allows {SOCKET_PATH_LIMIT}. "
            "Set GATEHOUSE_STATE_DIR to a directory with a shorter path."
        )
    if "," in str(path):  # PostgreSQL's clients read a list of hosts there, however it is quoted
        raise StateDirUnusable(
            f"{path} has a comma in it. Set GATEHOUSE_STATE_DIR to a directory without one."
        )


def answers(path: Path) -> bool:
    """Whether something accepts connections on this Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def open_log(path: Path) -> IO[bytes]:
    """The service's log, to append to; what has grown too long is kept once as `.1`."""
    if path.exists() and path.stat().st_size > LOG_KEPT_OCTETS:
        path.replace(path.with_name(path.name + ".1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)


def tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def failed(service: str, what: str, log: Path) -> ServiceFailed:
    """The error with the end of the log, which is where the reason stands."""
    return ServiceFailed(f"{service} {what}. The end of {log}:\n{textwrap.indent(tail(log), '    ')}")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _primary_group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
