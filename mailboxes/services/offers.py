"""Offers: what the first step made and signed travels in the form, and the second step brings it back. Stored nowhere."""

from base64 import b64decode, b64encode
from typing import Any

from django.core import signing

from accounts.actors import Actor
from mailboxes import errors
from tenants.models import Customer

# Time to print the sheet and hand it over, short enough that nobody comes back the next day.
OFFER_SECONDS = 3600


def sign(salt: str, customer: Customer, by: Actor, **offered: Any) -> str:
    """A token that only this person can bring back, at this customer, within OFFER_SECONDS."""
    who = {"customer": str(customer.pk), "by": by.pk}
    return signing.dumps({**offered, **who}, salt=salt)


def read(salt: str, token: str, customer: Customer, by: Actor) -> dict[str, Any]:
    """What was signed. Raises OfferExpired, OfferAltered."""
    try:
        offered: dict[str, Any] = signing.loads(token, salt=salt, max_age=OFFER_SECONDS)
    except signing.SignatureExpired:
        raise errors.OfferExpired from None
    except signing.BadSignature:
        raise errors.OfferAltered from None
    if (offered["customer"], offered["by"]) != (str(customer.pk), by.pk):
        raise errors.OfferAltered
    return offered


def to_text(octets: bytes) -> str:
    """Octets as a token can carry them."""
    return b64encode(octets).decode()


def to_octets(text: str) -> bytes:
    return b64decode(text)
