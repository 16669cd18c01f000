"""The vault: passwords, keys, locks and sealed messages. Octets in, octets out; no Django, no settings, no clock.

    password = new_password()                                       shown once, kept nowhere
    public, private = generate_key_pair()                           public: everyone may have it
    lock = lock_with_password(private, password, context=mailbox)   the only form in which `private` is stored
    container = seal(chunks, public, context=message)               needs no secret
    private = open_password_lock(lock, password, context=mailbox)   knowing the password is having the key
    chunks = open_sealed(container, private, context=message)       streaming, each chunk proved before it comes out

What is promised: without the password, or the private key of another lock, octets of a lock or a sealed message tell
nothing but their length, customer, mailbox, message and key; and nothing changed, cut, reordered or moved to another
place is ever taken for the original. What is not: that a message came from a certain sender (whoever has the
public key can seal), or that secrets vanish from the memory of a running Python process.

Formats: `docs/formats/`. Errors: the tree in `errors.py`, all below VaultError.
"""

from .container import read_header, sealed_size
from .context import LockContext, MessageContext
from .errors import (
    AlreadyFinished,
    Damaged,
    InvalidKey,
    KeyWiped,
    MessageTooLong,
    MistypedPassword,
    NotALock,
    NotSealed,
    Reordered,
    Tampered,
    TrailingData,
    Truncated,
    UnknownSuite,
    UnknownVersion,
    UnreasonableCost,
    VaultError,
    WrongContext,
    WrongCustomer,
    WrongKey,
    WrongKind,
    WrongMailbox,
    WrongMessage,
    WrongPassword,
)
from .keys import KeyPair, PrivateKey, generate_key_pair, key_id
from .locks import (
    KeyLockKind,
    decoy_password_lock,
    lock_to_key,
    lock_with_password,
    open_key_lock,
    open_password_lock,
)
from .opening import open_sealed
from .passwords import new_password, parse_password
from .primitives import DEFAULT_COST, PasswordCost
from .sealing import Sealer, seal
from .secret import Secret

__all__ = [
    "DEFAULT_COST",
    "AlreadyFinished",
    "Damaged",
    "InvalidKey",
    "KeyLockKind",
    "KeyPair",
    "KeyWiped",
    "LockContext",
    "MessageContext",
    "MessageTooLong",
    "MistypedPassword",
    "NotALock",
    "NotSealed",
    "PasswordCost",
    "PrivateKey",
    "Reordered",
    "Sealer",
    "Secret",
    "Tampered",
    "TrailingData",
    "Truncated",
    "UnknownSuite",
    "UnknownVersion",
    "UnreasonableCost",
    "VaultError",
    "WrongContext",
    "WrongCustomer",
    "WrongKey",
    "WrongKind",
    "WrongMailbox",
    "WrongMessage",
    "WrongPassword",
    "decoy_password_lock",
    "generate_key_pair",
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
