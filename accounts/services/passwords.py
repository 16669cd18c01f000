"""A person's own password: made by us or chosen, valid from the moment that it is confirmed.

With another password all sessions end but the one that is named to be kept (`keep`, its key), and the person is told by
mail, from where and with what it was done. The three are one transaction. The session that is kept knows the old
password still: whoever has it at hand renews it.
"""

from dataclasses import dataclass, field
from typing import Any

from allauth.account.forms import default_token_generator
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.actors import SYSTEM, Actor, require_self
from accounts.errors import (
    PasswordAlreadySaved,
    PasswordOfferAltered,
    PasswordOfferExpired,
    PasswordOfferOutdated,
    ResetLinkUsed,
    SamePassword,
    WeakPassword,
    refusing,
)
from accounts.mails import notices
from accounts.models import User
from accounts.services.people import new_password
from accounts.services.sessions import end_other_sessions

OFFER_SECONDS = 3600  # time to write it down, short enough that nobody comes back the next day
SALT = "accounts.own-password"


@dataclass(frozen=True)
class PasswordOffer:
    """A password that is shown this once, and the token that makes it valid."""

    password: str = field(repr=False)
    token: str


def offer_password(user: User, *, by: Actor) -> PasswordOffer:
    """A new strong random password. Nothing has changed yet, and nothing is stored: the token, which the form brings
    back, holds the new password's hash alone. Raises SomebodyElses.
    """
    require_self(by, user)
    password = new_password()
    offered = {"by": user.pk, "instead_of": mark_of(user), "hash": make_password(password)}
    return PasswordOffer(password, signing.dumps(offered, salt=SALT))


def accept_password(user: User, token: str, *, by: Actor, keep: str | None, ip: str, user_agent: str) -> None:
    """The offered password is the person's from now on.

    Raises SomebodyElses, PasswordOfferExpired, PasswordOfferAltered (also for somebody else's), PasswordAlreadySaved
    for the second of two presses, PasswordOfferOutdated when the password has changed since: so a token works once.
    """
    require_self(by, user)
    try:
        offered: dict[str, Any] = signing.loads(token, salt=SALT, max_age=OFFER_SECONDS)
    except signing.SignatureExpired:
        raise PasswordOfferExpired from None
    except signing.BadSignature:
        raise PasswordOfferAltered from None
    if offered["by"] != user.pk:
        raise PasswordOfferAltered
    if constant_time_compare(offered["hash"], user.password):
        raise PasswordAlreadySaved
    if not constant_time_compare(offered["instead_of"], mark_of(user)):
        raise PasswordOfferOutdated
    if not _change(user, offered["hash"], by=by, keep=keep, ip=ip, user_agent=user_agent):
        raise PasswordAlreadySaved if user.password == offered["hash"] else PasswordOfferOutdated


def choose_password(
    user: User, new_password: str, *, by: Actor, keep: str | None, ip: str, user_agent: str
) -> None:
    """The chosen password is the person's from now on.

    Raises SomebodyElses, WeakPassword, SamePassword, PasswordAlreadySaved for the second of two presses,
    PasswordOfferOutdated.
    """
    require_self(by, user)
    with refusing(WeakPassword, field="new_password"):
        validate_password(new_password, user)
    if check_password(new_password, user.password):
        raise SamePassword
    hashed = make_password(new_password)
    if not _change(user, hashed, by=by, keep=keep, ip=ip, user_agent=user_agent):
        raise PasswordAlreadySaved if check_password(new_password, user.password) else PasswordOfferOutdated


def reset_forgotten_password(
    user: User, password: str, *, key: str, keep: str | None, ip: str, user_agent: str
) -> None:
    """The password chosen by a link is the person's from now on: whoever is signed in may be the reason for it.

    Nobody has signed in, so there is no actor to ask: who may is who has the link's key, and from then on it is the
    system's act. Raises ResetLinkUsed for a key that is not this person's, or void: it is once the password is another
    one, the address is, or somebody made it so. That is asked of the person as they are then, and held: the hash takes
    its time, and so may whoever makes links void.
    """
    hashed = make_password(password)
    with transaction.atomic(durable=True):
        held = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not (held.can_sign_in() and default_token_generator.check_token(held, key)):
            raise ResetLinkUsed
        _put(held, hashed, notices.PASSWORD_RESET, by=SYSTEM, keep=keep, ip=ip, user_agent=user_agent)
    user.password = held.password


def mark_of(user: User) -> str:
    """Tells one password from the next without saying anything about either."""
    return salted_hmac(SALT, user.password, algorithm="sha256").hexdigest()


@transaction.atomic(durable=True)
def _change(user: User, hashed: str, *, by: Actor, keep: str | None, ip: str, user_agent: str) -> bool:
    """Whether it was this change, of two at once."""
    return _put(user, hashed, notices.PASSWORD_CHANGED, by=by, keep=keep, ip=ip, user_agent=user_agent)


def _put(
    user: User, hashed: str, notice: str, *, by: Actor, keep: str | None, ip: str, user_agent: str
) -> bool:
    if not _replace(user, hashed):
        return False
    end_other_sessions(user, by=by, keep=keep)
    notices.announce(notice, user, ip=ip, user_agent=user_agent)
    return True


def _replace(user: User, hashed: str) -> bool:
    """Whether it was this change, of two at once. Else `user` has the password of the other one."""
    won = User.objects.filter(pk=user.pk, password=user.password).update(password=hashed)
    user.password = hashed if won else User.objects.values_list("password", flat=True).get(pk=user.pk)
    return bool(won)
