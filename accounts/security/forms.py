"""allauth's forms, where they keep a secret in clear or let a stranger's nonsense become our fault."""

from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import generate_totp_secret
from allauth.mfa.utils import decrypt, encrypt
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.security import guesses

NAME_LENGTH = 60
PENDING_SECRET = "second_factor.pending_secret"  # noqa: S105 - the name of a place in the session


class _CountedCode:
    """Wrong codes count against the network that they come from, together with wrong passwords."""

    def clean_code(self) -> str:
        guess = guesses.count(context.request)
        code: str = super().clean_code()  # type: ignore[misc]  # a mixin: what it stands before has it
        guess.rollback()
        return code


class SecondStepCodeForm(_CountedCode, AuthenticateForm):
    """A code after the password."""


class ConfirmCodeForm(_CountedCode, ReauthenticateForm):
    """A code from somebody who is signed in."""


class ActivateAppForm(_CountedCode, ActivateTOTPForm):
    """Keeps the secret that is being set up encrypted: sessions are rows of the database too.

    A page that is loaded again shows the same secret, so that two open tabs don't spoil each other.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.user = kwargs.pop("user")
        forms.Form.__init__(
            self, *args, **kwargs
        )  # the parent's would put a secret in clear into the session
        self.secret = _pending_secret()


def _pending_secret() -> str:
    session = context.request.session
    if stored := session.get(PENDING_SECRET):
        try:
            return decrypt(stored)
        except ValidationError:
            pass  # SECRET_KEY has changed meanwhile: begin anew
    secret = generate_totp_secret()
    session[PENDING_SECRET] = encrypt(secret)
    return secret


def _refuse_nonsense(check: Callable[[], Any]) -> Any:
    """What the library makes of a passkey's answer. Raises ValidationError, whatever somebody sent instead."""
    try:
        return check()
    except ValidationError as error:
        if error.code != "incorrect_code":
            raise
    except (TypeError, ValueError, LookupError, AttributeError):
        pass
    raise ValidationError(_("This passkey was not accepted. Try again."), code="refused_passkey")


class _PasskeyForm(AuthenticateWebAuthnForm):
    def clean_credential(self) -> Any:
        return _refuse_nonsense(super().clean_credential)


class SignInPasskeyForm(_PasskeyForm, LoginWebAuthnForm):
    """A passkey instead of address and password."""


class SecondStepPasskeyForm(_PasskeyForm):
    """A passkey after the password."""


class ConfirmPasskeyForm(_PasskeyForm, ReauthenticateWebAuthnForm):
    """A passkey from somebody who is signed in."""


class AddPasskeyForm(AddWebAuthnForm):
    """Takes only what can replace a password: kept by the device, and opened by finger, face or PIN."""

    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH, required=False)
    passwordless = None  # not asked: it is always so

    def clean(self) -> dict[str, Any]:
        return _refuse_nonsense(self._checked)

    def _checked(self) -> dict[str, Any]:
        # The parent asks the library for a proof of the person only when this was ticked.
        self.cleaned_data["passwordless"] = True
        return super().clean()


class RenamePasskeyForm(EditWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)
