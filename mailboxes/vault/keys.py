"""Key pairs of mailboxes and workers."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from typing import NoReturn, final

from mailboxes.vault.errors import BadKey
from mailboxes.vault.primitives import SEED_OCTETS, expand, key_id

KEPT_OUT = "A private key is neither copied nor stored; lock it."


@final
class PrivateKey:
    """A private key in memory, masked like a secret: no repr, pickle, copy or hash gives it away.

    `public` and `key_id` are its public half and that half's name; `opener` is for the vault itself, expanded
    once because a collection opens thousands of messages with one key.
    """

    __slots__ = ("_seed", "key_id", "opener", "public")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, seed: bytes) -> None:
        self._seed = bytes(seed)
        self.opener, self.public = expand(self._seed)
        self.key_id = key_id(self.public)

    @classmethod
    def from_seed(cls, seed: bytes) -> "PrivateKey":
        """The key that 32 octets stand for. Raises BadKey for any other length."""
        return cls(seed)

    @classmethod
    def from_text(cls, text: str) -> "PrivateKey":
        """The key in GATEHOUSE_WORKER_KEY: its seed in base64 or base64url, padded or not. Raises BadKey."""
        plain = text.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
        try:
            seed = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise BadKey from None
        return cls(seed)

    def seed(self) -> bytes:
        """The 32 octets themselves. Pass them on, never keep them."""
        return self._seed

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PrivateKey):
            return NotImplemented
        return hmac.compare_digest(self._seed, other._seed)

    def __repr__(self) -> str:
        return f"<PrivateKey {self.key_id.hex()}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(KEPT_OUT)


@dataclass(frozen=True)
class KeyPair:
    """A public key of 1216 octets and the private key that opens what is sealed to it."""

    public: bytes
    private: PrivateKey


def generate_key_pair() -> KeyPair:
    """A new X-Wing key pair from the system's random numbers."""
    private = PrivateKey(secrets.token_bytes(SEED_OCTETS))
    return KeyPair(private.public, private)
