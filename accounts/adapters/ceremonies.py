"""Passkeys: what the portal asks a device, and whether the answer is to that question (WebAuthn Level 3, 7.1 and 7.2).

Nothing is stored for a question: its challenge carries when it ends, and an HMAC over the ceremony, the person and the
browser that it is for. So strangers who ask fill no table, and no answer fits another page, person or browser. The
first answer to it uses it up, right or wrong.
"""

import logging
import secrets
import time
from enum import StrEnum
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AuthenticationResponse,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.adapters import visitors
from accounts.mails import notices
from accounts.models import User
from accounts.services.factors import hold_person

log = logging.getLogger(__name__)

CHALLENGE_SECONDS = 300  # to find the key and open it
SALT = "accounts.passkey-challenge"
NONCE_OCTETS, TIME_OCTETS = 16, 8
MUST_VERIFY = UserVerificationRequirement.REQUIRED
COUNTER = "counter"  # a place in Authenticator.data


class Ceremony(StrEnum):
    """What a passkey is asked for."""

    ADD = "add"
    SIGN_IN = "sign-in"
    SECOND_STEP = "second-step"
    CONFIRM = "confirm"


# --- Asking ---
def ask_to_add(request: HttpRequest, user: User) -> dict[str, Any]:
    """Options for a new key: one that the device keeps, and that its person opens."""
    options, _state = auth.get_server().register_begin(
        user=auth.build_user_payload(user),
        credentials=auth.get_credentials(user),
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=MUST_VERIFY,
        challenge=_challenge(Ceremony.ADD, user, browser_of(request)),
        extensions=auth.EXTENSIONS,
    )
    return dict(options)


def ask(request: HttpRequest, ceremony: Ceremony, user: User | None) -> dict[str, Any]:
    """Options for a key that is known; without a person the device says whose it is."""
    options, _state = auth.get_server().authenticate_begin(
        credentials=auth.get_credentials(user) if user else [],
        user_verification=MUST_VERIFY,
        challenge=_challenge(ceremony, user, browser_of(request)),
    )
    return dict(options)


# --- The answer ---
def check_added(request: HttpRequest, user: User, answer: Any) -> None:
    """Raises ValidationError, and what the library raises for nonsense."""
    challenge = RegistrationResponse.from_dict(answer).response.client_data.challenge
    _use_up(challenge, Ceremony.ADD, user, browser_of(request))
    auth.get_server().register_complete(_state_of(challenge), answer)


def check(request: HttpRequest, ceremony: Ceremony, user: User | None, answer: Any) -> Authenticator:
    """The key that answered, having asked its person by finger, face or PIN. To be called in a transaction: until its end
    nobody removes the key.

    Raises ValidationError, and what the library raises for nonsense.
    """
    response = AuthenticationResponse.from_dict(answer).response
    challenge = response.client_data.challenge
    _use_up(challenge, ceremony, user, browser_of(request))
    whose = user or auth.extract_user_from_response(answer)
    credential = auth.get_server().authenticate_complete(
        _state_of(challenge), auth.get_credentials(whose), answer
    )
    # Not earlier: a stranger's answer makes nobody wait.
    held = hold_person(whose)
    key = auth.get_authenticator_by_credential_id(whose, credential.credential_id)
    if key is None or held is None:  # removed just now
        raise _refused()
    key.user = held  # as it was when the key was judged
    if not _counts_on(key, response.authenticator_data.counter):
        log.warning("the counter of passkey %s ran backwards: there may be a copy of it", key.pk)
        notices.announce(notices.PASSKEY_COPIED, key.user, **visitors.seen(request))
        raise _refused()
    return key


def _counts_on(key: Authenticator, counter: int) -> bool:
    """Whether the key has counted on since its last answer; two keys that count apart are a key and its copy.

    Many never count and always say 0 (WebAuthn, 6.1.1).
    """
    last = key.data.get(COUNTER, key.wrap().authenticator_data.counter)
    if (counter or last) and counter <= last:
        return False
    key.data = {**key.data, COUNTER: counter}
    key.save(update_fields=["data"])
    return True


# --- Challenges ---
def _challenge(ceremony: Ceremony, user: User | None, browser: str) -> bytes:
    ends = int(time.time()) + CHALLENGE_SECONDS
    what = secrets.token_bytes(NONCE_OCTETS) + ends.to_bytes(TIME_OCTETS, "big")
    return what + _mac(what, ceremony, user, browser)


def _mac(what: bytes, ceremony: Ceremony, user: User | None, browser: str) -> bytes:
    whose = user.pk if user else ""
    return salted_hmac(SALT, f"{what.hex()}:{ceremony}:{whose}:{browser}", algorithm="sha256").digest()


def _use_up(challenge: bytes, ceremony: Ceremony, user: User | None, browser: str) -> None:
    """Raises ValidationError for what was not asked here, is over, or was answered before."""
    what = challenge[: NONCE_OCTETS + TIME_OCTETS]
    if not constant_time_compare(challenge, what + _mac(what, ceremony, user, browser)):
        raise _refused()
    left = int.from_bytes(what[NONCE_OCTETS:], "big") - time.time()
    # Remembered a little longer than it lives: the cache's clock is another one.
    if left <= 0 or not cache.add(f"{SALT}:{what.hex()}", True, CHALLENGE_SECONDS + 60):
        raise _refused()


def _state_of(challenge: bytes) -> dict[str, Any]:
    """As the library would have kept it in the session. By it the library holds the answer to MUST_VERIFY."""
    return {"challenge": websafe_encode(challenge), "user_verification": MUST_VERIFY}


def _refused() -> ValidationError:
    error: ValidationError = get_adapter().validation_error("incorrect_code")
    return error


# --- Browsers ---
def browser_of(request: HttpRequest) -> str:
    """What a question is bound to: the session where there is one, else a cookie."""
    return request.session.session_key or _browser_cookie(request)


def remember_browser(request: HttpRequest, response: HttpResponseBase) -> None:
    """Leave the cookie that a stranger's question was bound to."""
    response.set_cookie(
        _cookie_name(),
        _browser_cookie(request),
        max_age=CHALLENGE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Strict",
    )


def _browser_cookie(request: HttpRequest) -> str:
    name = _cookie_name()
    if not request.COOKIES.get(name):
        request.COOKIES[name] = secrets.token_urlsafe(NONCE_OCTETS)
    return request.COOKIES[name]


def _cookie_name() -> str:
    return "__Host-passkey" if settings.SESSION_COOKIE_SECURE else "passkey"
