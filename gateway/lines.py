"""Lines of a text protocol, cut out of octets that arrive in any pieces.

Both protocols end a line with CRLF and nothing else (RFC 5321 2.3.8, RFC 1939 3). `LineBuffer` knows no sockets, so
that it can be tested octet by octet; `LineReader` feeds one from a connection.
"""

import asyncio

from .errors import BareLineFeed, ConnectionEnded, EndlessLine, LineTooLong

READ_OCTETS = 256 * 1024  # more than asyncio ever holds back for us, so that one read empties its buffer
SKIP_OCTETS = 64 * 1024  # of an overlong line; who sends more than this is not speaking our protocol


class LineBuffer:
    """Takes octets, gives lines. Holds at most one line's limit and one piece."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._skipped = 0

    def __len__(self) -> int:
        return len(self._octets)

    def feed(self, octets: bytes) -> None:
        self._octets += octets

    def put_back(self, octets: bytes) -> None:
        """Return what a reader of blocks took too much."""
        self._octets[:0] = octets

    def take(self, most: int) -> bytes:
        octets = bytes(self._octets[:most])
        del self._octets[:most]
        return octets

    def next_line(self, limit: int) -> bytes | None:
        """The next line without its CRLF, or None while it is incomplete.

        `limit` counts the CRLF, as the RFCs do. Raises LineTooLong and BareLineFeed when the offending line has
        ended, so that one line gets one reply; EndlessLine when it never seems to.
        """
        end = self._octets.find(b"\n") + 1
        if not end:
            if self._skipped or len(self._octets) > limit:
                self._skipped += len(self._octets)
                self._octets.clear()
            if self._skipped > SKIP_OCTETS:
                raise EndlessLine
            return None
        line = bytes(self._octets[:end])
        del self._octets[:end]
        if self._skipped or len(line) > limit:
            self._skipped = 0
            raise LineTooLong
        if not line.endswith(b"\r\n"):
            raise BareLineFeed
        return line[:-2]


class LineReader:
    """Lines and blocks from one connection. Whoever waits here sets the time limit."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._buffer = LineBuffer()

    async def line(self, limit: int) -> bytes:
        """The next line without CRLF. Raises what `LineBuffer.next_line` raises, and ConnectionEnded."""
        # Who sends many commands at once gets one of them answered in each turn of the loop, as everybody does.
        # Neither a line that is there already nor a reply that fits into the socket's buffer would make us wait.
        await asyncio.sleep(0)
        while (line := self._buffer.next_line(limit)) is None:
            self._buffer.feed(await self._more())
        return line

    async def block(self, most: int = READ_OCTETS) -> bytes:
        """Whatever is there, at least one octet and at most so many. Raises ConnectionEnded."""
        if not self._buffer:
            self._buffer.feed(await self._more())
        return self._buffer.take(most)

    def put_back(self, octets: bytes) -> None:
        self._buffer.put_back(octets)

    @property
    def has_more(self) -> bool:
        """Whether the other side has already sent something that nobody has read.

        asyncio has no public question for this, and TLS must not start while the answer is yes: what was sent in
        clear would be taken for what the protected session said (RFC 3207 6, CVE-2011-0411).
        """
        return bool(self._buffer or self._stream._buffer)  # type: ignore[attr-defined]

    async def _more(self) -> bytes:
        octets = await self._stream.read(READ_OCTETS)
        if not octets:
            raise ConnectionEnded
        return octets
