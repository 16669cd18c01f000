"""What a second factor changes beyond itself. The ceremonies that add and remove one are allauth's."""

from collections.abc import Iterator
from contextlib import contextmanager

from allauth.mfa.models import Authenticator
from django.db import connection, transaction

from accounts.actors import Actor, require_self, require_system
from accounts.mails import notices
from accounts.models import User, factor_changed
from accounts.second_factor import ADDED, FACTORS, MADE, REMOVED
from accounts.services.sessions import end_other_sessions

APP, PASSKEY, CODES = Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN, Authenticator.Type.RECOVERY_CODES
TOLD_BY_MAIL = {
    (ADDED, APP): "mfa/email/totp_activated",
    (REMOVED, APP): "mfa/email/totp_deactivated",
    (ADDED, PASSKEY): "mfa/email/webauthn_added",
    (REMOVED, PASSKEY): "mfa/email/webauthn_removed",
    (MADE, CODES): "mfa/email/recovery_codes_generated",
}


@contextmanager
def changing_factors(user: User, *, by: Actor, ip: str, user_agent: str) -> Iterator[None]:
    """Around a ceremony that adds or removes a factor or makes codes anew: all of it, with its lines in the trail and its
    mails, is one transaction. Of one person they come one after the other, so whoever takes the last factor away sees
    that it is the last. Where no factor is left, no codes are. Raises SomebodyElses.
    """
    require_self(by, user)
    with transaction.atomic(durable=True):
        hold_person(user)
        before = _kinds_of(user)
        yield
        # A ceremony may have asked before it was its turn whether there is a factor to make codes for.
        if not set(FACTORS) & set(_kinds_of(user).values()):
            Authenticator.objects.filter(user=user).delete()
        after = _kinds_of(user)
        added = [(ADDED, kind) for pk, kind in after.items() if pk not in before and kind in FACTORS]
        removed = [(REMOVED, kind) for pk, kind in before.items() if pk not in after and kind in FACTORS]
        # Codes come with the first factor and go with the last: these say it.
        anew = any(pk not in before and kind == CODES for pk, kind in after.items()) and not added
        for act, kind in (*added, *removed, *([(MADE, CODES)] if anew else [])):
            factor_changed.send(User, person=user, act=act, factor=kind, by=by)
            notices.announce(TOLD_BY_MAIL[act, kind], user, ip=ip, user_agent=user_agent)


@contextmanager
def reading_codes(user: User, *, by: Actor) -> Iterator[None]:
    """Around a look at the recovery codes: the first one is written down with the codes as they were read, and would give
    back one that is used meanwhile, or fail on codes that are removed. Raises SomebodyElses.
    """
    require_self(by, user)
    with transaction.atomic():
        hold_person(user)
        yield


def remove_factors(user: User, *, by: Actor) -> int:
    """All of them, and their codes, for who is locked out; how many that were. The rooms above write it down. To be called
    in a transaction. Raises SomebodyElses for anybody but the system.
    """
    require_system(by)
    hold_person(user)
    removed, _by_model = Authenticator.objects.filter(user=user).delete()
    return removed


def _kinds_of(user: User) -> dict[int, Authenticator.Type]:
    return {
        pk: Authenticator.Type(kind)
        for pk, kind in Authenticator.objects.filter(user=user).values_list("pk", "type")
    }


def rely_on_factor(user: User, factor: Authenticator, *, by: Actor, keep: str | None) -> None:
    """Signing in takes this factor, which was just added, from now on. Whoever signed in before the first one has shown
    a password only: with it all sessions end but the one with the key `keep`. Raises SomebodyElses.

    `accounts.adapters.signals` calls it in the transaction of whatever adds one. The gate that requires factors rests on
    it: it asks who has one for nothing more. A sign-in that has begun without the factor holds the person, too, at its
    end (`accounts.adapters.account`): so it is over before this looks for sessions, or sees the factor.
    """
    require_self(by, user)
    if connection.in_atomic_block:  # without a transaction what was added before is there for everybody
        hold_person(user)
    # Of two that are added at once, each of which may see the other, one is the earlier one.
    earlier = Authenticator.objects.filter(user=user, type__in=FACTORS, pk__lt=factor.pk)
    if factor.type in FACTORS and not earlier.exists():
        end_other_sessions(user, by=by, keep=keep)


def hold_person(user: User) -> User | None:
    """Until the end of the transaction all that becomes of this person's factors waits for each other: whoever uses one
    (`accounts.adapters.forms`), looks at codes, adds or removes, and the end of each sign-in. So a factor that counts
    when it is judged is there until its use is written down. Without a transaction Django raises an error.

    The person as they are now, or None once they are gone: what `user` says may have been read long ago.
    """
    return User.objects.select_for_update(no_key=True).filter(pk=user.pk).first()


def use_up_code(user: User, code: str, *, by: Actor) -> None:
    """A code of the person's authenticator app counts once, and this one has counted. Raises SomebodyElses."""
    require_self(by, user)
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if app is not None:
        app.wrap().validate_code(code)
