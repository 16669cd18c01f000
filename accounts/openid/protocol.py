"""An identity provider's word, checked: OpenID Connect Core and Discovery, where allauth leaves it to the provider.

allauth speaks the protocol (state, PKCE, code for token). Added here: the nonce, the issuer that the configuration must
name, signature and age of the ID token, one subject in both statements, and an address that is confirmed.
"""

import hashlib
import logging
import secrets
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import jwt
import requests
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.core.cache import caches
from django.http import HttpRequest  # noqa: TID251 - allauth hands it over

from accounts.addresses import check_known as check_address
from accounts.errors import InvalidAddress
from accounts.openid.errors import (
    BadToken,
    Incomplete,
    NoConfiguration,
    OtherIssuer,
    ProviderFault,
    TooManyAtOnce,
)
from accounts.openid.outbound import OutboundSession, check_scheme, one_of_few

log = logging.getLogger(__name__)

CONFIGURATION = "/.well-known/openid-configuration"
CONFIGURATION_SECONDS = 300  # that it is remembered
LAST_SECONDS = 24 * 3600  # that it will do while too many ask at once: an office signs in at nine
FAILURE_SECONDS = 15  # that a failure is: whoever presses again and again holds no thread for each time
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# By a key that only the identity provider has: never "none", never one that we know too.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
SCOPES = ("openid", "email")
CLOCK_SECONDS = 60  # that the two clocks may differ
# How long ago a service may have asked the person, for a sign-in here: as long as a session of ours.
SESSION_SECONDS = 12 * 3600
SUBJECT_LENGTH = 191  # as long as allauth's column; OpenID allows 255, and nobody uses them
SECOND_FACTOR = "mfa"  # RFC 8176


@dataclass(frozen=True)
class Statement:
    """What the identity provider says of the person."""

    subject: str
    email: str  # in its one spelling; empty if there is none
    email_is_confirmed: bool
    second_factor: bool
    nonce: str
    asked_at: float | None  # when the service last asked the person who they are; None if it does not say


def discover(issuer: str) -> dict[str, Any]:
    """The issuer's configuration as it is now, with every address in it that matters. Raises ProviderFault's kinds."""
    url = issuer.rstrip("/") + CONFIGURATION
    check_scheme(url)
    with one_of_few(issuer), OutboundSession() as session:
        document = _json(session.get(url), url)
    named = str(document.get("issuer", ""))
    if named.rstrip("/") != issuer.rstrip("/"):
        raise OtherIssuer(issuer=named[:200])
    for name in ENDPOINTS:
        _endpoint(document, name)
    return document


def configuration_of(issuer: str) -> dict[str, Any]:
    """As discover(), but perhaps some minutes old, a failure some seconds: anybody may begin a sign-in, and should not
    make us ask each time. While too many ask, as old as LAST_SECONDS.
    """
    place = f"openid-configuration:{hashlib.sha256(issuer.encode()).hexdigest()}"
    known: Any = caches["process"].get(place)
    if isinstance(known, dict):
        return known
    if known is not None:
        fault, details = known
        raise fault(**details)
    try:
        found = discover(issuer)
    except TooManyAtOnce:  # which says nothing about the service
        if last := caches["process"].get(f"{place}:last"):
            return dict(last)
        raise
    except ProviderFault as error:
        caches["process"].set(place, (type(error), error.details), FAILURE_SECONDS)
        raise
    caches["process"].set(place, found, CONFIGURATION_SECONDS)
    caches["process"].set(f"{place}:last", found, LAST_SECONDS)
    return found


def _endpoint(document: dict[str, Any], name: str) -> str:
    url = document.get(name)
    if not isinstance(url, str):
        raise Incomplete(name=name)
    check_scheme(url)
    return url


def _json(response: requests.Response, url: str) -> dict[str, Any]:
    try:
        found = response.json() if response.status_code == HTTPStatus.OK else None
    except (ValueError, RecursionError):  # no JSON; or some that holds too long a number, or nests too deep
        found = None
    if not isinstance(found, dict):
        raise NoConfiguration(url=url, status=response.status_code)
    return found


@dataclass
class Beginning:
    """What one sign-in is bound to, in the session here and in the token there."""

    hint: str
    once_more: bool = False
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def parameters(self) -> dict[str, str]:
        # Or who still has a session there would be sent back without having been asked anything. Any max_age makes the
        # service say when it asked last (OpenID Connect Core, 3.1.2.1), and only that can be checked.
        asked = {"prompt": "login", "max_age": "0"} if self.once_more else {"max_age": str(SESSION_SECONDS)}
        return {"nonce": self.nonce, "login_hint": self.hint, **asked}


