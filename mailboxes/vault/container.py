"""The layout of a sealed message, shared by sealing and opening. Format: docs/formats/sealed-message.md."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from mailboxes.vault.errors import (
    BadMagic,
    HeaderTampered,
    Truncated,
    UnknownSuite,
    UnknownVersion,
    WrongCustomer,
    WrongMailbox,
    WrongMessage,
)
from mailboxes.vault.primitives import SEALED_KEY_OCTETS, SUITE_ID, TAG_OCTETS, context_tag

MAGIC: Final = b"GATESEAL"
VERSION: Final = 1
CHUNK_OCTETS: Final = (
    64 * 1024
)  # large enough to hide the cost of a call, small enough to hold by the thousand
CHECK_OCTETS: Final = 8
MORE, LAST = 0, 1

PREFIX: Final = struct.Struct(">8sBB16s8s8s8s")  # magic, version, suite, key id, customer, mailbox, message
FRAME: Final = struct.Struct(">BII")  # flag, position, octets of plaintext
HEADER_OCTETS: Final = PREFIX.size + SEALED_KEY_OCTETS + CHECK_OCTETS
CHUNK_OVERHEAD: Final = FRAME.size + TAG_OCTETS
MAX_CHUNKS: Final = 2**32  # 256 TiB

_LABEL: Final = b"gatehouse/v1/message"


@dataclass(frozen=True)
class MessageContext:
    """Which message this is. A container opens in the context in which it was sealed and in no other."""

    customer: UUID
    mailbox: UUID
    message: UUID


class Header(NamedTuple):
    """A header whose check value matches; what it says is proven only once its content key has opened."""

    prefix: bytes
    sealed_key: bytes
    key_id: bytes
    digest: bytes


def make_prefix(key_id: bytes, context: MessageContext) -> bytes:
    """The part of the header that can be read without any key."""
    return PREFIX.pack(MAGIC, VERSION, SUITE_ID, key_id, *_tags(context))


def make_header(prefix: bytes, sealed_key: bytes) -> tuple[bytes, bytes]:
    """A whole header, and its digest, which every chunk vouches for."""
    digest = hashlib.sha256(prefix + sealed_key).digest()
    return prefix + sealed_key + digest[:CHECK_OCTETS], digest


def binding(prefix: bytes, context: MessageContext) -> bytes:
    """HPKE's `info` for the content key: every octet before it, and the full ids."""
    return _LABEL + prefix + context.customer.bytes + context.mailbox.bytes + context.message.bytes


def nonce(frame: bytes) -> bytes:
    """A chunk's frame is its nonce. It holds the position, so it is used once under a container's key."""
    return frame.rjust(12, b"\0")


def parse_header(octets: bytes) -> Header:
    """Raises BadMagic, Truncated, UnknownVersion, HeaderTampered, UnknownSuite, in this order."""
    if not octets.startswith(MAGIC[: len(octets)]):
        raise BadMagic
    if len(octets) <= len(MAGIC):
        raise Truncated
    if octets[len(MAGIC)] != VERSION:  # before the length: another version's header may be shorter
        raise UnknownVersion
    if len(octets) < HEADER_OCTETS:
        raise Truncated
    _, _, suite, key_id, *_ = PREFIX.unpack_from(octets)
    prefix, sealed_key = octets[: PREFIX.size], octets[PREFIX.size : HEADER_OCTETS - CHECK_OCTETS]
    whole, digest = make_header(prefix, sealed_key)
    if whole != octets[:HEADER_OCTETS]:
        raise HeaderTampered
    if suite != SUITE_ID:
        raise UnknownSuite
    return Header(prefix, sealed_key, key_id, digest)


def meant(header: Header, context: MessageContext, also: Iterable[MessageContext]) -> MessageContext:
    """Of `also` the one that the header names, or else `context`. Whether it is true the seal says."""
    found = PREFIX.unpack(header.prefix)[4:]
    return next((other for other in also if _tags(other) == found), context)


def compare(header: Header, context: MessageContext) -> None:
    """Raises WrongCustomer, WrongMailbox or WrongMessage when the header names another one."""
    found = PREFIX.unpack(header.prefix)[4:]
    errors = WrongCustomer, WrongMailbox, WrongMessage
    for there, wanted, error in zip(found, _tags(context), errors, strict=True):
        if there != wanted:
            raise error


def read_header(first_octets: bytes) -> bytes:
    """The id of the key that opens a container, from its first `HEADER_OCTETS` octets (more do no harm).

    Not proven yet: use it to choose a key. Raises BadMagic, Truncated, UnknownVersion, HeaderTampered,
    UnknownSuite.
    """
    return parse_header(first_octets).key_id


def sealed_size(plain_octets: int) -> int:
    """The exact size of a container for so many octets of plaintext."""
    chunks = max(1, -(-plain_octets // CHUNK_OCTETS))
    return HEADER_OCTETS + chunks * CHUNK_OVERHEAD + plain_octets


def _tags(context: MessageContext) -> tuple[bytes, bytes, bytes]:
    return (
        context_tag("customer", context.customer),
        context_tag("mailbox", context.mailbox),
        context_tag("message", context.message),
    )
