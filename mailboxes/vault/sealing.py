"""Sealing a message to a mailbox's public key, as it arrives."""

import secrets
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailboxes.vault.container import (
    CHUNK_OCTETS,
    FRAME,
    LAST,
    MAX_CHUNKS,
    MORE,
    MessageContext,
    binding,
    make_header,
    make_prefix,
    nonce,
)
from mailboxes.vault.primitives import KEY_OCTETS, hpke_seal, key_id

FINISHED = "This container is finished."
TOO_LONG = "A container holds 2^32 chunks at most."


class Sealer:
    """Makes one container. Feed `update` any sizes; what it and `finish` return, in order, is the container.

    Holds at most one chunk of plaintext. Not safe for two threads at once. Raises BadKey when made.
    """

    def __init__(self, public: bytes, *, context: MessageContext) -> None:
        content_key = secrets.token_bytes(KEY_OCTETS)
        prefix = make_prefix(key_id(public), context)
        header, self._digest = make_header(prefix, hpke_seal(content_key, public, binding(prefix, context)))
        self._cipher = AESGCM(content_key)
        self._header = header
        self._buffer = bytearray(CHUNK_OCTETS)  # of a fixed size: growing it costs more than sealing it
        self._whole: bytes | None = None  # instead of the buffer, a whole chunk that came in one piece
        self._filled = 0
        self._position = 0
        self._finished = False

    def update(self, data: bytes | memoryview) -> bytes:
        """Take more of the message; give what is ready of the container, often nothing."""
        if self._finished:
            raise ValueError(FINISHED)
        # A full chunk waits until more follows, because the last one carries a flag and is never empty.
        filled = self._filled + len(data)
        if filled <= CHUNK_OCTETS:
            if len(data) == CHUNK_OCTETS and isinstance(data, bytes):
                self._whole = data  # can't change any more, so it needs no copy
            else:
                self._buffer[self._filled : filled] = data
            self._filled = filled
            return self._take_header() if self._header else b""
        return b"".join([self._take_header(), *self._full_chunks(memoryview(data))])

    def finish(self) -> bytes:
        """The rest of the container. To be called once."""
        if self._finished:
            raise ValueError(FINISHED)
        self._finished = True
        last = self._chunk(self._whole or memoryview(self._buffer)[: self._filled], LAST)
        self._buffer, self._whole = bytearray(), None
        return b"".join([self._take_header(), *last])

    def _take_header(self) -> bytes:
        header, self._header = self._header, b""
        return header

    def _full_chunks(self, data: memoryview) -> Iterator[bytes]:
        """Seal all but the last chunk of what is there, straight out of `data` wherever possible."""
        if self._filled:
            missing = CHUNK_OCTETS - self._filled
            self._buffer[self._filled :] = data[:missing]
            data = data[missing:]
            yield from self._chunk(self._whole or self._buffer, MORE)
            self._whole = None
        while len(data) > CHUNK_OCTETS:
            yield from self._chunk(data[:CHUNK_OCTETS], MORE)
            data = data[CHUNK_OCTETS:]
        if len(data) == CHUNK_OCTETS and isinstance(data.obj, bytes) and len(data.obj) == CHUNK_OCTETS:
            self._whole = data.obj
        else:
            self._buffer[: len(data)] = data
        self._filled = len(data)

    def _chunk(self, plain: bytes | bytearray | memoryview, flag: int) -> tuple[bytes, bytes]:
        if self._position == MAX_CHUNKS:
            raise ValueError(TOO_LONG)
        frame = FRAME.pack(flag, self._position, len(plain))
        self._position += 1
        return frame, self._cipher.encrypt(nonce(frame), plain, self._digest)


def seal(chunks: Iterable[bytes], public: bytes, *, context: MessageContext) -> Iterator[bytes]:
    """The container of a message that comes in pieces of any size, a chunk at a time. Raises BadKey."""
    sealer = Sealer(public, context=context)
    for piece in chunks:
        for part in _at_most_a_chunk(piece):
            if ready := sealer.update(part):
                yield ready
    yield sealer.finish()


def _at_most_a_chunk(piece: bytes) -> Iterable[bytes | memoryview]:
    if len(piece) <= CHUNK_OCTETS:
        return (piece,)
    view = memoryview(piece)
    return (view[at : at + CHUNK_OCTETS] for at in range(0, len(view), CHUNK_OCTETS))
