"""Directories as private as possible, though PostgreSQL refuses to run as root and so needs a way in."""

import logging
import os
import pwd
import stat
import subprocess
from pathlib import Path

from portal.onebox.embedded.errors import ServiceFailed

log = logging.getLogger(__name__)

SYSTEM_USER = "pgserver"  # the name the wheel's own helper uses, so that one machine gets one such user


def shut(state_dir: Path, *, skip: frozenset[str]) -> None:
    """Take from everybody else what lies there, whoever made it and under whatever umask. `skip` names folders at its
    top that see to themselves. Raises OSError when something there is somebody else's.
    """
    for folder, folders, names in os.walk(state_dir):
        if Path(folder) == state_dir:
            folders[:] = [name for name in folders if name not in skip]
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                path.chmod(stat.S_IMODE(mode) & stat.S_IRWXU)


def server_user() -> str | None:
    """Whom PostgreSQL runs as: ourselves (None), or a system user of its own when we are root.

    Raises ServiceFailed when that user has to be made and can't be.
    """
    if os.geteuid() != 0:
        return None
    if not _exists(SYSTEM_USER):
        command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        try:
            subprocess.run([*command, SYSTEM_USER], check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            if not _exists(SYSTEM_USER):  # a second start beside ours may have made it
                raise ServiceFailed(
                    f"PostgreSQL does not run as root, and the system user {SYSTEM_USER!r} for it could not be made "
                    f"({getattr(error, 'stderr', None) or error}). Start as another user, make that user, or set "
                    "DATABASE_URL to a PostgreSQL server."
                ) from error
    return SYSTEM_USER


def let_in(directory: Path, user: str) -> None:
    """Let the server's user pass through our own `directory`: its group may pass, not list; nobody else may."""
    group = pwd.getpwnam(user).pw_gid
    status = directory.stat()
    if not status.st_mode & (stat.S_IXGRP if status.st_gid == group else stat.S_IXOTH):
        os.chown(directory, -1, group)
        directory.chmod(stat.S_IMODE(status.st_mode) & stat.S_IRWXU | stat.S_IXGRP)
    _open_the_way(directory, user)


def let_read(tree: Path, user: str) -> None:
    """Let the server's user run what lies in an installed package; a strict umask at installation forbids it."""
    _open_the_way(tree, user)
    for folder, _, names in os.walk(tree):
        _add(Path(folder), stat.S_IRGRP | stat.S_IROTH | stat.S_IXGRP | stat.S_IXOTH)
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                runs = stat.S_IXGRP | stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0
                _add(path, stat.S_IRGRP | stat.S_IROTH | runs)


def _open_the_way(path: Path, user: str) -> None:
    """The folders above are not ours and may be a private home, but there is no way around; so it is said aloud."""
    group = pwd.getpwnam(user).pw_gid
    for folder in path.parents:
        status = folder.stat()
        if not status.st_mode & (stat.S_IXGRP if status.st_gid == group else stat.S_IXOTH):
            _add(folder, stat.S_IXOTH)
            log.warning(
                "%s can now be passed through, though not listed, by every local user: PostgreSQL does not run as "
                "root, and its user has to reach %s.",
                folder,
                path,
            )


def _add(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
