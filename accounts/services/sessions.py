"""Where a person is signed in, and ending that."""

from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession

from accounts.errors import NoSuchSession
from accounts.models import User


def sessions_of(user: User) -> list[UserSession]:
    """The living sessions, the last used first; what has ended is forgotten on the way."""
    living: list[UserSession] = UserSession.objects.purge_and_list(user)
    return sorted(living, key=lambda session: session.last_seen_at, reverse=True)


def session_of(user: User, pk: int) -> UserSession:
    """The one door to a session. Raises NoSuchSession, also for somebody else's."""
    session = UserSession.objects.filter(user=user, pk=pk).first()
    if session is None:
        raise NoSuchSession
    return session


def end_other_sessions(user: User, *, keep: str | None) -> None:
    """Sign out everywhere but in the session with this key, on all hosts at once."""
    get_adapter().end_sessions(UserSession.objects.filter(user=user).exclude(session_key=keep or ""))


def end_all_sessions(user: User) -> None:
    """Sign out everywhere, on all hosts at once."""
    end_other_sessions(user, keep=None)
