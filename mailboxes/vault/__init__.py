"""Passwords, keys, locks and sealed messages: octets in, octets out.

A mailbox's password opens a lock; in the lock is a private key; the key opens the mailbox's messages. No part
of it knows Django, a clock or a setting. Formats: docs/formats/. Everything that is refused is a VaultError.
"""

from mailboxes.vault.container import (
    CHUNK_OCTETS,
    HEADER_OCTETS,
    MessageContext,
    read_header,
    sealed_size,
)
from mailboxes.vault.errors import (
    BadKey,
    BadMagic,
    ChunkTampered,
    CostOutOfBounds,
    Damaged,
    HeaderTampered,
    MalformedChunk,
    MistypedPassword,
    OutOfOrder,
    Tampered,
    TrailingData,
    Truncated,
    UnknownSuite,
    UnknownVersion,
    Unreadable,
    VaultError,
    WrongContext,
    WrongCustomer,
    WrongKey,
    WrongKind,
    WrongMailbox,
    WrongMessage,
    WrongPassword,
)
from mailboxes.vault.keys import KeyPair, PrivateKey, generate_key_pair
from mailboxes.vault.locks import (
    LockContext,
    decoy_password_lock,
    has_todays_cost,
    lock_to_key,
    lock_with_password,
    open_key_lock,
    open_password_lock,
)
from mailboxes.vault.opening import open_sealed
from mailboxes.vault.passwords import SYMBOLS as PASSWORD_SYMBOLS
from mailboxes.vault.passwords import count_symbols, new_password, parse_password
from mailboxes.vault.primitives import Cost, key_id
from mailboxes.vault.sealing import Sealer, seal
from mailboxes.vault.secret import Secret

__all__ = [
    "CHUNK_OCTETS",
    "HEADER_OCTETS",
    "PASSWORD_SYMBOLS",
    "BadKey",
    "BadMagic",
    "ChunkTampered",
    "Cost",
    "CostOutOfBounds",
    "Damaged",
    "HeaderTampered",
    "KeyPair",
    "LockContext",
    "MalformedChunk",
    "MessageContext",
    "MistypedPassword",
    "OutOfOrder",
    "PrivateKey",
    "Sealer",
    "Secret",
    "Tampered",
    "TrailingData",
    "Truncated",
    "UnknownSuite",
    "UnknownVersion",
    "Unreadable",
    "VaultError",
    "WrongContext",
    "WrongCustomer",
    "WrongKey",
    "WrongKind",
    "WrongMailbox",
    "WrongMessage",
    "WrongPassword",
    "count_symbols",
    "decoy_password_lock",
    "generate_key_pair",
    "has_todays_cost",
    "key_id",
    "lock_to_key",
    "lock_with_password",
    "new_password",
    "open_key_lock",
    "open_password_lock",
    "open_sealed",
    "parse_password",
    "read_header",
    "seal",
    "sealed_size",
]
