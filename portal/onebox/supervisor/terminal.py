"""Lines on the terminal: the supervisor's own, and those of the children with the name of who says it."""

import sys
from typing import TextIO

NAME_WIDTH = 8
LINE_LIMIT = 64 * 1024  # a child that never ends its line must not fill our memory
_COLOURS = {"web": 36, "worker": 33, "gateway": 32, "postgres": 34, "redis": 31}


class Console:
    """Writes whole lines and survives its reader: when the terminal is gone, the work goes on."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colourful = self._stream.isatty()

    def say(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._write(line)

    def shout(self, text: str) -> None:
        for line in text.splitlines():
            self._write(self._paint(line, "1;31"))

    def relay(self, name: str, line: str) -> None:
        prefix = self._paint(f"{name:<{NAME_WIDTH}} |", str(_COLOURS.get(name, 90)))
        self._write(f"{prefix} {line}")

    def strong(self, text: str) -> str:
        return self._paint(text, "1")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colourful else text

    def _write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass


class LineBuffer:
    """Cuts what a child writes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            lines.append(self._rest)
            self._rest = b""
        return [_text(line) for line in lines]

    def finish(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r")
