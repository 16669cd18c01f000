"""Small secrets, encrypted for the database: neither a copy of it nor its backups yield one without SECRET_KEY."""

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def cipher(label: str) -> MultiFernet:
    """Encrypts under SECRET_KEY, decrypts under its fallbacks too. Decrypting raises cryptography's InvalidToken.

    The label says what for, and gives a key of its own: what was encrypted under another one can't be read.
    """
    return MultiFernet([_under(key, label) for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]])


def _under(secret_key: str, label: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=label.encode()).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
