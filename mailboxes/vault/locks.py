"""Locks: the only places where a private key exists at rest. Who can open one has the key.

A lock names the key inside it, the customer and the mailbox; all of that is authenticated with it, so a lock moved to
another row opens nothing there. Layouts, octet by octet: `docs/formats/locks.md`.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import uuid
from enum import IntEnum
from typing import Literal, NamedTuple

from .context import LockContext
from .errors import (
    InvalidKey,
    NotALock,
    Tampered,
    TrailingData,
    Truncated,
    UnknownVersion,
    WrongKey,
    WrongKind,
    WrongPassword,
)
from .keys import KEY_ID_OCTETS, PrivateKey, key_id, load_public
from .passwords import password_octets
from .primitives import (
    DEFAULT_COST,
    ENCAPSULATED_OCTETS,
    KEY_OCTETS,
    SALT_OCTETS,
    TAG_OCTETS,
    PasswordCipher,
    PasswordCost,
    open_with_key,
    seal_to_key,
)
from .secret import Secret

KeyLockKind = Literal["successor", "worker", "recovery"]

MAGIC = b"GHLOCK\r\n"  # the line end shows a transfer that "repaired" line ends
VERSION = 1

_HEAD = struct.Struct(">8sBB16s32s")  # magic, version, kind, id of the locked key, customer || mailbox
_COST = struct.Struct(">IIB")
_SEALED_SEED_OCTETS = KEY_OCTETS + TAG_OCTETS
_CHECKSUM_OCTETS = 16
_PASSWORD_LOCK_OCTETS = _HEAD.size + _COST.size + SALT_OCTETS + _SEALED_SEED_OCTETS + _CHECKSUM_OCTETS
_KEY_LOCK_OCTETS = _HEAD.size + KEY_ID_OCTETS + ENCAPSULATED_OCTETS + _SEALED_SEED_OCTETS

_KEY_LOCK_LABEL = b"gatehouse/lock/1"
_PASSWORD_LOCK_LABEL = b"gatehouse/password-lock/1"
_CHECKSUM_LABEL = b"gatehouse/lock-checksum/1"


class _Kind(IntEnum):
    PASSWORD = 1
    SUCCESSOR = 2
    WORKER = 3
    RECOVERY = 4


class _Head(NamedTuple):
    kind: _Kind
    key_id: bytes
    context: bytes


def lock_with_password(
    private: PrivateKey, password: Secret, *, context: LockContext, cost: PasswordCost = DEFAULT_COST
) -> bytes:
    """A lock of 147 octets that this password opens. Raises MistypedPassword, UnreasonableCost."""
    bound = _head(_Kind.PASSWORD, private.key_id, context) + _COST.pack(*cost.check())
    bound += secrets.token_bytes(SALT_OCTETS)
    cipher = _cipher_of(password, bound)
    sealed = cipher.seal(private.reveal(), bound=_PASSWORD_LOCK_LABEL + bound)
    return bound + sealed + _checksum(bound + sealed)


def open_password_lock(lock: bytes, password: Secret, *, context: LockContext) -> PrivateKey:
    """The private key inside.

    Raises NotALock, UnknownVersion, WrongKind, Truncated, TrailingData or Tampered for octets that cannot be a lock
    of ours, UnreasonableCost and MistypedPassword, all of them before any cost; then WrongPassword, and, for a
    lock that the password opens, WrongCustomer and WrongMailbox.
    """
    head = _read_head(lock)
    if head.kind is not _Kind.PASSWORD:
        raise WrongKind
    _require_length(lock, _PASSWORD_LOCK_OCTETS)
    # Tells rot on a disk from a wrong password. It needs no key, so it proves nothing against an attacker, who can
    # make the password seem wrong but not the lock open.
    if _checksum(lock[:-_CHECKSUM_OCTETS]) != lock[-_CHECKSUM_OCTETS:]:
        raise Tampered
    bound = lock[: _HEAD.size + _COST.size + SALT_OCTETS]
    sealed = lock[len(bound) : -_CHECKSUM_OCTETS]
    cipher = _cipher_of(password, bound)
    try:
        seed = cipher.open(sealed, bound=_PASSWORD_LOCK_LABEL + bound)
    except Tampered:
        raise WrongPassword from None
    return _unlocked(seed, head, context)


def decoy_password_lock(*, cost: PasswordCost = DEFAULT_COST) -> tuple[bytes, LockContext]:
    """A lock that no password opens, and its context: trying it costs what trying a real one costs.

    For a login name that doesn't exist, so that the answer takes as long as that to a wrong password.
    """
    context = LockContext(customer=uuid.uuid4(), mailbox=uuid.uuid4())
    lock = _head(_Kind.PASSWORD, secrets.token_bytes(KEY_ID_OCTETS), context) + _COST.pack(*cost.check())
    lock += secrets.token_bytes(SALT_OCTETS + _SEALED_SEED_OCTETS)
    return lock + _checksum(lock), context


def lock_to_key(
    private: PrivateKey, recipient_public: bytes, *, kind: KeyLockKind, context: LockContext
) -> bytes:
    """A lock of 1242 octets that the owner of `recipient_public` opens. Raises InvalidKey."""
    bound = _head(_Kind[kind.upper()], private.key_id, context) + key_id(recipient_public)
    return bound + seal_to_key(private.reveal(), load_public(recipient_public), info=_KEY_LOCK_LABEL + bound)


def open_key_lock(
    lock: bytes, recipient_private: PrivateKey, *, kind: KeyLockKind, context: LockContext
) -> PrivateKey:
    """The private key inside.

    Raises NotALock, UnknownVersion, Truncated, TrailingData or Tampered for octets that are no lock of ours, WrongKey
    if it was made for another recipient, and, for a sound lock, WrongKind, WrongCustomer and WrongMailbox.
    """
    head = _read_head(lock)
    if head.kind is _Kind.PASSWORD:
        raise WrongKind
    _require_length(lock, _KEY_LOCK_OCTETS)
    bound = lock[: _HEAD.size + KEY_ID_OCTETS]
    if bound[_HEAD.size :] != recipient_private.key_id:
        raise WrongKey
    seed = open_with_key(lock[len(bound) :], recipient_private.opener, info=_KEY_LOCK_LABEL + bound)
    if head.kind is not _Kind[kind.upper()]:
        raise WrongKind
    return _unlocked(seed, head, context)


def _head(kind: _Kind, locked_key_id: bytes, context: LockContext) -> bytes:
    return _HEAD.pack(MAGIC, VERSION, kind, locked_key_id, context.to_bytes())


def _read_head(lock: bytes) -> _Head:
    if lock[: len(MAGIC)] != MAGIC[: len(lock)]:
        raise NotALock
    if len(lock) > len(MAGIC) and lock[len(MAGIC)] != VERSION:
        raise UnknownVersion
    if len(lock) < _HEAD.size:
        raise Truncated
    _, _, kind, locked_key_id, context = _HEAD.unpack_from(lock)
    try:
        return _Head(_Kind(kind), locked_key_id, context)
    except ValueError:
        raise Tampered from None  # version 1 has no such kind


def _require_length(lock: bytes, octets: int) -> None:
    if len(lock) < octets:
        raise Truncated
    if len(lock) > octets:
        raise TrailingData


def _cipher_of(password: Secret, bound: bytes) -> PasswordCipher:
    cost = PasswordCost(*_COST.unpack_from(bound, _HEAD.size)).check()
    return PasswordCipher(password_octets(password), salt=bound[-SALT_OCTETS:], cost=cost)


def _checksum(octets: bytes) -> bytes:
    return hashlib.sha256(_CHECKSUM_LABEL + octets).digest()[:_CHECKSUM_OCTETS]


def _unlocked(seed: bytes, head: _Head, context: LockContext) -> PrivateKey:
    """The key of an authentic lock, if it is the key that the lock names, in the place where the lock belongs."""
    context.expect(head.context)
    try:
        private = PrivateKey(seed)
    except InvalidKey:
        raise Tampered from None
    if private.key_id != head.key_id:
        raise Tampered
    return private
