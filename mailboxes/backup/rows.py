"""What lies in an archive of pg_dump, table by table, as the text that COPY takes: rows are read and written here, and
nothing that an archive says is ever run.

A row is a line, its values stand between tabs, `\\N` is NULL, and a tab or line feed of a value is written as `\\t` or `\\n`
(PostgreSQL's manual, COPY, "Text Format"). So a row can be cut at its tabs, and ids and names of ours are in it as they are.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailboxes.backup.errors import BackupDamaged, NotOurRows

COPY = re.compile(rb'COPY ([a-z_0-9]+|"[^"]+")\.([a-z_0-9]+) \(([a-z_0-9", ]+)\) FROM stdin;')
END, NULL = b"\\.", "\\N"
LINE_OCTETS = 64 * 1024 * 1024

Row = dict[str, str]


SEQUENCE = re.compile(
    rb"SELECT pg_catalog\.setval\('([a-z_0-9]+)\.([a-z_0-9]+)', ([0-9]{1,19}), (true|false)\);"
)


class Table(NamedTuple):
    """A table's rows, to be read before the next table is."""

    schema: str
    name: str
    columns: list[str]
    rows: Iterator[Row]


class Sequence(NamedTuple):
    """How far a sequence had got: to this number, which was given out or comes next."""

    schema: str
    name: str
    last: int
    is_given: bool


def tables(script: Iterable[bytes], sequences: list[Sequence] | None = None) -> Iterator[Table]:
    """Those in what `pg_restore --data-only` writes; the `sequences` that follow are put there. Raises BackupDamaged."""
    lines = by_line(script)
    for line in lines:
        if found := COPY.fullmatch(line):
            columns = [name.strip().strip('"') for name in found[3].decode().split(",")]
            rows = _rows(lines, columns)
            yield Table(found[1].decode().strip('"'), found[2].decode(), columns, rows)
            for _ in rows:  # what nobody wanted
                pass
        elif sequences is not None and (found := SEQUENCE.fullmatch(line)):
            schema, name, last, given = (part.decode() for part in found.groups())
            sequences.append(Sequence(schema, name, int(last), given == "true"))


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
    """Without their ends. Raises BackupDamaged."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LINE_OCTETS:
            raise BackupDamaged("A dump of the database has a line without end.")
    if rest:
        yield rest


def _rows(lines: Iterator[bytes], columns: list[str]) -> Iterator[Row]:
    for line in lines:
        if line == END:
            return
        try:
            values = line.decode().split("\t")
        except UnicodeDecodeError:
            values = []
        if len(values) != len(columns):
            raise NotOurRows("A dump of the database has a row that is none.")
        yield dict(zip(columns, values, strict=True))
    raise BackupDamaged("A dump of the database ends in the middle of a table.")
