"""A second reader, written from docs/formats/ alone: it shows that the documents suffice.

HPKE (RFC 9180) and X-Wing are spelled out here from their specifications, so that a change of library that
quietly changed the format would be noticed.
"""

import hashlib
import hmac
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

XWING_LABEL = b"\\.//^\\"
HPKE_SUITE = b"HPKE" + bytes.fromhex("647a 0001 0002")


def read_message(container: bytes, seed: bytes, customer: str, mailbox: str, message: str) -> bytes:
    """The mail in a container that is as it should be."""
    info = (
        b"gatehouse/v1/message"
        + container[:50]
        + b"".join(UUID(i).bytes for i in (customer, mailbox, message))
    )
    content_key = hpke_open(container[50:1218], seed, info)
    digest = hashlib.sha256(container[:1218]).digest()
    mail, at, flag = b"", 1226, 0
    while flag == 0:
        frame = container[at : at + 9]
        flag, octets = frame[0], int.from_bytes(frame[5:])
        mail += AESGCM(content_key).decrypt(bytes(3) + frame, container[at + 9 : at + octets + 25], digest)
        at += octets + 25
    assert at == len(container)
    return mail


def read_lock(lock: bytes, opener: str, customer: str, mailbox: str) -> bytes:
    """The seed in a lock that is as it should be; `opener` is a password, or a seed in hexadecimal digits."""
    ids = UUID(customer).bytes + UUID(mailbox).bytes
    if lock[9] == 1:
        memory, passes = int.from_bytes(lock[43:47]), int.from_bytes(lock[47:51])
        argon = Argon2id(salt=lock[52:68], length=32, iterations=passes, lanes=lock[51], memory_cost=memory)
        key = argon.derive(opener.encode())
        return AESGCM(key).decrypt(bytes(12), lock[68:116], b"gatehouse/v1/lock" + lock[:68] + ids)
    return hpke_open(lock[59:1227], bytes.fromhex(opener), b"gatehouse/v1/lock" + lock[:59] + ids)


def hpke_open(sealed: bytes, seed: bytes, info: bytes) -> bytes:
    """RFC 9180, sections 5.1 and 6.1: base mode, single shot."""
    shared = xwing_decapsulate(sealed[:1120], seed)
    context = b"\0" + labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    secret = labeled_extract(shared, b"secret", b"")
    key = labeled_expand(secret, b"key", context, 32)
    return AESGCM(key).decrypt(labeled_expand(secret, b"base_nonce", context, 12), sealed[1120:], b"")


def xwing_decapsulate(encapsulation: bytes, seed: bytes) -> bytes:
    """draft-connolly-cfrg-xwing-kem, section 5.5."""
    expanded = hashlib.shake_256(seed).digest(96)
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    theirs = encapsulation[1088:]
    mlkem_secret = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]).decapsulate(encapsulation[:1088])
    x25519_secret = x25519.exchange(X25519PublicKey.from_public_bytes(theirs))
    ours = x25519.public_key().public_bytes_raw()
    return hashlib.sha3_256(mlkem_secret + x25519_secret + theirs + ours + XWING_LABEL).digest()


def labeled_extract(salt: bytes, label: bytes, keying: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + HPKE_SUITE + label + keying, "sha256")


def labeled_expand(secret: bytes, label: bytes, info: bytes, octets: int) -> bytes:
    """RFC 5869, for up to 32 octets: a single block."""
    labeled = octets.to_bytes(2) + b"HPKE-v1" + HPKE_SUITE + label + info
    return hmac.digest(secret, labeled + b"\1", "sha256")[:octets]
