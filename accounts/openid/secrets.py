"""Client secrets of identity providers, encrypted for the database."""

from cryptography.fernet import InvalidToken

from accounts.encryption import cipher

# With the identity provider's id behind it. A change makes every stored secret unreadable.
KEY_LABEL = "gatehouse client secret of an identity provider, version 1: "


class Unreadable(Exception):
    """It was encrypted under a SECRET_KEY that is not among the fallbacks, or for another identity provider."""


def encrypt(secret: str, *, provider_id: str) -> str:
    """Readable again only for the same identity provider."""
    return cipher(KEY_LABEL + provider_id).encrypt(secret.encode()).decode()


def decrypt(encrypted: str, *, provider_id: str) -> str:
    """Raises Unreadable."""
    try:
        return cipher(KEY_LABEL + provider_id).decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise Unreadable from None
