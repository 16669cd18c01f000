"""What people type to get in."""

from typing import Any

from allauth.account.forms import LoginForm, ResetPasswordKeyForm
from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.adapters import visitors
from accounts.addresses import KnownAddressFormField


class SignInForm(LoginForm):
    """allauth's, which takes another spelling of an address for another address, and some others for the same."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = KnownAddressFormField(label=_("Email address"))


class ForgottenPasswordForm(forms.Form):
    """Asks for the address of who forgot the password. Whether anybody has it is not looked up here."""

    email = KnownAddressFormField(
        label=_("Email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    def save(self, request: HttpRequest) -> None:
        services.ask_for_reset(self.cleaned_data["email"])


class PasswordByLinkForm(ResetPasswordKeyForm):
    """allauth's, which would save the whole person as they were when the page was asked for."""

    def save(self, request: HttpRequest) -> None:
        """Raises ResetLinkUsed."""
        # The session at hand is none of theirs any more, for it knows the old password. Until Django finds that, at its
        # next request, it shows that the new one is saved.
        here: dict[str, Any] = {"keep": request.session.session_key, **visitors.seen(request)}
        password = self.cleaned_data["password1"]
        services.reset_forgotten_password(self.user, password, key=self.temp_key, **here)


class AddressForm(forms.Form):
    """Whose organization it is, shows in the address."""

    login = KnownAddressFormField(label=_("Email address"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autofocus": True}
