"""What lies in an archive of pg_dump, table by table, as the text that COPY takes: rows are read and written here, and
nothing that an archive says is ever run.

A row is a line, its values stand between tabs, `\\N` is NULL, and a tab or line feed of a value is written as `\\t` or `\\n`
(PostgreSQL's manual, COPY, "Text Format"). So a row can be cut at its tabs, and ids and names of ours are in it as they are.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailboxes.backup.errors import BackupDamaged, NotOurRows

NAME = rb'([a-z_][a-z_0-9]*|"(?:[^"]|"")+")'
NAMES = rb"(" + NAME + rb"(?:, " + NAME + rb")*)"
COPY = re.compile(rb"COPY " + NAME + rb"\." + NAME + rb" (?:\(" + NAMES + rb"\) | ?)FROM stdin;", re.DOTALL)
SEQUENCE = re.compile(
    rb"SELECT pg_catalog\.setval\('([a-z_0-9]+)\.([a-z_0-9]+)', ([0-9]{1,19}), (true|false)\);"
)
QUOTES = re.compile(rb"['\"]")
END, NULL = b"\\.", "\\N"
LINE_OCTETS = 64 * 1024 * 1024
TOO_LONG = b"\0"  # in the place of a longer one; no table takes it

Row = dict[str, str]


class Table(NamedTuple):
    """A table's rows, to be read once, and before the next table is."""

    schema: str
    name: str
    columns: list[str]
    lines: Iterator[bytes]  # TOO_LONG in the place of each that is

    @property
    def rows(self) -> Iterator[Row]:
        """Raises NotOurRows at one that is none, or too long."""
        for line in self.lines:
            try:
                values = line.decode().split("\t") if self.columns else []
            except UnicodeDecodeError:
                values = []
            if line == TOO_LONG or len(values) != len(self.columns):
                raise NotOurRows("A dump of the database has a row that is none.")
            yield dict(zip(self.columns, values, strict=True))

    def only(self, kept: list[int]) -> "Table":
        """With these of its columns, by their places."""
        return self._replace(
            columns=[self.columns[at] for at in kept], lines=(self._cut(line, kept) for line in self.lines)
        )

    def _cut(self, line: bytes, kept: list[int]) -> bytes:
        values = line.split(b"\t")
        if len(values) != len(self.columns):
            return line  # it is no row, and is told so where it is read
        return b"\t".join(values[at] for at in kept)

    @property
    def rows_that_are_not_too_long(self) -> Iterator[Row]:
        """Raises NotOurRows at one that is none."""
        return self._replace(lines=(line for line in self.lines if line != TOO_LONG)).rows


class Sequence(NamedTuple):
    """How far a sequence had got: to this number, which was given out or comes next."""

    schema: str
    name: str
    last: int
    is_given: bool


def tables(script: Iterable[bytes], sequences: list[Sequence] | None = None) -> Iterator[Table]:
    """Those in what `pg_restore --data-only` writes; the `sequences` that follow are put there. Raises BackupDamaged."""
    lines = by_line(script)
    for statement in _statements(lines):
        if statement.startswith(b"COPY "):
            if not (found := COPY.fullmatch(statement)):
                raise BackupDamaged("A dump of the database has a table that nobody can read.")
            columns = [_plain_name(name[0]) for name in re.finditer(NAME, found[3] or b"")]
            schema, name = _plain_name(found[1]), _plain_name(found[2])
            rest = _until_end(lines)
            yield Table(schema, name, columns, rest)
            for _ in rest:  # what nobody wanted
                pass
        elif sequences is not None and (found := SEQUENCE.fullmatch(statement)):
            schema, name, last, given = (part.decode() for part in found.groups())
            sequences.append(Sequence(schema, name, int(last), given == "true"))


def _statements(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Outside of tables' rows. A name may have line feeds in it, behind which nothing begins."""
    begun: list[bytes] = []
    octets, quote = 0, b""
    for line in lines:
        if not begun and (not line or line.startswith((b"--", b"\\"))):
            continue
        begun.append(line)
        octets += len(line)
        for mark in QUOTES.findall(line):
            quote = mark if not quote else b"" if mark == quote else quote
        if not quote and line.endswith(b";"):
            yield b"\n".join(begun)
            begun, octets = [], 0
        elif octets > LINE_OCTETS:
            raise BackupDamaged("A dump of the database has a statement without end.")


def _plain_name(name: bytes) -> str:
    return name.decode(errors="replace").removeprefix('"').removesuffix('"').replace('""', '"')


def encoded(row: Row) -> bytes:
    """As COPY takes it."""
    return ("\t".join(row.values()) + "\n").encode()


def plain(value: str) -> str | None:
    """A value as it was before it was written down; None for NULL."""
    if value == NULL:
        return None
    return re.sub(r"\\(.)", lambda escaped: _ESCAPED.get(escaped[1], escaped[1]), value)


_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def by_line(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Without their ends."""
    begun: list[bytes] = []
    octets = 0
    for piece in pieces:
        first, *more = piece.split(b"\n")
        for line in (first, *more):
            if line is not first:
                yield b"".join(begun) if octets <= LINE_OCTETS else TOO_LONG
                begun, octets = [], 0
            octets += len(line)
            if octets <= LINE_OCTETS:
                begun.append(line)
    if octets:
        yield b"".join(begun) if octets <= LINE_OCTETS else TOO_LONG


def _until_end(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Of a table."""
    for line in lines:
        if line == END:
            return
        yield line
    raise BackupDamaged("A dump of the database ends in the middle of a table.")
