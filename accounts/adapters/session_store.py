"""Where sessions are kept: in Django's table, with a say in when one gets another key."""

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's, but a session that somebody is signed in with gets another key by renew() only.

    Django gives it one, as a new row, whenever it finds a session from before SECRET_KEY was replaced: also one that has
    ended meanwhile, which would so come back, and one that is only looked at because its person lists their sessions.
    Under its own key it is found by who ends it, and once it has ended nothing can be written to it.
    """

    def cycle_key(self) -> None:
        if SESSION_KEY not in self:
            super().cycle_key()

    def renew(self) -> None:
        """Under another key from now on. Whoever calls it has made sure that the session has not ended."""
        super().cycle_key()
