"""Signing in by an identity provider: only people whom we know already, and only where `tenants` says so."""

import logging
import secrets
import time
from typing import Any, Protocol

import requests
from allauth.account import app_settings as account_settings
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.internal.flows import login as flow
from allauth.account.models import Login
from allauth.account.signals import user_logged_in
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.stages import AuthenticateStage
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError
from django.conf import settings
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse  # noqa: TID251 - allauth hands them over
from django.utils.module_loading import import_string

from accounts.models import User
from accounts.openid.errors import (
    BadToken,
    Cancelled,
    NotAskedAnew,
    NotOurs,
    OpenIDRefusal,
    OtherAccount,
    ProviderFault,
    Unavailable,
    Unconfirmed,
    Unknown,
    reason_of,
)
from accounts.openid.outbound import OutboundSession
from accounts.openid.protocol import CLOCK_SECONDS, OrganizationProvider, Statement
from accounts.openid.secrets import Unreadable, decrypt

log = logging.getLogger(__name__)

# A place in SocialApp.settings. What is stored there already bears this name.
ENCRYPTED_SECRET = "sealed_secret"  # noqa: S105 - its name among the settings, as rows have it


class Gate(Protocol):
    """Whose addresses an identity provider speaks for. This room can't know; settings.SOCIAL_GATE names who does."""

    def provider_for(self, email: str) -> str | None:
        """The provider_id of the identity provider that speaks for the address, whether or not anybody has it."""

    def admission(self, user: User, provider_id: str) -> frozenset[str]:
        """What it stands on that this identity provider may sign in this person, each by a name that never comes again once
        it was taken back. Nothing if it may not.
        """

    def replaces_factor(self, user: User, provider_id: str) -> bool:
        """Whether a second factor that was shown there will do in the place of the person's own."""

    def signed_in(self, user: User, provider_id: str) -> None:
        """It has: the sign-in is complete."""


class ShutGate:
    """Without a setting nobody speaks for anybody."""

    def provider_for(self, email: str) -> str | None:
        return None

    def admission(self, user: User, provider_id: str) -> frozenset[str]:
        return frozenset()

    def replaces_factor(self, user: User, provider_id: str) -> bool:
        return False

    def signed_in(self, user: User, provider_id: str) -> None:
        """Nobody was let in, so there is nothing to note."""


def gate() -> Gate:
    path = getattr(settings, "SOCIAL_GATE", None)
    made: Gate = import_string(path)() if path else ShutGate()
    return made


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """allauth, told that nobody signs up, whom an identity provider may sign in, and how to keep client secrets."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def get_requests_session(self) -> requests.Session:
        return OutboundSession()

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """With their secrets in clear, so these objects must not be saved."""
        found: list[SocialApp] = super().list_apps(request, provider, client_id)
        # allauth takes the name of the protocol for one of a provider, and so finds everybody's.
        apps = [app for app in found if provider in (None, app.provider_id)]
        for app in apps:
            try:
                app.secret = decrypt(app.settings.get(ENCRYPTED_SECRET, ""), provider_id=app.provider_id)
            except Unreadable:
                # The identity provider will refuse us, and whoever signs in gets the page for that.
                log.error("the client secret for %s is unreadable: type it anew", app.provider_id)
        return apps

    def get_provider(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> OrganizationProvider:
        """Raises SocialApp.DoesNotExist."""
        return OrganizationProvider(request, app=self.get_app(request, provider, client_id))

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Everything of ours happens here; what allauth would do with strangers is never reached. Raises OpenIDRefusal."""
        try:
            answer = sign_in(request, sociallogin)
        except OpenIDRefusal as refusal:
            log.warning("sign-in by %s refused: %s", sociallogin.account.provider, reason_of(refusal))
            raise _as_told_to_people(refusal) from refusal
        raise ImmediateHttpResponse(answer)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """A refusal of ours for everything that allauth gives up at. Raises OpenIDRefusal."""
        refusal: OpenIDRefusal = NotOurs()
        if error == AuthError.CANCELLED:
            refusal = Cancelled()
        elif (extra_context or {}).get("state"):
            refusal = exception if isinstance(exception, OpenIDRefusal) else ProviderFault()
            log.warning("sign-in by %s failed: %s", provider.sub_id, reason_of(exception))
        raise _as_told_to_people(refusal) from exception


def _as_told_to_people(refusal: OpenIDRefusal) -> OpenIDRefusal:
    """What is wrong with the identity provider is its owner's to know."""
    return Unavailable() if isinstance(refusal, ProviderFault) else refusal


