"""Sealing and opening against AES-256-GCM alone, on the same octets in pieces of the same size."""

import os
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measure import Result, compare
from benchmarks.messages import OCTETS
from mailboxes.vault import MessageContext, generate_key_pair, open_sealed, seal

MIB = 1024 * 1024
PIECE = 64 * 1024
LARGE = 64 * MIB
SMALL_COUNT = 400


def measure() -> list[Result]:
    """One large message, where the pieces count, and many of 75 KiB, where the header's key exchange does."""
    return [
        *_pair("one of 64 MiB", os.urandom(LARGE), 1),
        *_pair("75 KiB each", os.urandom(OCTETS), SMALL_COUNT),
    ]


def _pair(what: str, plain: bytes, count: int) -> list[Result]:
    keys = generate_key_pair()
    context = MessageContext(uuid4(), uuid4(), uuid4())
    pieces = [plain[at : at + PIECE] for at in range(0, len(plain), PIECE)]
    sealed = list(seal(pieces, keys.public, context=context))
    assert b"".join(open_sealed(sealed, keys.private, context=context)) == plain
    cipher = AESGCM(AESGCM.generate_key(256))
    raw = [(nonce, cipher.encrypt(nonce, piece, None)) for piece in pieces for nonce in [os.urandom(12)]]

    def seal_all() -> None:
        for _ in range(count):
            for _piece in seal(pieces, keys.public, context=context):
                pass

    def encrypt_all() -> None:
        for _ in range(count):
            for (nonce, _), piece in zip(raw, pieces, strict=True):
                cipher.encrypt(nonce, piece, None)

    def open_all() -> None:
        for _ in range(count):
            for _piece in open_sealed(sealed, keys.private, context=context):
                pass

    def decrypt_all() -> None:
        for _ in range(count):
            for nonce, piece in raw:
                cipher.decrypt(nonce, piece, None)

    size = {"amount": len(plain) * count / MIB, "unit": "MiB/s", "baseline_name": "AES-256-GCM alone"}
    return [
        compare(f"sealing, {what}", ours=seal_all, baseline=encrypt_all, **size),
        compare(f"opening, {what}", ours=open_all, baseline=decrypt_all, **size),
    ]
