"""Which messages a backup consists of: a line each, `<name> <octets> <SHA-256 in hexadecimal>`, in the order of names.

Names are those that our store gives, for each becomes a path wherever it is brought: what is none is refused.
Indexes are read side by side and folder by folder, so that memory is bounded by one mailbox.
"""

import re
from collections.abc import Generator, Iterable
from typing import NamedTuple

from mailboxes.backup.errors import BackupDamaged

NAME = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}/[0-9a-f]{2}/[0-9a-f]{30}", re.ASCII)
LINE = re.compile(rf"({NAME.pattern}) ([0-9]{{1,18}}) ([0-9a-f]{{64}})", re.ASCII)


class Line(NamedTuple):
    """A message's blob in a backup."""

    name: str
    octets: int
    sha256: str

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0].rpartition("/")[0]

    def encoded(self) -> bytes:
        return f"{self.name} {self.octets} {self.sha256}\n".encode()


def lines_of(pieces: Iterable[bytes]) -> Generator[Line, None, None]:
    """Raises BackupDamaged."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from map(_line, whole)
    if rest:
        raise BackupDamaged("A list of messages ends in the middle of a line.")


def _line(octets: bytes) -> Line:
    if not (found := LINE.fullmatch(octets.decode(errors="replace"))):
        raise BackupDamaged("A list of messages has a line that is none.")
    return Line(found[1], int(found[2]), found[3])


class Lines:
    """An index that is asked for one folder after the other, in the order of their names."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._ahead = next(self._lines, None)

    def of(self, folder: str) -> dict[str, Line]:
        found: dict[str, Line] = {}
        while self._ahead is not None and self._ahead.folder <= folder:
            if self._ahead.folder == folder:
                found[self._ahead.name] = self._ahead
            self._ahead = next(self._lines, None)
        return found
