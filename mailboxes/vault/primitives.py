"""The three primitives under everything, each in the one way in which it is used here.

- HPKE (RFC 9180), single shot, base mode, with the hybrid KEM X-Wing (ML-KEM-768 and X25519), HKDF-SHA256 and
  AES-256-GCM. Each call makes a fresh encapsulation, so no nonce of its key is ever used twice.
- AES-256-GCM (NIST SP 800-38D) with 12-octet nonces. Keys are random per container, with the chunk's frame as
  nonce, which holds the chunk's position; or from Argon2id with a fresh salt, used once with the zero nonce.
- Argon2id (RFC 9106), version 0x13, for passwords.
"""

import hashlib
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from mailboxes.vault.errors import BadKey, CostOutOfBounds

SUITE_ID: Final = 1  # the one suite so far: all of the above
KEY_OCTETS: Final = 32
TAG_OCTETS: Final = 16
SEED_OCTETS: Final = 32
PUBLIC_OCTETS: Final = 1184 + 32
KEY_ID_OCTETS: Final = 16
ENCAPSULATION_OCTETS: Final = 1088 + 32
SEALED_KEY_OCTETS: Final = ENCAPSULATION_OCTETS + KEY_OCTETS + TAG_OCTETS  # also of a seed: just as long
CONTEXT_TAG_OCTETS: Final = 8
SALT_OCTETS: Final = 16
ZERO_NONCE: Final = bytes(12)
MAX_MEMORY_KIB: Final = 512 * 1024
MAX_PASSES: Final = 16
MAX_LANES: Final = 16

_MLKEM_PUBLIC_OCTETS: Final = 1184
_MLKEM_SEED_OCTETS: Final = 64
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


# With several lanes a derivation takes threads of OpenSSL's for them. Two at the same moment take them from each other,
# and both may wait for ever or fail for lack of them; so these go one at a time, and whatever needs much memory with
# them. With one lane it runs on its caller's thread and needs no other: as many as there are cores go side by side.
SIDE_BY_SIDE_KIB: Final = 8 * 1024
SIDE_BY_SIDE: Final = min(os.cpu_count() or 1, 8)
_one_at_a_time = threading.Lock()
_side_by_side = threading.BoundedSemaphore(SIDE_BY_SIDE)


@dataclass(frozen=True)
class Cost:
    """What one guess of a password costs: Argon2id's memory in KiB, passes and lanes.

    The default is small because passwords have 130 random bits; docs/formats/locks.md has the figures. Raises
    CostOutOfBounds outside of what a reader accepts: the upper bounds keep a forged lock from taking the machine down.
    """

    memory_kib: int = 4 * 1024
    passes: int = 1
    lanes: int = 1

    def __post_init__(self) -> None:
        lanes_fit = 1 <= self.lanes <= MAX_LANES
        memory_fits = 8 * self.lanes <= self.memory_kib <= MAX_MEMORY_KIB
        if not (lanes_fit and memory_fits and 1 <= self.passes <= MAX_PASSES):
            raise CostOutOfBounds


def stretch(password: str, salt: bytes, cost: Cost) -> AESGCM:
    """The key of a password lock."""
    argon2 = Argon2id(
        salt=salt, length=KEY_OCTETS, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    small = cost.lanes == 1 and cost.memory_kib <= SIDE_BY_SIDE_KIB
    with _side_by_side if small else _one_at_a_time:
        return AESGCM(argon2.derive(password.encode(errors="surrogatepass")))


def hpke_seal(plain: bytes, public: bytes, info: bytes) -> bytes:
    """Encapsulation and ciphertext in one. Raises BadKey."""
    try:
        return _SUITE.encrypt(plain, _public_key(public), info=info)
    except ValueError:  # of the right length, but its X25519 half is a point of low order: no secret to share
        raise BadKey from None


def hpke_open(sealed: bytes, opener: MLKEM768X25519PrivateKey, info: bytes) -> bytes | None:
    """The plaintext, or None when anything does not fit."""
    try:
        return _SUITE.decrypt(sealed, opener, info=info)
    except (InvalidTag, ValueError):
        return None


def expand(seed: bytes) -> tuple[MLKEM768X25519PrivateKey, bytes]:
    """What opens by a seed, and its public key: ML-KEM's, then X25519's. Raises BadKey.

    X-Wing's key expansion: SHAKE256 of the seed gives 64 octets for ML-KEM-768 and 32 for X25519.
    """
    if len(seed) != SEED_OCTETS:
        raise BadKey
    expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED_OCTETS + 32)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_OCTETS])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_OCTETS:])
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return MLKEM768X25519PrivateKey(mlkem, x25519), public


def key_id(public: bytes) -> bytes:
    """The 16 octets by which containers and locks name a key."""
    return hashlib.sha256(b"gatehouse/v1/key-id" + public).digest()[:KEY_ID_OCTETS]


def context_tag(what: str, identity: UUID) -> bytes:
    """A short public name for an id, which lets a reader say what does not fit. Secures nothing by itself."""
    return hashlib.sha256(b"gatehouse/v1/" + what.encode() + identity.bytes).digest()[:CONTEXT_TAG_OCTETS]


@lru_cache(maxsize=256)
def _public_key(public: bytes) -> MLKEM768X25519PublicKey:
    """Kept for the keys in use: a journal mailbox takes thousands of mails under one key."""
    if len(public) != PUBLIC_OCTETS:
        raise BadKey
    try:
        return MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_OCTETS]),
            X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC_OCTETS:]),
        )
    except ValueError:
        raise BadKey from None
