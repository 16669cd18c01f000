"""Where sign-in must know that all hosts are one portal."""

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import devices, notices
from accounts.models import User

PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")


class AccountAdapter(DefaultAccountAdapter):
    """allauth, told that nobody signs up by themselves and that limits and redirects span our hosts."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def post_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse:
        """The end of every way of signing in. Tells the person of a device that was never seen with them."""
        known = devices.is_known(request, user)
        response = super().post_login(request, user, **options)
        devices.remember(request, response, user)
        if not known:
            notices.announce(notices.NEW_DEVICE, user, request)
        return response

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Of a change to the account, always to the address that we know: by a worker, in the person's language.

        What the library gives with it has to be plain text; other values become it.
        """
        details = {name: str(value) for name, value in (context or {}).items()}
        notices.announce(template_prefix, user, self.request, **details)

    def format_email_subject(self, subject: str) -> str:
        # By default the host is part of it, which whoever makes the request can name.
        return subject

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