class OpenIDAdapter(OpenIDConnectOAuth2Adapter):
    """allauth's talk with the identity provider, over our session and with our checks."""

    @property
    def openid_config(self) -> dict[str, Any]:
        if not hasattr(self, "_openid_config"):
            self._openid_config = configuration_of(self.get_provider().app.settings["server_url"])
        return self._openid_config

    def get_access_token_data(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Raises BadToken where allauth stumbles over the answer, and for an answer of another service."""
        self._check_who_answers()
        try:
            answer: dict[str, Any] = super().get_access_token_data(*args, **options)
        except (ValueError, RecursionError) as error:
            raise BadToken(why=type(error).__name__) from None
        return answer

    def _check_who_answers(self) -> None:
        """RFC 9207: before the code goes anywhere, for one of another service would be theirs to use."""
        issuer = self.request.GET.get("iss")
        if issuer is None:
            if self.openid_config.get("authorization_response_iss_parameter_supported") is True:
                raise BadToken(why="the answer does not say whose it is")
        elif issuer != self.openid_config["issuer"]:
            raise BadToken(why="the answer is another service's")

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Raises BadToken, or what discover() raises. The result's `statement` is a Statement."""
        claims = self._id_token(app, kwargs["response"].get("id_token"))
        # In the code flow the address may stand there alone (OpenID Connect Core, 5.4).
        if "email" not in claims and self.openid_config.get("userinfo_endpoint"):
            claims = self._with_userinfo(claims, token.token)
        login = self.get_provider().sociallogin_from_response(request, {"sub": claims["sub"]})
        login.statement = _statement(claims, app.settings.get("tenant"))
        return login

    def _id_token(self, app: Any, token: Any) -> dict[str, Any]:
        if not isinstance(token, str):
            raise BadToken(why="there is no ID token")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key_of(token),
                algorithms=ALGORITHMS,
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=CLOCK_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            # The error's name says enough; its text may quote the token.
            raise BadToken(why=type(error).__name__) from None
        if claims.get("azp", app.client_id) != app.client_id:
            raise BadToken(why="it was made for another client")
        if (app.settings.get("tenant") or None) not in (None, claims.get("tid")):
            raise BadToken(why="it is from another directory")
        if not 1 <= len(claims["sub"]) <= SUBJECT_LENGTH or not claims["sub"].isprintable():
            raise BadToken(why="its subject can't be used")
        return claims

    def _key_of(self, token: str) -> jwt.PyJWK:
        url = _endpoint(self.openid_config, "jwks_uri")
        with OutboundSession() as session:
            keys = jwt.PyJWKSet.from_dict(_json(session.get(url), url)).keys
        wanted = jwt.get_unverified_header(token).get("kid")
        fitting = [key for key in keys if key.key_id == wanted] if wanted else keys
        if len(fitting) != 1:
            raise BadToken(why="its key is unknown")
        return fitting[0]

    def _with_userinfo(self, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        url = _endpoint(self.openid_config, "userinfo_endpoint")
        with OutboundSession() as session:
            more = _json(session.get(url, headers={"Authorization": f"Bearer {access_token}"}), url)
        if more.get("sub") != claims["sub"]:
            raise BadToken(why="two statements speak of two people")
        return {**more, **claims}


class OrganizationProvider(OpenIDConnectProvider):
    """Of allauth's provider class: with PKCE, and storing nothing of what the identity provider says but the subject."""

    pkce_enabled_default = True
    oauth2_adapter_class = OpenIDAdapter

    def get_default_scope(self) -> list[str]:
        return list(SCOPES)

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def authorization_url(self, request: HttpRequest, *, next_url: str | None, hint: str) -> str:
        """Where to send the browser, with state, nonce and PKCE challenge, whose halves stay in the session.

        Who is signed in here already comes to confirm that it is them, and is asked for it there.
        Raises ProviderFault's kinds or requests.RequestException.
        """
        beginning = Beginning(hint, once_more=request.user.is_authenticated)
        answer = self.redirect(
            request,
            "login",
            next_url,
            auth_params=beginning.parameters(),
            nonce=beginning.nonce,
            once_more_since=time.time() if beginning.once_more else None,
        )
        return str(answer["Location"])


def _statement(claims: dict[str, Any], tenant: str | None) -> Statement:
    try:
        email = check_address(str(claims.get("email") or ""))
    except InvalidAddress:
        email = ""
    methods = claims.get("amr")
    return Statement(
        subject=claims["sub"],
        email=email,
        email_is_confirmed=bool(email) and (_confirmed_by_directory if tenant else _confirmed)(claims),
        second_factor=isinstance(methods, list) and SECOND_FACTOR in methods,
        nonce=str(claims.get("nonce", "")),
        asked_at=_time_in(claims.get("auth_time")),
    )


def _time_in(claim: Any) -> float | None:
    return (
        float(claim) if isinstance(claim, int | float) and 0 < claim < time.time() + CLOCK_SECONDS else None
    )


def _confirmed(claims: dict[str, Any]) -> bool:
    return claims.get("email_verified") in (True, "true")  # some services write it as text


def _confirmed_by_directory(claims: dict[str, Any]) -> bool:
    """Entra ID never says email_verified: within a directory its administrators set the addresses.

    Guests bring theirs from outside (the claim `idp` names where they come from), and `xms_edov`, where it is asked
    for, says whether the domain is the directory's own.
    """
    if claims.get("idp", claims["iss"]) != claims["iss"]:
        return False
    return all(
        claims.get(name, True) in (True, 1, "1", "true", "True") for name in ("email_verified", "xms_edov")
    )
