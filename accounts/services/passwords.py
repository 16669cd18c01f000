"""A person's own password: made by us or chosen, valid from the moment that it is confirmed."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.errors import PasswordOfferAltered, PasswordOfferExpired, PasswordOfferOutdated, SamePassword
from accounts.models import User
from accounts.services.people import new_password

OFFER_SECONDS = 3600  # time to write it down, short enough that nobody comes back the next day
SALT = "accounts.own-password"


@dataclass(frozen=True)
class PasswordOffer:
    """A password that is shown this once, and the token that makes it valid."""

    password: str = field(repr=False)
    token: str


def offer_password(user: User) -> PasswordOffer:
    """A new strong random password. Nothing has changed yet, and nothing is stored: the token, which the form brings
    back, holds the new password's hash alone.
    """
    password = new_password()
    offered = {"by": user.pk, "instead_of": mark_of(user), "hash": make_password(password)}
    return PasswordOffer(password, signing.dumps(offered, salt=SALT))


def accept_password(user: User, token: str) -> None:
    """The offered password is the person's from now on.

    Raises PasswordOfferExpired, PasswordOfferAltered (also for somebody else's), PasswordOfferOutdated when the
    password has changed since: so a token works once.
    """
    try:
        offered: dict[str, Any] = signing.loads(token, salt=SALT, max_age=OFFER_SECONDS)
    except signing.SignatureExpired:
        raise PasswordOfferExpired from None
    except signing.BadSignature:
        raise PasswordOfferAltered from None
    if offered["by"] != user.pk:
        raise PasswordOfferAltered
    if not constant_time_compare(offered["instead_of"], mark_of(user)):
        raise PasswordOfferOutdated
    _replace(user, offered["hash"])


def choose_password(user: User, password: str) -> None:
    """The chosen password is the person's from now on.

    Raises django.core.exceptions.ValidationError with what is weak about it, SamePassword, PasswordOfferOutdated.
    """
    validate_password(password, user)
    if check_password(password, user.password):
        raise SamePassword
    _replace(user, make_password(password))


def mark_of(user: User) -> str:
    """Tells one password from the next without saying anything about either."""
    return salted_hmac(SALT, user.password, algorithm="sha256").hexdigest()


def _replace(user: User, hashed: str) -> None:
    """Of two changes at once one wins; the other's person saw a password that is not valid, and is told so."""
    if not User.objects.filter(pk=user.pk, password=user.password).update(password=hashed):
        raise PasswordOfferOutdated
    user.password = hashed
