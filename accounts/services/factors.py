"""What a second factor changes beyond itself. The ceremonies that add and remove one are allauth's."""

from allauth.mfa.models import Authenticator
from django.db import connection

from accounts.actors import Actor, require_self
from accounts.models import User
from accounts.second_factor import FACTORS
from accounts.services.sessions import end_other_sessions


def rely_on_factor(user: User, factor: Authenticator, *, by: Actor, keep: str | None) -> None:
    """Signing in takes this factor, which was just added, from now on. Whoever signed in before the first one has shown
    a password only: with it all sessions end but the one with the key `keep`. Raises SomebodyElses.

    `accounts.adapters.signals` calls it in the transaction of whatever adds one. The gate that requires factors rests on
    it: it asks who has one for nothing more. A sign-in that has begun without the factor holds the person, too, at its
    end (`accounts.adapters.account`): so it is over before this looks for sessions, or sees the factor.
    """
    require_self(by, user)
    hold_person(user)
    # Of two that are added at once, each of which may see the other, one is the earlier one.
    earlier = Authenticator.objects.filter(user=user, type__in=FACTORS, pk__lt=factor.pk)
    if factor.type in FACTORS and not earlier.exists():
        end_other_sessions(user, by=by, keep=keep)


def hold_person(user: User) -> None:
    """Until the end of the transaction sign-ins and new factors of this person wait for each other. Without a
    transaction nothing is held, and what was added before is there for everybody.
    """
    if connection.in_atomic_block:
        User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()


def use_up_code(user: User, code: str, *, by: Actor) -> None:
    """A code of the person's authenticator app counts once, and this one has counted. Raises SomebodyElses."""
    require_self(by, user)
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if app is not None:
        app.wrap().validate_code(code)
