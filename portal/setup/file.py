"""The environment file: `NAME=value`, as a shell, systemd (EnvironmentFile=) and Compose (.env) all read it."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from portal.onebox.secrets import write_private

HEAD = """\
# Gatehouse's settings: docs/settings.md explains each. Made anew, these secrets fit nothing that is there.
# Whoever has this file has the portal: keep it to its owner (chmod 600), and a copy where you will find it when this
# machine is gone, away from the backups of the database.
"""
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_IN_QUOTES = re.compile(r"[^'\n\r\0]*")


def may_stand(value: str) -> bool:
    """Whether the three would all read it as it is meant: within single quotes nothing means anything, but their end."""
    return bool(_IN_QUOTES.fullmatch(value))


def read(text: str) -> dict[str, str]:
    """Raises ValueError, which names the line and quotes none of it."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assigned = _LINE.fullmatch(line)
        if assigned is None:
            raise ValueError(f"line {number} is no NAME=value")
        try:
            words = shlex.split(assigned[2], comments=True)
        except ValueError:
            raise ValueError(f"line {number} has a quote that does not end") from None
        if len(words) > 1:
            raise ValueError(f"line {number} has blanks outside quotes")
        found[assigned[1]] = words[0] if words else ""
    return found


def written(before: str, values: Mapping[str, str]) -> str:
    """The file with these values: what else was in it stays, remarks too."""
    left = dict(values)
    lines = []
    for line in before.splitlines() or HEAD.splitlines():
        assigned = _LINE.fullmatch(line)
        name = assigned[1] if assigned else ""
        lines.append(_line(name, left.pop(name)) if name in left else line)
    return "\n".join([*lines, *(_line(name, value) for name, value in left.items()), ""])


def write(path: Path, text: str) -> None:
    """For its owner alone, as a whole. Raises OSError."""
    write_private(path, text.encode())


def _line(name: str, value: str) -> str:
    return f"{name}={value}" if _PLAIN.fullmatch(value) else f"{name}='{value}'"
