"""Where sign-in must know that all hosts are one portal."""

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.stagekit import clear_login
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy

from accounts.adapters import confirming, guesses, renewing, visitors
from accounts.mails import notices
from accounts.models import User
from accounts.openid.sign_in import brought_second_factor
from accounts.second_factor import has_second_factor
from accounts.services.factors import TOLD_BY_MAIL, hold_person
from accounts.services.sessions import ground_of, still_stands

PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
TOO_MANY_WRONG = gettext_lazy("There were too many wrong tries. Wait a few minutes, then try again.")


class AccountAdapter(DefaultAccountAdapter):
    """allauth, told that nobody signs up by themselves and that limits and redirects span our hosts."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": gettext_lazy("The email address or the password is wrong."),
        "incorrect_password": gettext_lazy("This is not your current password."),
        "rate_limited": TOO_MANY_WRONG,
        "too_many_login_attempts": TOO_MANY_WRONG,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_ajax(self, request: HttpRequest) -> bool:
        # To scripts allauth answers with each field of the form and its value, passwords too.
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Every question for a password comes here. Raises ValidationError after too many wrong ones."""
        guess = guesses.count(request, _login_in(credentials))
        known: User | None = super().authenticate(request, **credentials)
        if known is not None:
            guesses.take_back(guess)
            guesses.remember(request, known)
            _keep_signed_in(request, known)
        return known

    def get_login_stages(self) -> list[str]:
        """Of allauth's the one that is in use here."""
        return ["accounts.adapters.stages.SecondFactorStage"]

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """The first is where people are led who have to confirm that it is them."""
        if confirming.is_the_organizations(user):
            return [{"id": "organization", "url": reverse("organization_sign_in")}]
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return methods

    def pre_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse | None:
        """The way of every sign-in."""
        if not user.can_sign_in():
            clear_login(request)
            return self.respond_user_inactive(request, user)
        return super().pre_login(request, user, **options)

    def login(self, request: HttpRequest, user: User) -> None:
        """The end of every way of signing in. `user` is the person as the sign-in began with them; what they have become
        since is asked here, and whoever changes it next finds the session and ends it. Of a device that was never seen with
        them the person is told. Raises ImmediateHttpResponse, which leads to begin anew.
        """
        with transaction.atomic():
            held = hold_person(user)
            lacks_factor = has_second_factor(user) and not _showed_factor(request, user)
            goes_on = still_stands(ground_of(user), held) and not lacks_factor
            if goes_on:
                # Before there is a line of this session: of two sign-ins at once each would know the device by the other.
                if not visitors.is_known(request, user):
                    notices.announce(notices.NEW_DEVICE, user, **visitors.seen(request))
                super().login(request, user)
                request.session.save()
                UserSession.objects.create_from_request(request)  # by these lines they are found
        if not goes_on:
            self.logout(request)
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login")))

    def post_login(self, request: HttpRequest, user: User, **options: Any) -> HttpResponse:
        """Makes the device a known one."""
        # The page that comes next, and shows what is said here, is the first that is in the person's own language.
        with translation.override(user.language or translation.get_language()):
            response = super().post_login(request, user, **options)
        visitors.remember(request, response, user)
        return response

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Of a change to the account, always to the address that we know: by a worker, in the person's language. What
        became of second factors has been told with it (accounts.services.factors).
        """
        if template_prefix in TOLD_BY_MAIL.values():
            return
        notices.announce(template_prefix, user, **visitors.seen(self.request))

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
        return guesses.place_of(request, _login_in(credentials))


def _login_in(credentials: dict[str, Any]) -> str:
    return str(credentials.get("email", credentials.get("username", "")))


def _showed_factor(request: HttpRequest, user: User) -> bool:
    """Here, or to the identity provider that sends the person."""
    records = get_authentication_records(request, user)
    return any(record["method"] == "mfa" for record in records) or brought_second_factor(request, user)


def _keep_signed_in(request: HttpRequest, known: User) -> None:
    """A right password is hashed anew where the hasher has become stronger, and sessions hold to the hash."""
    here = request.user
    if isinstance(here, User) and here.pk == known.pk and here.password != known.password:
        here.password = known.password
        renewing.renew_session(request, here)
