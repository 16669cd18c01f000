"""Where sign-in must know that all hosts are one portal."""

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.conf import settings
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


class AccountAdapter(DefaultAccountAdapter):
    """allauth, told that nobody signs up by themselves and that limits and redirects span our hosts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """A path, or the base host, a host below it, or this one, with or without a port. Never raises.

        allauth's own rule doesn't know ports, lets names and ports through that no browser reads alike, leads from
        https to http, and fails on what is no URL at all.
        """
        request = context.request
        try:
            parts = urlsplit(url or "")
            host = parts.hostname or ""
        except ValueError:
            return False
        if not url_has_allowed_host_and_scheme(url, {parts.netloc}, require_https=request.is_secure()):
            return False
        if not parts.netloc:
            return True
        ours = f".{host}".endswith(f".{settings.BASE_DOMAIN}") or parts.netloc == request.get_host()
        return ours and PLAIN_HOST.fullmatch(parts.netloc) is not None

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # By default the host is part of it: five guesses on each of 300 customers' hosts.
        login = credentials.get("email", credentials.get("username", "")).lower()
        return f"portal:{login}"
