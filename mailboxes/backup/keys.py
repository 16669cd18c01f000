"""The recovery key: its public half in the settings, its private half on paper. And what is sealed to it.

A part of a backup is a container as a message is (docs/formats/sealed-message.md), bound to its set and its name.
"""

import base64
import binascii
import hashlib
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
SEED_SYMBOLS = 52
LOOK_ALIKES = str.maketrans("018", "OIB")  # no key has these digits
PIECE_OCTETS = 64 * 1024


def new_recovery_key() -> tuple[str, str]:
    """A new pair as texts: the public half for GATEHOUSE_RECOVERY_PUBLIC_KEY, the private one for paper."""
    pair = generate_key_pair()
    symbols = base64.b32encode(pair.private.seed()).decode().rstrip("=")
    symbols += _check_of(symbols)
    groups = [symbols[at : at + GROUP] for at in range(0, len(symbols), GROUP)]
    return base64.b64encode(pair.public).decode(), "-".join(groups)


def recovery_key(text: str) -> PrivateKey:
    """The private half as somebody typed it: small or capital letters, with or without hyphens and blanks. Earlier
    papers lack the last group.

    Raises NoRecoveryKey, which says so when it is mistyped.
    """
    typed = "".join(text.split()).replace("-", "").upper().translate(LOOK_ALIKES)
    symbols, check = typed[:SEED_SYMBOLS], typed[SEED_SYMBOLS:]
    try:
        private = PrivateKey.from_seed(base64.b32decode(symbols + "=" * (-len(symbols) % 8)))
        well_formed = len(check) in (0, GROUP)
    except (binascii.Error, ValueError, BadKey):
        well_formed = False
    if not well_formed:
        raise NoRecoveryKey(
            "That is no recovery key: it has 56 letters and digits from 2 to 7, in 14 groups of four; 13 groups, if its paper "
            f"is an earlier one. This has {len(typed)} of them, or others."
        )
    if check and check != _check_of(symbols):
        raise NoRecoveryKey(
            "That recovery key is mistyped: its last group does not fit the others. Compare it with the paper, group by group."
        )
    return private


def _check_of(symbols: str) -> str:
    """A last group that follows from the others: of a million mistakes one passes for another key."""
    return base64.b32encode(hashlib.sha256(symbols.encode()).digest()).decode()[:GROUP]


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
