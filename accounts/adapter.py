"""Where sign-in must know that all hosts are one portal."""

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """allauth, told that nobody signs up by themselves and that limits and redirects span our hosts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Also a customer's host with a port, which ALLOWED_HOSTS never matches."""
        if super().is_safe_url(url):
            return True
        try:
            parts = urlsplit(url or "")
            host = parts.hostname or ""
        except ValueError:
            return False
        return (
            parts.scheme in ("http", "https")
            and not parts.username
            and "\\" not in url
            and f".{host}".endswith("." + settings.BASE_DOMAIN)
        )

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # By default the host is part of it: five guesses on each of 300 customers' hosts.
        login = credentials.get("email", credentials.get("username", "")).lower()
        return f"portal:{login}"
