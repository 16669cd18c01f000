"""A message as POP3 carries it: doubled dots, and the final one (RFC 1939 3)."""


class DotStuffer:
    """Takes a message's octets in any pieces, gives the octets of a multi-line response.

    A dot at the start of a line is doubled wherever the pieces were cut, and behind a bare LF as well: nearly all
    clients take LF for the end of a line, and would take a lone dot behind it for the end of the message and what
    follows for our replies. The message ends with CRLF on the wire; a message that does not gets one, because the
    format has no other way to end a line.
    """

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last octets sent, to know whether a line starts here

    def feed(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        # The end of a line and its dot may be cut by the border: look at both sides together, then drop what went
        # out before.
        context = self._tail[-1:]
        stuffed = (context + octets).replace(b"\n.", b"\n..")[len(context) :]
        self._tail = (self._tail + octets)[-2:]
        return stuffed

    def finish(self) -> bytes:
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"


class TopFilter:
    """Lets the header, the empty line and the first `lines` lines of the body pass (RFC 1939 7, TOP)."""

    def __init__(self, lines: int) -> None:
        self.done = False
        self._left = lines
        self._in_header = True
        self._line = (
            bytearray()
        )  # start of the line at hand; only its being empty matters, so two octets will do

    def feed(self, octets: bytes) -> bytes:
        """What of these octets belongs to the answer. After `done`, nothing more will."""
        start = 0
        while not self.done:
            end = octets.find(b"\n", start) + 1
            if not end:
                if len(self._line) < 2:
                    self._line += octets[start : start + 2]
                return octets
            self._end_of_line(octets[start:end])
            start = end
        return octets[:start]

    def _end_of_line(self, piece: bytes) -> None:
        line = bytes(self._line) + piece if len(self._line) < 2 else bytes(self._line)
        self._line.clear()
        if not self._in_header:
            self._left -= 1
        elif line in (b"\r\n", b"\n"):
            self._in_header = False
        self.done = not self._in_header and self._left <= 0
