"""The environment file: `NAME=value`, as a shell, systemd (EnvironmentFile=) and Compose (.env) all read it."""

import re
from collections.abc import Mapping
from pathlib import Path

from portal.onebox.secrets import write_private

HEAD = """\
# Gatehouse's settings: docs/settings.md explains each. Made anew, these secrets fit nothing that is there.
# Whoever has this file has the portal: keep it to its owner (chmod 600), and a copy where you will find it when this
# machine is gone, away from the backups of the database.
"""
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_ASSIGNED = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_WITHOUT_QUOTES = re.compile(r"[^\s'\"\\$`#;&|<>()~]*")
_MARK = "\ufeff"  # at the start of what Windows calls UTF-8
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")  # of which systemd takes none but the tab
_NO_CONTROLS = "No line break or control character can stand in the file."


def why_not(value: str) -> str:
    """What keeps it from being written so that the three read it as it is meant; empty if nothing does. Within single quotes
    nothing means anything, but their end, and to Compose a \\ before that.
    """
    if "'" in value:
        return "No ' can stand in the file: use another character; in a URL %27 means it."
    if value.endswith("\\"):
        return "No \\ can stand at the end: let the value end otherwise; in a URL %5C means it."
    if _CONTROLS.search(value):
        return _NO_CONTROLS
    return ""


def read(text: str) -> dict[str, str]:
    """Raises ValueError for what the three would not all read alike, which names each such line and quotes none of them."""
    if text.startswith(_MARK) or "\r\n" in text:
        raise ValueError(
            "it is written as on Windows, with a mark at its start or other ends of lines, which a shell takes for parts of "
            "names and values: save it as UTF-8 without a byte order mark, and with the line ends of Unix"
        )
    found: dict[str, str] = {}
    wrong = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            name, value = _read_line(line)
            if name in found:
                raise ValueError(f"has {name} for the second time: leave one of the two")
            found[name] = value
        except ValueError as error:
            wrong.append(f"line {number} {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def answers(text: str) -> dict[str, str]:
    """What `read` says of answers, which nothing else reads: they may have been written on Windows."""
    return read(text.removeprefix(_MARK).replace("\r\n", "\n"))


def _read_line(line: str) -> tuple[str, str]:
    """Raises ValueError with what is wrong with it."""
    if line.lstrip().startswith("export "):
        raise ValueError("begins with export, which systemd does not read: take it away")
    assigned = _ASSIGNED.fullmatch(line)
    if assigned is None:
        raise ValueError("is no NAME=value")
    try:
        return assigned[1], _value(assigned[2].rstrip(" \t"))
    except ValueError as error:
        raise ValueError(f"has {error}") from None


def _value(text: str) -> str:
    """Raises ValueError with what is in the way, and what would do."""
    if _CONTROLS.search(text):  # quoted or not
        raise ValueError(f"a value that can't be read everywhere. {_NO_CONTROLS.rstrip('.')}")
    quote = text[:1]
    if quote not in ("'", '"'):
        if _WITHOUT_QUOTES.fullmatch(text):
            return text
        what = "blanks" if " " in text else "what shells, systemd and Compose read differently"
        raise ValueError(f"{what} outside quotes: put the whole value into single quotes")
    value, end, behind = text[1:].partition(quote)
    if not end:
        raise ValueError("a quote that does not end")
    if behind:
        raise ValueError(
            "something behind the quote's end: put the whole value into one pair, and remarks on lines of their own"
        )
    if quote == '"' and any(special in value for special in "$`\\"):
        raise ValueError("$, ` or \\ in double quotes, where it means something: use single quotes")
    if why := why_not(value):
        raise ValueError(f"a value that can't be read everywhere. {why.rstrip('.')}")
    return value


def written(before: str, values: Mapping[str, str]) -> str:
    """The file with these values: what else was in it stays, remarks too."""
    left = dict(values)
    lines = []
    for line in before.removesuffix("\n").split("\n") if before else HEAD.splitlines():
        assigned = _ASSIGNED.fullmatch(line)
        name = assigned[1] if assigned else ""
        lines.append(_line(name, left.pop(name)) if name in left else line)
    return "\n".join([*lines, *(_line(name, value) for name, value in left.items()), ""])


def write(path: Path, text: str) -> None:
    """For its owner alone, as a whole. Raises OSError."""
    write_private(path, text.encode())


def _line(name: str, value: str) -> str:
    return f"{name}={value}" if _PLAIN.fullmatch(value) else f"{name}='{value}'"
