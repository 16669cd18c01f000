"""Key pairs: X-Wing (ML-KEM-768 with X25519), in the octets of draft-connolly-cfrg-xwing-kem.

A private key is a seed of 32 octets, so that locks are small and every reader derives the same pair.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from typing import Any, NamedTuple, NoReturn, Self, final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from .errors import InvalidKey, KeyWiped
from .primitives import wipe
from .secret import Secret

PUBLIC_OCTETS = 1216
SEED_OCTETS = 32
KEY_ID_OCTETS = 16

_MLKEM_PUBLIC_OCTETS = 1184
_MLKEM_SEED_OCTETS = 64
_KEY_ID_LABEL = b"gatehouse/key-id/1"
_BASE64URL_SEED = re.compile(r"[A-Za-z0-9_-]{43}")


def key_id(public: bytes) -> bytes:
    """The 16 octets that name a public key in locks and sealed messages. Raises InvalidKey for other than 1216 octets."""
    if len(public) != PUBLIC_OCTETS:
        raise InvalidKey
    return hashlib.sha256(_KEY_ID_LABEL + public).digest()[:KEY_ID_OCTETS]


def load_public(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    """The key in the form that HPKE takes. Raises InvalidKey."""
    if len(public) != PUBLIC_OCTETS:
        raise InvalidKey
    try:
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_OCTETS]),
            x25519.X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_OCTETS:]),
        )
    except ValueError:
        raise InvalidKey from None


@final
class PrivateKey:
    """Opens what was sealed to its public key. Masked like a Secret; `wipe` (or `with`) ends its use.

    Wiping overwrites the seed and lets the library cleanse its copy; what Python copied on the way stays until its
    memory is used again.
    """

    __slots__ = ("_opener", "_public", "_seed")

    def __init__(self, seed: bytes | bytearray) -> None:
        """The key of a 32-octet seed. Raises InvalidKey for any other length."""
        if len(seed) != SEED_OCTETS:
            raise InvalidKey
        self._seed = bytearray(seed)
        expanded = bytearray(hashlib.shake_256(seed).digest(_MLKEM_SEED_OCTETS + 32))
        mlkem_key = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_OCTETS])
        x25519_key = x25519.X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_OCTETS:])
        wipe(expanded)
        self._opener: hpke.MLKEM768X25519PrivateKey | None = hpke.MLKEM768X25519PrivateKey(
            mlkem_key, x25519_key
        )
        self._public = mlkem_key.public_key().public_bytes_raw() + x25519_key.public_key().public_bytes_raw()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A key kept in a setting: the seed as 43 characters of unpadded base64url. Raises InvalidKey.

        `secrets.token_urlsafe(32)` makes one.
        """
        if not _BASE64URL_SEED.fullmatch(text):
            raise InvalidKey
        try:
            return cls(base64.urlsafe_b64decode(text + "="))
        except binascii.Error:
            raise InvalidKey from None

    def to_text(self) -> Secret:
        """What `from_text` takes. Raises KeyWiped."""
        return Secret(base64.urlsafe_b64encode(self.reveal()).decode("ascii").rstrip("="))

    @property
    def public(self) -> bytes:
        """The public half, 1216 octets."""
        return self._public

    @property
    def key_id(self) -> bytes:
        """The 16 octets that name this key."""
        return key_id(self._public)

    @property
    def opener(self) -> hpke.MLKEM768X25519PrivateKey:
        """The key in the form that HPKE takes. Raises KeyWiped."""
        if self._opener is None:
            raise KeyWiped
        return self._opener

    def reveal(self) -> bytes:
        """The seed. Only locks need it. Raises KeyWiped."""
        if self._opener is None:
            raise KeyWiped
        return bytes(self._seed)

    def wipe(self) -> None:
        """Forget the private half; may be called twice."""
        self._opener = None
        wipe(self._seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return f"PrivateKey(of {self.key_id.hex()})"

    def __copy__(self) -> NoReturn:
        raise TypeError("a private key is not to be copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise TypeError("a private key is not to be copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a private key is not to be serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a private key is not to be serialised")


class KeyPair(NamedTuple):
    """A public key to hand out, and the private key to lock away."""

    public: bytes
    private: PrivateKey


def generate_key_pair() -> KeyPair:
    """A fresh pair."""
    private = PrivateKey(secrets.token_bytes(SEED_OCTETS))
    return KeyPair(private.public, private)