def sign_in(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """Let in whom the gate admits, through our second factor unless theirs was shown. Raises OpenIDRefusal's kinds."""
    statement: Statement = sociallogin.statement
    provider_id: str = sociallogin.account.provider
    if not secrets.compare_digest(statement.nonce.encode(), str(sociallogin.state.get("nonce", "")).encode()):
        raise BadToken(why="it answers another sign-in")
    if not statement.email_is_confirmed:
        raise Unconfirmed
    since = sociallogin.state.get("once_more_since")
    if since is not None and (statement.asked_at is None or statement.asked_at < since - CLOCK_SECONDS):
        raise NotAskedAnew
    user = User.objects.who_can_sign_in().filter(email=statement.email).first()
    admission = gate().admission(user, provider_id) if user else frozenset()
    if user is None or not admission:
        raise Unknown
    account = connect(user, sociallogin.token.app, statement.subject)
    opened = {"provider": provider_id, "account": account.pk, "admission": sorted(admission)}
    return _complete(request, user, opened, statement, sociallogin.state.get("next"))


@transaction.atomic
def connect(user: User, service: SocialApp, subject: str) -> SocialAccount:
    """The first time remembers the subject; from then on only that one. `service` is the one that has named it.

    Raises OtherAccount, and NotOurs if the service is another one by now.
    """
    User.objects.select_for_update().get(pk=user.pk)  # two first times at once are one
    # Held, so that who names another service, and forgets all accounts, does so before this or finds it.
    services = SocialApp.objects.select_for_update(no_key=True).filter(pk=service.pk)
    if not services.filter(
        client_id=service.client_id, settings__server_url=service.settings["server_url"]
    ).first():
        raise NotOurs
    theirs = SocialAccount.objects.filter(provider=service.provider_id)
    known: SocialAccount | None = theirs.filter(user=user).first()
    if known is None and not theirs.filter(uid=subject).exists():
        known = SocialAccount.objects.create(user=user, provider=service.provider_id, uid=subject)
    if known is None or known.uid != subject:
        raise OtherAccount
    return known


def _complete(
    request: HttpRequest, user: User, opened: dict[str, Any], statement: Statement, next_url: str | None
) -> HttpResponse:
    """`opened` is kept with the session: who opened it, and what that stood on."""
    if request.user.is_authenticated:
        get_account_adapter(request).logout(request)
    flow.clear_authentication_records(request)  # of a sign-in that was begun here before, and left
    second_factor = statement.second_factor and gate().replaces_factor(user, opened["provider"])
    flow.record_authentication(
        request,
        user,
        "socialaccount",
        **opened,
        second_factor=second_factor,
        # Whoever has a session there comes back without having been asked: that confirms nothing.
        at=min(statement.asked_at or 0, time.time()),
    )
    # While our second factor is asked for, this waits in the session: no token, no claim, only names.
    login = Login(
        user=user,
        email_verification=account_settings.EmailVerificationMethod.NONE,
        redirect_url=next_url,
        signal_kwargs={"identity_provider": opened["provider"]},
        state={"stages": {AuthenticateStage.key: {"handled": second_factor}}},
    )
    answer: HttpResponse = flow.perform_login(request, login)
    return answer


def brought_second_factor(request: HttpRequest, user: User) -> bool:
    """Whether the identity provider that signs this person in says that it asked for a second factor."""
    return any(record.get("second_factor") for record in _records(request, user))


def opened_by(request: HttpRequest, user: User) -> list[str]:
    """The providers whose identity provider has opened the person's session, or begun to; none for another way in."""
    return sorted({record["provider"] for record in _records(request, user)})


def is_still_admitted(request: HttpRequest, user: User) -> bool:
    """Whether all that lets the identity provider sign in this person now did so when it opened the session, or began to,
    and the account there is still theirs. It is not enough that it may again: what was taken back ended the session, whether
    or not it was given anew before anybody asked. What an earlier release has opened does not say, and ends.
    """
    return all(
        (now := gate().admission(user, record["provider"]))
        and now.issubset(record.get("admission", []))
        and SocialAccount.objects.filter(pk=record.get("account"), user=user).exists()
        for record in _records(request, user)
    )


def _records(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = flow.get_authentication_records(request, user)
    return [record for record in records if record["method"] == "socialaccount"]


@receiver(user_logged_in, dispatch_uid="accounts.openid.sign_in")
def _note(user: User, identity_provider: str | None = None, **kwargs: Any) -> None:
    if identity_provider:
        gate().signed_in(user, identity_provider)
