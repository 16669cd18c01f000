"""allauth's forms, where they keep a secret in clear or let a stranger's nonsense become our fault."""

from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.base.internal.flows import check_rate_limit
from allauth.mfa.models import Authenticator
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
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.adapters import ceremonies, guesses
from accounts.adapters.ceremonies import Ceremony
from accounts.models import User
from accounts.names import validate_name
from accounts.services.factors import hold_person

NAME_LENGTH = 60
ANSWER_LENGTH = (
    16 * 1024
)  # in characters; those of devices have some hundreds, or thousands with certificates
PENDING_SECRET = "second_factor.pending_secret"  # noqa: S105 - the name of a place in the session


class _CountedCode:
    """Wrong codes count against the network that they come from, together with wrong passwords."""

    def clean_code(self) -> str:
        guess = guesses.count(context.request)
        code: str = super().clean_code()  # type: ignore[misc]  # a mixin: what it stands before has it
        guesses.take_back(guess)
        return code


class _UsesFactor:
    """A factor is judged, and its use written down, in one go: who changes the person's factors waits for it, or was
    before, and then it is judged by what is left.
    """

    def use(self) -> bool:
        """Whether the factor was right, and is used now."""
        form: Any = self
        with transaction.atomic():
            if right := form.is_valid():
                form.save()
        return bool(right)


class _UsedCode(_UsesFactor):
    user: User

    def clean_code(self) -> str:
        hold_person(self.user)
        code: str = super().clean_code()  # type: ignore[misc]  # as above
        return code


class SecondStepCodeForm(_CountedCode, _UsedCode, AuthenticateForm):
    """A code after the password."""


class ConfirmCodeForm(_CountedCode, _UsedCode, ReauthenticateForm):
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
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
        pass
    raise _refused_passkey()


def _refused_passkey() -> ValidationError:
    return ValidationError(_("This passkey was not accepted. Try again."), code="refused_passkey")


class AnswerField(forms.JSONField):
    """A device's answer, whatever somebody sent instead: too long, too deep, or with a number too long."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        # The library reads text in it that nothing before it has seen, and may take the square of its length.
        if isinstance(value, str) and len(value) > ANSWER_LENGTH:
            raise _refused_passkey()
        return _refuse_nonsense(lambda: super(AnswerField, self).to_python(value))

    def bound_data(self, data: Any, initial: Any) -> str:
        """What the form shows again: nothing, for each answer counts once."""
        return ""

    def prepare_value(self, value: Any) -> str:
        return ""


class _PasskeyForm(_UsesFactor, AuthenticateWebAuthnForm):
    """allauth's, with the answer held to a question of ours: its own keeps one for all pages."""

    ceremony: Ceremony
    credential = AnswerField()

    def clean_credential(self) -> Authenticator:
        # By the person only where that is known: else who names somebody could use up the tries of that person.
        right = check_rate_limit(self.user) if self.user else None
        key: Authenticator = _refuse_nonsense(
            lambda: ceremonies.check(
                context.request, self.ceremony, self.user, self.cleaned_data["credential"]
            )
        )
        if right:
            right()
        return key


class SignInPasskeyForm(_PasskeyForm, LoginWebAuthnForm):
    """A passkey instead of address and password."""

    ceremony = Ceremony.SIGN_IN


class SecondStepPasskeyForm(_PasskeyForm):
    """A passkey after the password."""

    ceremony = Ceremony.SECOND_STEP


class ConfirmPasskeyForm(_PasskeyForm, ReauthenticateWebAuthnForm):
    """A passkey from somebody who is signed in."""

    ceremony = Ceremony.CONFIRM


class AddPasskeyForm(AddWebAuthnForm):
    """Takes only what can replace a password: kept by the device, and opened by finger, face or PIN."""

    name = forms.CharField(
        label=_("Name"), max_length=NAME_LENGTH, required=False, validators=[validate_name]
    )
    passwordless = None  # not asked: it is always so
    credential = AnswerField()

    def clean(self) -> dict[str, Any]:
        # Not the parent's, which looks for the question in the session.
        cleaned: dict[str, Any] = forms.Form.clean(self) or {}
        if answer := cleaned.get("credential"):
            _refuse_nonsense(lambda: ceremonies.check_added(context.request, self.user, answer))
        return cleaned


class RenamePasskeyForm(EditWebAuthnForm):
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH, validators=[validate_name])
