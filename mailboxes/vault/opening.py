"""Opening: container octets in, plain octets out, each chunk only after it has proved genuine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .container import (
    CHUNKS_LABEL,
    FRAME_OCTETS,
    HEADER_OCTETS,
    KEY_LABEL,
    NAMES_OCTETS,
    read_frame,
    read_names,
)
from .context import MessageContext
from .errors import Reordered, TrailingData, Truncated, WrongKey
from .keys import PrivateKey
from .primitives import TAG_OCTETS, ChunkCipher, open_with_key


def open_sealed(chunks: Iterable[bytes], private: PrivateKey, *, context: MessageContext) -> Iterator[bytes]:
    """The message, chunk by chunk; pieces of the container may have any size, memory stays flat.

    What was yielded is genuine and in its place, but only a normal end says that it was the whole message. The last
    chunk is held back until the container has proved to end there.

    Raises, before anything is yielded: NotSealed, UnknownVersion, UnknownSuite, WrongKey, Tampered (a changed
    header), WrongCustomer, WrongMailbox, WrongMessage. At any chunk: Tampered, Reordered, Truncated. In place of the
    last chunk: TrailingData.
    """
    source = _Source(chunks)
    cipher = _cipher_of(source.take_up_to(HEADER_OCTETS), private, context)
    position = 0
    while True:
        frame_octets = bytes(source.take(FRAME_OCTETS))
        frame = read_frame(frame_octets)
        plain = cipher.open(frame_octets, source.take(frame.length + TAG_OCTETS))
        if frame.position != position:
            raise Reordered  # genuine, in another place
        if frame.last:
            break
        yield plain
        position += 1
    if not source.is_at_its_end():
        raise TrailingData
    if plain:
        yield plain


def _cipher_of(header: bytes, private: PrivateKey, context: MessageContext) -> ChunkCipher:
    names = read_names(header)
    if names.key_id != private.key_id:
        raise WrongKey
    # With the ids that the header claims: if it opens, they are genuine, and a difference is a mix-up, no damage.
    info = KEY_LABEL + header[:NAMES_OCTETS]
    content_key = open_with_key(header[NAMES_OCTETS:], private.opener, info=info)
    context.expect(names.context)
    return ChunkCipher(content_key, info=CHUNKS_LABEL + header)


class _Source:
    """Takes exact numbers of octets from pieces of any size, copying only where a piece ends in between."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._piece = memoryview(b"")

    def take(self, octets: int) -> bytearray | memoryview:
        """Exactly that many. Raises Truncated."""
        taken = self._take(octets)
        if len(taken) < octets:
            raise Truncated
        return taken

    def take_up_to(self, octets: int) -> bytes:
        """That many, or what is left."""
        return bytes(self._take(octets))

    def is_at_its_end(self) -> bool:
        return not len(self._take(1))

    def _take(self, octets: int) -> bytearray | memoryview:
        if len(self._piece) >= octets:
            return self._cut(octets)
        taken = bytearray()
        while len(taken) < octets:
            if not self._piece:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._piece = memoryview(piece)
            taken += self._cut(min(octets - len(taken), len(self._piece)))
        return taken

    def _cut(self, octets: int) -> memoryview:
        cut, self._piece = self._piece[:octets], self._piece[octets:]
        return cut
