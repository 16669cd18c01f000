"""What people say about themselves and their passwords."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm, ResetPasswordKeyForm
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from accounts import services
from accounts.addresses import AddressFormField
from accounts.models import User
from accounts.names import validate_name
from accounts.zones import zones_by_region

SELECTED = mark_safe(" selected")  # a word of ours
PASSWORD_LETTERS_MAX = 1024  # far more than anybody types, and little to hash


class InOwnWords(forms.Select):
    """Each language is written and read aloud as itself."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if value:
            option["attrs"]["lang"] = value
        return option


class Hundreds(forms.Select):
    """A list too long for a template of each option, which took most of the page's time."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = {str(one) for one in self.format_value(value)}

        def options(choices: Any) -> SafeString:
            return format_html_join(
                "",
                '<option value="{}"{}>{}</option>',
                ((key, SELECTED if str(key) in chosen else "", label) for key, label in choices),
            )

        groups = [
            format_html('<optgroup label="{}">{}</optgroup>', label, options(inside))
            if isinstance(inside, (list, tuple))
            else options([(label, inside)])
            for label, inside in self.choices
        ]
        return format_html(
            "<select{}>{}</select>",
            flatatt(self.build_attrs(self.attrs, {**(attrs or {}), "name": name})),
            format_html_join("", "{}", ((group,) for group in groups)),
        )


def language_choices() -> list[tuple[str, Any]]:
    return [("", _("As in the browser")), *settings.LANGUAGES]


def zone_choices() -> list[tuple[Any, Any]]:
    return [("", _("UTC (universal time)")), *zones_by_region()]


class SettingsForm(forms.Form):
    """What a person may say about themselves. What is not sent stays as it is."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False, validators=[validate_name])
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
    theme = forms.ChoiceField(label=_("Appearance"), choices=User.Theme.choices, required=False)

    def __init__(self, data: Any = None, *, user: User) -> None:
        current = {name: getattr(user, name) for name in self.base_fields}
        if data is not None:
            data = {**current, **data.dict()}
        super().__init__(data, initial=current)
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        self.fields["language"].widget.attrs["data-submits"] = ""
        self.fields["language"].choices = language_choices()  # type: ignore[attr-defined]  # a ChoiceField, by the class above
        self.fields["time_zone"].choices = zone_choices()  # type: ignore[attr-defined]  # a ChoiceField, by the class above

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


class ForgottenPasswordForm(forms.Form):
    """Asks for the address of who forgot the password. Whether anybody has it is not looked up here."""

    email = AddressFormField(
        label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )

    def save(self, request: HttpRequest) -> None:
        services.ask_for_reset(self.cleaned_data["email"])


class SignInForm(LoginForm):
    """allauth's, which takes another spelling of an address for another address, and some others for the same."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = AddressFormField(label=_("E-mail address"))


class PasswordByLinkForm(ResetPasswordKeyForm):
    """allauth's, which would save the whole person as they were when the page was asked for."""

    def save(self) -> None:
        """Raises ResetLinkUsed."""
        services.reset_forgotten_password(self.user, self.cleaned_data["password1"])
