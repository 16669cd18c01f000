"""Where a person is signed in, what a sign-in stands on until it is complete, and ending both."""

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare, salted_hmac
from django_tenants.utils import schema_context

from accounts.actors import Actor, require_self
from accounts.errors import NoSuchSession
from accounts.models import User

SALT = "accounts.sign-in"


def ground_of(user: User) -> str:
    """What a sign-in that begins now stands on, without saying anything about it: with another password or address, or
    once all (other) sessions of the person were ended, it is another. `user` is to be as read before anything that the
    sign-in shows was judged.
    """
    return salted_hmac(
        SALT, f"{user.link_series}:{user.email}:{user.password}", algorithm="sha256"
    ).hexdigest()


def still_stands(ground: str, user: User | None) -> bool:
    """Whether a sign-in that began on that ground may be completed by the person as they are now. What ends all sessions
    ends it too, and finds no session of it yet.
    """
    return user is not None and user.can_sign_in() and constant_time_compare(ground, ground_of(user))


def sessions_of(user: User, *, by: Actor) -> list[UserSession]:
    """The living sessions, the last used first; what has ended is forgotten on the way. Raises SomebodyElses."""
    require_self(by, user)
    living: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(living, key=lambda session: session.last_seen_at, reverse=True)


def end_session(user: User, pk: int, *, by: Actor) -> UserSession:
    """Sign out of that one, on all hosts at once. Raises SomebodyElses; NoSuchSession, also for somebody else's."""
    require_self(by, user)
    session: UserSession | None = UserSession.objects.filter(user=user, pk=pk).first()
    if session is None:
        raise NoSuchSession
    get_adapter().end_sessions([session])
    return session


@transaction.atomic
def end_other_sessions(user: User, *, by: Actor, keep: str | None) -> None:
    """Sign out everywhere but in the session with this key, on all hosts at once. Every sign-in that is not complete yet
    is over, too, and every link for a forgotten password dead, wherever it is under way: whoever has begun one may be
    whom the person shuts out. Raises SomebodyElses.
    """
    require_self(by, user)
    # First: a sign-in at its end holds this row (`accounts.adapters.account`). It is over before, and its session found,
    # or it waits, and finds that it stands no more.
    User.objects.filter(pk=user.pk).update(link_series=F("link_series") + 1)
    get_adapter().end_sessions(UserSession.objects.filter(user=user).exclude(session_key=keep or ""))


def end_all_sessions(user: User, *, by: Actor) -> None:
    """Sign out everywhere, on all hosts at once, as end_other_sessions() does. Raises SomebodyElses."""
    end_other_sessions(user, by=by, keep=None)


def clear_expired_sessions() -> None:
    """Remove the sessions that have ended by themselves. What is known of their devices stays."""
    with schema_context("public"):
        SessionStore.clear_expired()
