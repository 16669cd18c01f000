"""What people say about themselves and their passwords."""

from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.names import unless_kept, validate_name
from portal.console.frame.changes import Changes
from portal.console.frame.fields import Hundreds, InOwnWords, language_choices, zone_choices

PASSWORD_LETTERS_MAX = 1024  # far more than anybody types, and little to hash


class SettingsForm(Changes, forms.Form):
    """What a person may say about themselves. What is not sent stays as it is."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        widget=InOwnWords,
        help_text=_("The console changes at once when you pick another one."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        widget=Hundreds,
        help_text=_("All times are shown as on the clocks there."),
    )
    theme = forms.ChoiceField(
        label=_("Appearance"), choices=User.Theme.choices, required=False, widget=forms.RadioSelect
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        current = {name: getattr(user, name) for name in self.base_fields}
        if data is not None:
            data = data.copy()
            for name, value in current.items():
                data.setdefault(name, value)
        super().__init__(data, initial=current)
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        self.fields["language"].widget.attrs["data-submits"] = ""
        self.fields["language"].choices = language_choices()  # type: ignore[attr-defined]  # a ChoiceField, by the class above
        self.fields["time_zone"].choices = zone_choices(user.time_zone)  # type: ignore[attr-defined]  # a ChoiceField, by the class above

    def clean_name(self) -> str:
        return unless_kept(self.cleaned_data["name"], self.initial["name"], validate_name)

    def clean_theme(self) -> str:
        return self.cleaned_data["theme"] or User.Theme.SYSTEM


class CurrentPasswordForm(forms.Form):
    """Asks for the password that the person has now: whoever finds an open desk doesn't know it.

    Wrong ones count together with those at the sign-in, so that this page gives no further guesses.
    """

    current_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        max_length=PASSWORD_LETTERS_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data)
        self.request = request

    def clean_current_password(self) -> str:
        password: str = self.cleaned_data["current_password"]
        user = self.request.user
        assert isinstance(user, User)
        known = get_adapter().authenticate(self.request, email=user.email, password=password)
        if known is None or known.pk != user.pk:
            raise ValidationError(_("This is not your current password."), code="wrong-password")
        return password


class ChosenPasswordForm(CurrentPasswordForm):
    """Asks for a password of one's own, twice. How strong it has to be is decided by the services."""

    new_password = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=PASSWORD_LETTERS_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    new_password_again = forms.CharField(
        label=_("New password, once more"),
        strip=False,
        max_length=PASSWORD_LETTERS_MAX,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        once, again = cleaned.get("new_password"), cleaned.get("new_password_again")
        if once and again and once != again:
            self.add_error("new_password_again", _("The two new passwords differ."))
        return cleaned
