"""The recovery key: its public half in the settings, its private half on paper. And what is sealed to it.

A part of a backup is a container as a message is (docs/formats/sealed-message.md), bound to its set and its name.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from uuid import UUID, uuid5

from django.conf import settings

from mailboxes.backup.errors import BackupDamaged, NoRecoveryKey
from mailboxes.vault import (
    BadKey,
    MessageContext,
    PrivateKey,
    Sealer,
    VaultError,
    WrongKey,
    generate_key_pair,
    key_id,
    open_sealed,
)

PARTS = UUID("6f0c9a52-6d2e-4d0a-9a0b-5b0d3a5f1c77")  # stands where a message has its mailbox
GROUP = 4  # symbols
PIECE_OCTETS = 64 * 1024


def new_recovery_key() -> tuple[str, str]:
    """A new pair as texts: the public half for GATEHOUSE_RECOVERY_PUBLIC_KEY, the private one for paper."""
    pair = generate_key_pair()
    symbols = base64.b32encode(pair.private.seed()).decode().rstrip("=")
    groups = [symbols[at : at + GROUP] for at in range(0, len(symbols), GROUP)]
    return base64.b64encode(pair.public).decode(), "-".join(groups)


def recovery_key(text: str) -> PrivateKey:
    """The private half as somebody typed it: small or capital letters, with or without hyphens and blanks.

    Raises NoRecoveryKey.
    """
    symbols = "".join(text.split()).replace("-", "").upper()
    try:
        return PrivateKey.from_seed(base64.b32decode(symbols + "=" * (-len(symbols) % 8)))
    except (binascii.Error, ValueError, BadKey):
        raise NoRecoveryKey(
            "That is no recovery key: it has 52 letters and digits from 2 to 7, in groups of four."
        ) from None


def public_key() -> bytes:
    """What backups are sealed to. Raises NoRecoveryKey."""
    try:
        public = base64.b64decode(settings.RECOVERY_PUBLIC_KEY, validate=True)
        Sealer(public, context=_context(PARTS, ""))
    except (ValueError, BadKey):
        raise NoRecoveryKey(
            "Set GATEHOUSE_RECOVERY_PUBLIC_KEY to a public recovery key; manage.py new_recovery_key makes a pair."
        ) from None
    return public


def key_id_of(public: bytes) -> str:
    """By which a manifest names the key that opens its parts."""
    return key_id(public).hex()


def seal(pieces: Iterable[bytes], public: bytes, *, of: UUID, name: str) -> Iterator[bytes]:
    """A part of the set `of`, sealed."""
    sealer = Sealer(public, context=_context(of, name))
    for piece in pieces:
        for at in range(0, len(piece), PIECE_OCTETS):
            if ready := sealer.update(piece[at : at + PIECE_OCTETS]):
                yield ready
    yield sealer.finish()


def unseal(pieces: Iterable[bytes], private: PrivateKey, *, of: UUID, name: str) -> Iterator[bytes]:
    """Raises NoRecoveryKey for another key, BackupDamaged for what is not the whole part of this set and name."""
    try:
        yield from open_sealed(pieces, private, context=_context(of, name))
    except WrongKey:
        raise NoRecoveryKey("This backup was sealed to another recovery key.") from None
    except VaultError as error:
        raise BackupDamaged(f"{name} is not what was sealed ({error.code}).") from error


def _context(of: UUID, name: str) -> MessageContext:
    return MessageContext(of, PARTS, uuid5(of, name))
