"""The cryptography that the vault is made of, and why no nonce can repeat.

- `seal_to_key` is HPKE in its single-shot base mode (RFC 9180): each call encapsulates anew, so each call has its own
  key, used once, with the nonce that HPKE derives beside it.
- `ChunkCipher` is AES-256-GCM with the chunk's frame as nonce. Its key comes from a content key drawn for this one
  message, and a frame holds the chunk's position, which only ever grows.
- `PasswordCipher` is AES-256-GCM under an Argon2id key. Every lock has its own random salt, so its key encrypts
  exactly once, and a constant nonce is safe.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import InvalidKey, Tampered, UnreasonableCost

Octets = bytes | bytearray | memoryview

TAG_OCTETS = 16
KEY_OCTETS = 32
ENCAPSULATED_OCTETS = 1120
SALT_OCTETS = 16

# X-Wing (ML-KEM-768 with X25519): who records today's mail cannot open it with tomorrow's quantum computer, nor
# with a flaw in the young half of the pair.
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_ONLY_NONCE = bytes(12)
_FRAME_PADDING = bytes(4)


def seal_to_key(plain: bytes | bytearray, public: hpke.MLKEM768X25519PublicKey, *, info: bytes) -> bytes:
    """Encapsulated key || sealed octets. Raises InvalidKey if the key is one that nobody can use."""
    try:
        return _SUITE.encrypt(plain, public, info)
    except ValueError:  # the X25519 half is a point of low order
        raise InvalidKey from None


def open_with_key(sealed: bytes, private: hpke.MLKEM768X25519PrivateKey, *, info: bytes) -> bytes:
    """What `seal_to_key` sealed. Raises Tampered if key, octets or `info` are not those of the sealing."""
    try:
        return _SUITE.decrypt(sealed, private, info)
    except (InvalidTag, ValueError):
        raise Tampered from None


class ChunkCipher:
    """The chunks of one message. The frame, eight octets that never repeat under one key, is the nonce."""

    __slots__ = ("_aead",)

    def __init__(self, content_key: bytes | bytearray, *, info: bytes) -> None:
        key = bytearray(KEY_OCTETS)
        HKDF(hashes.SHA256(), KEY_OCTETS, salt=None, info=info).derive_into(content_key, key)
        self._aead = AESGCM(key)
        wipe(key)

    def seal(self, frame: bytes, plain: Octets) -> bytes:
        return self._aead.encrypt(_FRAME_PADDING + frame, plain, None)

    def open(self, frame: bytes, sealed: Octets) -> bytes:
        """Raises Tampered unless frame and octets are those of the sealing."""
        try:
            return self._aead.decrypt(_FRAME_PADDING + frame, sealed, None)
        except InvalidTag:
            raise Tampered from None


class PasswordCost(NamedTuple):
    """What one try at a password costs (Argon2id, RFC 9106)."""

    memory_kib: int
    iterations: int
    lanes: int

    def check(self) -> PasswordCost:
        """Itself. Raises UnreasonableCost before anything is spent on a lock that would exhaust the machine."""
        if (
            1 <= self.lanes <= 16
            and 8 * self.lanes <= self.memory_kib <= 512 * 1024
            and 1 <= self.iterations <= 32
            and self.memory_kib * self.iterations <= 2 * 1024 * 1024
        ):
            return self
        raise UnreasonableCost


# RFC 9106's second recommendation. Passwords have 130 random bits, so this is a second wall, not the first.
DEFAULT_COST = PasswordCost(memory_kib=64 * 1024, iterations=3, lanes=4)


class PasswordCipher:
    """The cipher of one password lock. Its key encrypts once, so its nonce may be constant."""

    __slots__ = ("_aead",)

    def __init__(self, password: bytes, *, salt: bytes, cost: PasswordCost) -> None:
        """Spends the cost. Raises UnreasonableCost instead if it is out of bounds."""
        memory_kib, iterations, lanes = cost.check()
        key = bytearray(KEY_OCTETS)
        derivation = Argon2id(
            salt=salt, length=KEY_OCTETS, memory_cost=memory_kib, iterations=iterations, lanes=lanes
        )
        derivation.derive_into(password, key)
        self._aead = AESGCM(key)
        wipe(key)

    def seal(self, plain: bytes, *, bound: bytes) -> bytes:
        return self._aead.encrypt(_ONLY_NONCE, plain, bound)

    def open(self, sealed: bytes, *, bound: bytes) -> bytes:
        """Raises Tampered unless password, octets and `bound` are those of the sealing."""
        try:
            return self._aead.decrypt(_ONLY_NONCE, sealed, bound)
        except InvalidTag:
            raise Tampered from None


def wipe(octets: bytearray) -> None:
    """Overwrite in place. Copies that Python or a library made on the way remain; `bytes` cannot be wiped at all."""
    octets[:] = bytes(len(octets))
