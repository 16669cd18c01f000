"""Sealing a message to a mailbox's public key, as it arrives."""

import secrets
from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailboxes.vault.container import (
    CHUNK_OCTETS,
    CHUNK_OVERHEAD,
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
        self._waiting = bytearray()
        self._position = 0
        self._finished = False

    def update(self, data: bytes) -> bytes:
        """Take more of the message; give what is ready of the container, often nothing."""
        if self._finished:
            raise ValueError("This container is finished.")
        # A full chunk waits until more follows, because the last one carries a flag and is never empty.
        if len(self._waiting) + len(data) <= CHUNK_OCTETS:
            self._waiting += data
            return self._take_header()
        return self._take_header() + self._seal_full_chunks(memoryview(data))

    def finish(self) -> bytes:
        """The rest of the container. To be called once."""
        if self._finished:
            raise ValueError("This container is finished.")
        self._finished = True
        out = bytearray(CHUNK_OVERHEAD + len(self._waiting))
        self._seal_into(memoryview(out), self._waiting, LAST)
        self._waiting = bytearray()
        return self._take_header() + out

    def _take_header(self) -> bytes:
        header, self._header = self._header, b""
        return header

    def _seal_full_chunks(self, data: memoryview) -> bytearray:
        """Seal all but the last chunk of what is there, straight out of `data` wherever possible."""
        count = (len(self._waiting) + len(data) - 1) // CHUNK_OCTETS
        step = CHUNK_OCTETS + CHUNK_OVERHEAD
        out = bytearray(count * step)
        room = memoryview(out)
        taken = 0
        for number in range(count):
            place = room[number * step : (number + 1) * step]
            if self._waiting:
                taken = CHUNK_OCTETS - len(self._waiting)
                self._waiting += data[:taken]
                self._seal_into(place, self._waiting, MORE)
                self._waiting = bytearray()
            else:
                self._seal_into(place, data[taken : taken + CHUNK_OCTETS], MORE)
                taken += CHUNK_OCTETS
        self._waiting += data[taken:]
        return out

    def _seal_into(self, place: memoryview, plain: bytearray | memoryview, flag: int) -> None:
        if self._position == MAX_CHUNKS:
            raise ValueError("A container holds 2^32 chunks at most.")
        frame = FRAME.pack(flag, self._position, len(plain))
        place[: FRAME.size] = frame
        self._cipher.encrypt_into(nonce(frame), plain, self._digest, place[FRAME.size :])
        self._position += 1


def seal(chunks: Iterable[bytes], public: bytes, *, context: MessageContext) -> Iterator[bytes]:
    """The container of a message that comes in pieces; memory stays flat. Raises BadKey."""
    sealer = Sealer(public, context=context)
    for chunk in chunks:
        if ready := sealer.update(chunk):
            yield ready
    yield sealer.finish()
