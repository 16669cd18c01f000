"""Client secrets of identity providers, encrypted for the database: a copy of it yields none without SECRET_KEY."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# What the derived key is for; another label gives another key, so a change makes every stored secret unreadable.
KEY_LABEL = "gatehouse client secret of an identity provider, version 1: "


class Unreadable(Exception):
    """It was encrypted under a SECRET_KEY that is not among the fallbacks, or for another identity provider."""


def seal(secret: str, *, provider_id: str) -> str:
    """Readable again only for the same identity provider."""
    return _vault(provider_id).encrypt(secret.encode()).decode()


def open_sealed(sealed: str, *, provider_id: str) -> str:
    """Raises Unreadable."""
    try:
        return _vault(provider_id).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable from None


def _vault(provider_id: str) -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([_cipher(key, provider_id) for key in keys])


def _cipher(secret_key: str, provider_id: str) -> Fernet:
    info = (KEY_LABEL + provider_id).encode()
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
