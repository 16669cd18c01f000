"""Locks: the only form in which a private key is stored. Format: docs/formats/locks.md."""

import hashlib
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag

from mailboxes.vault.errors import (
    BadMagic,
    Tampered,
    TrailingData,
    Truncated,
    UnknownSuite,
    UnknownVersion,
    WrongCustomer,
    WrongKey,
    WrongKind,
    WrongMailbox,
    WrongPassword,
)
from mailboxes.vault.keys import PrivateKey
from mailboxes.vault.primitives import (
    KEY_ID_OCTETS,
    SALT_OCTETS,
    SEALED_KEY_OCTETS,
    SEED_OCTETS,
    SUITE_ID,
    TAG_OCTETS,
    ZERO_NONCE,
    Cost,
    context_tag,
    hpke_open,
    hpke_seal,
    key_id,
    stretch,
)
from mailboxes.vault.secret import Secret

KeyLockKind = Literal["successor", "worker", "recovery"]

MAGIC: Final = b"GATELOCK"
VERSION: Final = 1
PASSWORD_KIND: Final = 1
KEY_KINDS: Final[dict[str, int]] = {"successor": 2, "worker": 3, "recovery": 4}
CHECK_OCTETS: Final = 8

_HEAD: Final = struct.Struct(">8sBBB16s8s8s")  # magic, version, kind, suite, key id, customer, mailbox
_COST: Final = struct.Struct(">IIB")  # memory in KiB, passes, lanes
_PASSWORD_BODY: Final = _COST.size + SALT_OCTETS + SEED_OCTETS + TAG_OCTETS
_KEY_BODY: Final = KEY_ID_OCTETS + SEALED_KEY_OCTETS
PASSWORD_LOCK_OCTETS: Final = _HEAD.size + _PASSWORD_BODY + CHECK_OCTETS
KEY_LOCK_OCTETS: Final = _HEAD.size + _KEY_BODY + CHECK_OCTETS
_LABEL: Final = b"gatehouse/v1/lock"
DEFAULT_COST: Final = Cost()


@dataclass(frozen=True)
class LockContext:
    """Where a locked key belongs. A lock opens in the context in which it was made and in no other."""

    customer: UUID
    mailbox: UUID


def lock_with_password(
    private: PrivateKey, password: Secret, *, context: LockContext, cost: Cost = DEFAULT_COST
) -> bytes:
    """A lock that this password opens, at this cost for every guess. 124 octets."""
    salt = secrets.token_bytes(SALT_OCTETS)
    prefix = _head(PASSWORD_KIND, private.key_id, context) + _pack(cost) + salt
    key = stretch(password.reveal(), salt, cost)
    return _checked(prefix + key.encrypt(ZERO_NONCE, private.seed(), _binding(prefix, context)))


def open_password_lock(
    lock: bytes, password: Secret, *, context: LockContext, also: Iterable[LockContext] = ()
) -> PrivateKey:
    """The locked key. `also`: contexts in which it may have been made instead.

    Raises WrongPassword at the full cost of a guess; before that, and cheaply, Truncated, BadMagic,
    UnknownVersion, WrongKind, TrailingData, Tampered, UnknownSuite, WrongCustomer, WrongMailbox and
    CostOutOfBounds. An attacker who rewrites a lock on purpose may also get WrongPassword.
    """
    context = _meant(lock, context, also)
    body = _body(lock, PASSWORD_KIND, PASSWORD_LOCK_OCTETS, context)
    cost = Cost(*_COST.unpack_from(body))
    salt = body[_COST.size : _COST.size + SALT_OCTETS]
    prefix, sealed = lock[: -CHECK_OCTETS - SEED_OCTETS - TAG_OCTETS], body[_COST.size + SALT_OCTETS :]
    key = stretch(password.reveal(), salt, cost)
    try:
        seed = key.decrypt(ZERO_NONCE, sealed, _binding(prefix, context))
    except InvalidTag:
        raise WrongPassword from None
    return _named(seed, lock)


def has_todays_cost(password_lock: bytes) -> bool:
    """Whether a lock that was opened by its password would be made like this today."""
    return password_lock[_HEAD.size : _HEAD.size + _COST.size] == _pack(DEFAULT_COST)


def lock_to_key(
    private: PrivateKey, recipient_public: bytes, *, kind: KeyLockKind, context: LockContext
) -> bytes:
    """A lock that the recipient's private key opens, as this kind only. 1235 octets. Raises BadKey."""
    prefix = _head(KEY_KINDS[kind], private.key_id, context) + key_id(recipient_public)
    return _checked(prefix + hpke_seal(private.seed(), recipient_public, _binding(prefix, context)))


