"""Sealing: plain octets in, container octets out, never more than one chunk in memory."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator

from .container import (
    CHUNK_OCTETS,
    CHUNKS_LABEL,
    KEY_LABEL,
    MAX_POSITION,
    pack_frame,
    pack_names,
)
from .context import MessageContext
from .errors import AlreadyFinished, MessageTooLong
from .keys import key_id, load_public
from .primitives import KEY_OCTETS, ChunkCipher, seal_to_key, wipe


class Sealer:
    """Seals one message to a public key. What `update` and `finish` return, joined in order, is the container.

    Octets may come in pieces of any size. Raises InvalidKey.
    """

    def __init__(self, public: bytes, *, context: MessageContext) -> None:
        names = pack_names(key_id(public), context.to_bytes())
        content_key = bytearray(secrets.token_bytes(KEY_OCTETS))
        header = names + seal_to_key(content_key, load_public(public), info=KEY_LABEL + names)
        self._cipher: ChunkCipher | None = ChunkCipher(content_key, info=CHUNKS_LABEL + header)
        wipe(content_key)
        self._ready = [header]  # octets of the container not yet returned
        self._pending = bytearray()  # plain octets not yet sealed, at most one chunk between two calls
        self._position = 0

    def update(self, data: bytes | bytearray | memoryview) -> bytes:
        """The next octets of the container, possibly none. Raises AlreadyFinished, MessageTooLong.

        A full chunk waits until more arrives: only then is it known not to be the last.
        """
        if self._cipher is None:
            raise AlreadyFinished
        pending = self._pending
        if len(pending) + len(data) <= CHUNK_OCTETS:
            pending += data
        else:
            self._seal_all_but_the_last(memoryview(data))
        return self._take()

    def finish(self) -> bytes:
        """The rest of the container. Raises AlreadyFinished, MessageTooLong."""
        if self._cipher is None:
            raise AlreadyFinished
        self._seal(self._pending, last=True)
        wipe(self._pending)
        self._cipher = None
        return self._take()

    def _seal_all_but_the_last(self, data: memoryview) -> None:
        start = 0
        if self._pending:
            start = CHUNK_OCTETS - len(self._pending)
            self._pending += data[:start]
            self._seal(self._pending, last=False)
            self._pending.clear()
        # Straight from the caller's memory: a copy of each chunk would cost as much as its encryption.
        while len(data) - start > CHUNK_OCTETS:
            self._seal(data[start : start + CHUNK_OCTETS], last=False)
            start += CHUNK_OCTETS
        self._pending += data[start:]

    def _seal(self, plain: bytearray | memoryview, *, last: bool) -> None:
        if self._position > MAX_POSITION:
            raise MessageTooLong
        assert self._cipher is not None
        frame = pack_frame(self._position, last=last, length=len(plain))
        self._ready += (frame, self._cipher.seal(frame, plain))
        self._position += 1

    def _take(self) -> bytes:
        taken = b"".join(self._ready)
        self._ready.clear()
        return taken


def seal(chunks: Iterable[bytes], public: bytes, *, context: MessageContext) -> Iterator[bytes]:
    """The container of one message, piece by piece; memory stays flat. Raises InvalidKey, MessageTooLong."""
    sealer = Sealer(public, context=context)
    for chunk in chunks:
        if sealed := sealer.update(chunk):
            yield sealed
    yield sealer.finish()
