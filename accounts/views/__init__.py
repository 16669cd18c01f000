"""One's own pages, the same on every host: sign-in, settings, password, sessions, and the way back for who forgot."""

from accounts.views.forgotten import forgotten_password, password_by_link
from accounts.views.own_password import choose_own_password, own_password
from accounts.views.own_settings import own_settings
from accounts.views.sessions import sessions
from accounts.views.sign_in import sign_in

__all__ = [
    "choose_own_password",
    "forgotten_password",
    "own_password",
    "own_settings",
    "password_by_link",
    "sessions",
    "sign_in",
]
