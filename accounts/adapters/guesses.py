"""Guesses at passwords and codes, counted so that they hurt who guesses.

Wrong passwords for one address count by the *place* that they come from. A browser that the person has signed in with
before has a place of its own, and so has an IP address at which they lately did; everybody else shares that of their
network. So strangers use up their own tries only. Over all places together there is a high ceiling, and each network
has a limit over all addresses; those who have a place of their own fall under neither.
"""

import hashlib

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.http import HttpRequest

from accounts.adapters import visitors
from accounts.addresses import canonical
from accounts.models import User
from accounts.peers import network_of

LIMITS_OF = "allauth.account"
LATELY_SECONDS = 30 * 24 * 3600  # a holiday, and then the same desk


def count(request: HttpRequest, login: str | None = None) -> list[ratelimit.RateLimitUsage]:
    """Count one guess from this network, and at this address if it is a password. Whoever turns out to be right takes
    that one back, by `take_back()`.

    That one alone: else anybody with an account could have their own right answer wipe out what the network has
    guessed at others. Raises ValidationError when there were too many.
    """
    if login is not None and own_place(request, login):
        return []
    guesses = [ratelimit.consume(request, app=LIMITS_OF, action="login_failed_ip")]
    if login is not None and guesses[0]:
        guesses.append(
            ratelimit.consume(request, app=LIMITS_OF, action="login_failed_anywhere", key=_everywhere(login))
        )
    counted = [guess for guess in guesses if guess is not None]
    if len(counted) < len(guesses):
        take_back(counted)
        raise get_adapter().validation_error("too_many_login_attempts")
    return counted


def take_back(guesses: list[ratelimit.RateLimitUsage]) -> None:
    for guess in guesses:
        guess.rollback()


def place_of(request: HttpRequest, login: str) -> str:
    """What guesses at one person's password are counted by, alike for people who exist and people who do not.

    By default the host is part of it: five guesses on each of 300 customers' hosts.
    """
    place = own_place(request, login) or f"network:{network_of(visitors.address_of(request))}"
    return f"{_everywhere(login)}:{place}"


def own_place(request: HttpRequest, login: str) -> str:
    """Empty for who has none."""
    if device := visitors.brought_by(request, login):
        return f"device:{device}"
    return "address" + _came_from(request, login) if cache.get(_came_from(request, login)) else ""


def remember(request: HttpRequest, user: User) -> None:
    """This person has given the right password here."""
    cache.set(_came_from(request, user.email), True, LATELY_SECONDS)


def forget(request: HttpRequest, user: User) -> None:
    """Whoever has got a new password may sign in with it at once, however many guesses were made at the old one."""
    ratelimit.clear(request, app=LIMITS_OF, action="login_failed", key=place_of(request, user.email))
    ratelimit.clear(request, app=LIMITS_OF, action="login_failed_anywhere", key=_everywhere(user.email))


def _everywhere(login: str) -> str:
    return f"portal:{canonical(login)}"


def _came_from(request: HttpRequest, login: str) -> str:
    pair = f"{canonical(login)} {visitors.address_of(request)}"
    return f"signed-in-from:{hashlib.sha256(pair.encode()).hexdigest()}"
