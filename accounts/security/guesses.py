"""Guesses at passwords and codes, as far as allauth counts them otherwise than we promise."""

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from django.http import HttpRequest

from accounts.models import User

LIMITS_OF = "allauth.account"


def count(request: HttpRequest) -> ratelimit.RateLimitUsage:
    """Count one guess from this network. Whoever turns out to be right takes that one back, by `rollback()`.

    That one alone: else anybody with an account could have their own right answer wipe out what the network has
    guessed at others. Raises ValidationError when there were too many.
    """
    guess = ratelimit.consume(request, app=LIMITS_OF, action="login_failed_ip")
    if guess is None:
        raise get_adapter().validation_error("too_many_login_attempts")
    return guess


def key_of(login: str) -> str:
    """What guesses at a person's password are counted by, alike for people who exist and people who do not.

    By default the host is part of it: five guesses on each of 300 customers' hosts.
    """
    return f"portal:{login.lower()}"


def forget(request: HttpRequest, user: User) -> None:
    """Whoever has got a new password may sign in with it at once, however many guesses were made at the old one."""
    ratelimit.clear(request, app=LIMITS_OF, action="login_failed", key=key_of(user.email))
