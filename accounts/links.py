"""Links for mails: to the base host as the settings name it. What a request says about its host counts for nothing."""

from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator


class ResetTokens(PasswordResetTokenGenerator):
    """What makes a link for a forgotten password good: until the password, the address, the last sign-in or the
    person's series of links is another one.
    """

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        return f"{super()._make_hash_value(user, timestamp)}{user.link_series}"


def portal_url(path: str = "/") -> str:
    """An address on the operators' host, where everybody can sign in."""
    if settings.SECURE_COOKIES:  # behind a proxy that speaks TLS at the usual port
        return f"https://{settings.BASE_DOMAIN}{path}"
    port = "" if settings.HTTP_PORT == 80 else f":{settings.HTTP_PORT}"
    return f"http://{settings.BASE_DOMAIN}{port}{path}"
