"""Opening a sealed message, releasing only what is proven."""

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailboxes.vault.container import (
    CHUNK_OCTETS,
    FRAME,
    HEADER_OCTETS,
    LAST,
    MORE,
    MessageContext,
    binding,
    compare,
    meant,
    nonce,
    parse_header,
)
from mailboxes.vault.errors import (
    ChunkTampered,
    HeaderTampered,
    MalformedChunk,
    OutOfOrder,
    TrailingData,
    Truncated,
    WrongKey,
)
from mailboxes.vault.keys import PrivateKey
from mailboxes.vault.primitives import TAG_OCTETS, hpke_open


def open_sealed(
    chunks: Iterable[bytes],
    private: PrivateKey,
    *,
    context: MessageContext,
    also: Iterable[MessageContext] = (),
) -> Iterator[bytes]:
    """The message in a container that comes in pieces of any size; memory stays flat. `also`: contexts in which it may
    have been sealed instead.

    The header is read at the call, which raises BadMagic, UnknownVersion, Truncated, HeaderTampered,
    UnknownSuite, WrongCustomer, WrongMailbox, WrongMessage or WrongKey. The iterator gives one chunk after
    the other, each proven, in its place, and raises Truncated, OutOfOrder, MalformedChunk, ChunkTampered or
    TrailingData. The last chunk comes only when the input has ended there: whoever got all chunks and no
    error has the whole message and nothing else.
    """
    source = _Source(chunks)
    header = parse_header(bytes(source.take(HEADER_OCTETS)))
    context = meant(header, context, also)
    compare(header, context)
    if header.key_id != private.key_id:
        raise WrongKey
    content_key = hpke_open(header.sealed_key, private.opener, binding(header.prefix, context))
    if content_key is None:
        raise HeaderTampered
    return _open_chunks(source, AESGCM(content_key), header.digest)


def _open_chunks(source: "_Source", cipher: AESGCM, digest: bytes) -> Iterator[bytes]:
    position, flag = 0, MORE
    while flag == MORE:
        flag, frame, octets = _read_frame(source, position)
        sealed = source.take(octets + TAG_OCTETS)
        if len(sealed) < octets + TAG_OCTETS:
            raise Truncated
        try:
            plain = cipher.decrypt(nonce(frame), sealed, digest)
        except InvalidTag:
            raise ChunkTampered from None
        if flag == LAST and source.take(1):
            raise TrailingData
        if plain:
            yield plain
        position += 1


def _read_frame(source: "_Source", wanted_position: int) -> tuple[int, bytes, int]:
    """A chunk's flag, frame and length. Nothing here is proven, so nothing is believed beyond its bounds."""
    frame = bytes(source.take(FRAME.size))
    if len(frame) < FRAME.size:
        raise Truncated
    flag, position, octets = FRAME.unpack(frame)
    if flag not in (MORE, LAST) or octets > CHUNK_OCTETS:
        raise MalformedChunk
    if position != wanted_position:
        raise OutOfOrder
    if flag == MORE and octets != CHUNK_OCTETS:
        raise MalformedChunk
    if flag == LAST and not octets and position:
        raise MalformedChunk
    return flag, frame, octets


class _Source:
    """Pieces of any size, taken as runs of exact length without copying where a piece holds the whole run."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def take(self, octets: int) -> memoryview | bytearray:
        """So many octets; fewer only when the input has ended."""
        if len(self._rest) >= octets:
            taken, self._rest = self._rest[:octets], self._rest[octets:]
            return taken
        run = bytearray(self._rest)
        self._rest = memoryview(b"")
        for piece in self._pieces:
            missing = octets - len(run)
            run += memoryview(piece)[:missing]
            if len(piece) >= missing:
                self._rest = memoryview(piece)[missing:]
                break
        return run
