"""The layout of a sealed message, which sealing and opening share: `docs/formats/sealed-message.md`.

header   magic || version || suite || key id || customer || mailbox || message || encapsulated key || content key
chunk    frame || sealed octets        frame = position || last? || length
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from .context import ID_OCTETS
from .errors import NotSealed, Tampered, Truncated, UnknownSuite, UnknownVersion
from .keys import KEY_ID_OCTETS
from .primitives import ENCAPSULATED_OCTETS, KEY_OCTETS, TAG_OCTETS

MAGIC = b"GHSEAL\r\n"  # the line end shows a transfer that "repaired" line ends
VERSION = 1
SUITE = 1

CHUNK_OCTETS = 64 * 1024  # large enough that framing costs 0.04 %, small enough that memory never matters
MAX_POSITION = 2**32 - 1

KEY_LABEL = b"gatehouse/sealed-message/1/content-key"
CHUNKS_LABEL = b"gatehouse/sealed-message/1/chunks"

_NAMES = struct.Struct(f">8sBB{KEY_ID_OCTETS}s{3 * ID_OCTETS}s")
_FRAME = struct.Struct(">II")  # position; then last? in the top octet and the length in the other three
_LAST = 1 << 24

NAMES_OCTETS = _NAMES.size
HEADER_OCTETS = _NAMES.size + ENCAPSULATED_OCTETS + KEY_OCTETS + TAG_OCTETS
FRAME_OCTETS = _FRAME.size


class Names(NamedTuple):
    """The part of the header that says what this is and whose."""

    key_id: bytes
    context: bytes


class Frame(NamedTuple):
    """What precedes each chunk, and is its nonce."""

    position: int
    last: bool
    length: int


def sealed_size(plain_octets: int) -> int:
    """How many octets a message of that many octets has once it is sealed."""
    chunks = max(1, -(-plain_octets // CHUNK_OCTETS))
    return HEADER_OCTETS + chunks * (FRAME_OCTETS + TAG_OCTETS) + plain_octets


def read_header(first: bytes) -> bytes:
    """The id of the key that opens this container, from its first octets (26 suffice, more do no harm).

    Nothing is authenticated yet: it tells which key to fetch. Raises NotSealed, UnknownVersion, UnknownSuite, Truncated.
    """
    _require_known(first)
    start = len(MAGIC) + 2
    if len(first) < start + KEY_ID_OCTETS:
        raise Truncated
    return bytes(first[start : start + KEY_ID_OCTETS])


def pack_names(key_id: bytes, context: bytes) -> bytes:
    return _NAMES.pack(MAGIC, VERSION, SUITE, key_id, context)


def read_names(header: bytes) -> Names:
    """Raises NotSealed, UnknownVersion, UnknownSuite; Truncated unless `header` is a whole one."""
    _require_known(header)
    if len(header) < HEADER_OCTETS:
        raise Truncated
    return Names(*_NAMES.unpack_from(header)[3:])


def _require_known(first: bytes) -> None:
    """As far as there are octets, they must be ours; so a short piece of something else isn't called truncated."""
    if first[: len(MAGIC)] != MAGIC[: len(first)]:
        raise NotSealed
    if len(first) > len(MAGIC) and first[len(MAGIC)] != VERSION:
        raise UnknownVersion
    if len(first) > len(MAGIC) + 1 and first[len(MAGIC) + 1] != SUITE:
        raise UnknownSuite


def pack_frame(position: int, *, last: bool, length: int) -> bytes:
    return _FRAME.pack(position, length | _LAST if last else length)


def read_frame(octets: bytes) -> Frame:
    """Raises Tampered for a frame that no sealer writes."""
    position, rest = _FRAME.unpack(octets)
    flag, length = rest >> 24, rest & (_LAST - 1)
    frame = Frame(position, flag == 1, length)
    if flag > 1 or length > CHUNK_OCTETS or (not frame.last and length != CHUNK_OCTETS):
        raise Tampered
    if length == 0 and position != 0:  # only the empty message has an empty chunk
        raise Tampered
    return frame
