"""The text of a message as DATA carries it: where it ends, and what its dots mean (RFC 5321 4.1.1.4, 4.5.2)."""

END = b"\r\n.\r\n"


class DotDecoder:
    """Takes DATA's octets in any pieces, gives the message's octets exactly; memory is the piece at hand.

    Only `<CRLF>.<CRLF>` ends the text. Some servers also take `<LF>.<LF>` and the mixtures for an end; whoever
    disagrees with the next hop about the end lets a sender smuggle a second message. So a bare LF never ends
    anything here: it is noted in `bare_lf`, and the whole message is to be refused. NUL, 8-bit octets and bare CR
    pass unchanged, and a line may be as long as it likes.
    """

    def __init__(self) -> None:
        self.done = False
        self.bare_lf = False
        self.rest = b""  # what came behind the end: the next command
        # The text starts at the start of a line, as if a CRLF had just passed. It counts for the search, and is cut
        # from the first output.
        self._held = b"\r\n"
        self._cut = 2

    def feed(self, octets: bytes) -> bytes:
        """The message's octets that are certain by now. After `done`, `rest` holds what did not belong to it."""
        octets = self._held + octets
        end = octets.find(END)
        if end >= 0:
            self.done = True
            self.rest = octets[end + len(END) :]
            self._held = b""
            return self._decoded(octets[: end + 2])
        ready = len(octets) - _open_end(octets)
        self._held = octets[ready:]
        return self._decoded(octets[:ready])

    def _decoded(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        if octets.count(b"\n") != octets.count(b"\r\n"):
            self.bare_lf = True
        text = octets.replace(b"\r\n.", b"\r\n")[self._cut :]
        self._cut = 0
        return text


def _open_end(octets: bytes) -> int:
    """Length of the longest tail that could still become, or continue into, the end of the text."""
    for length in range(min(len(END) - 1, len(octets)), 0, -1):
        if END.startswith(octets[-length:]):
            return length
    return 0