def open_key_lock(
    lock: bytes,
    recipient_private: PrivateKey,
    *,
    kind: KeyLockKind,
    context: LockContext,
    also: Iterable[LockContext] = (),
) -> PrivateKey:
    """The locked key. `also`: contexts in which it may have been made instead.

    Raises Truncated, BadMagic, UnknownVersion, WrongKind, TrailingData, Tampered, UnknownSuite,
    WrongCustomer, WrongMailbox, and WrongKey when it was made for another recipient.
    """
    context = _meant(lock, context, also)
    body = _body(lock, KEY_KINDS[kind], KEY_LOCK_OCTETS, context)
    if body[:KEY_ID_OCTETS] != recipient_private.key_id:
        raise WrongKey
    prefix, sealed = lock[: -CHECK_OCTETS - SEALED_KEY_OCTETS], body[KEY_ID_OCTETS:]
    seed = hpke_open(sealed, recipient_private.opener, _binding(prefix, context))
    if seed is None:
        raise Tampered
    return _named(seed, lock)


def decoy_password_lock(*, cost: Cost = DEFAULT_COST) -> tuple[bytes, LockContext]:
    """A lock without a key in it, and its context: every password is wrong, and takes as long to be so.

    For logins that name no mailbox, so that they can't be told from wrong passwords.
    """
    context = LockContext(uuid4(), uuid4())
    body = _pack(cost) + secrets.token_bytes(SALT_OCTETS + SEED_OCTETS + TAG_OCTETS)
    return _checked(_head(PASSWORD_KIND, secrets.token_bytes(KEY_ID_OCTETS), context) + body), context


def _head(kind: int, locked: bytes, context: LockContext) -> bytes:
    return _HEAD.pack(MAGIC, VERSION, kind, SUITE_ID, locked, *_names(context))


def _names(context: LockContext) -> tuple[bytes, bytes]:
    return context_tag("customer", context.customer), context_tag("mailbox", context.mailbox)


def _meant(lock: bytes, context: LockContext, also: Iterable[LockContext]) -> LockContext:
    """Of `also` the one that the lock names, or else `context`. Whether it is true the seal says."""
    named = _HEAD.unpack_from(lock)[5:] if len(lock) >= _HEAD.size else None
    return next((other for other in also if _names(other) == named), context)


def _pack(cost: Cost) -> bytes:
    return _COST.pack(cost.memory_kib, cost.passes, cost.lanes)


def _binding(prefix: bytes, context: LockContext) -> bytes:
    """What the seal vouches for besides the key: every octet before it, and the full ids."""
    return _LABEL + prefix + context.customer.bytes + context.mailbox.bytes


def _checked(lock: bytes) -> bytes:
    return lock + _check(lock)


def _check(lock: bytes) -> bytes:
    """Tells damage from a wrong password, before Argon2id is paid for. Not keyed: no defence by itself."""
    return hashlib.sha256(lock).digest()[:CHECK_OCTETS]


def _body(lock: bytes, wanted_kind: int, wanted_octets: int, context: LockContext) -> bytes:
    """What follows the head, when all that can be compared without a key is as it should be."""
    if not lock.startswith(MAGIC[: len(lock)]):
        raise BadMagic
    if len(lock) < _HEAD.size:
        raise Truncated
    _, version, kind, suite, _, customer, mailbox = _HEAD.unpack_from(lock)
    if version != VERSION:
        raise UnknownVersion
    if kind != wanted_kind:
        raise WrongKind
    if len(lock) != wanted_octets:
        raise Truncated if len(lock) < wanted_octets else TrailingData
    if _check(lock[:-CHECK_OCTETS]) != lock[-CHECK_OCTETS:]:
        raise Tampered
    if suite != SUITE_ID:
        raise UnknownSuite
    if customer != context_tag("customer", context.customer):
        raise WrongCustomer
    if mailbox != context_tag("mailbox", context.mailbox):
        raise WrongMailbox
    return lock[_HEAD.size : -CHECK_OCTETS]


def _named(seed: bytes, lock: bytes) -> PrivateKey:
    """The key, if it is the one that the lock names: anyone can lock another one to a public key."""
    private = PrivateKey(seed)
    if private.key_id != _HEAD.unpack_from(lock)[4]:
        raise Tampered
    return private
