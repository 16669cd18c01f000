"""What an owner types about the identity provider."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.addresses import AddressFormField
from portal.console.frame.changes import Changes
from tenants.identity import CLIENT_ID_LENGTH, Configuration, Consents, domains_from
from tenants.identity.errors import ConsentsLost, InvalidTenant, OtherConsentsLost, SecretNeeded
from tenants.models import IdentityProvider

SECRET_LENGTH = 500
DESCRIBED = tuple(field.name for field in fields(Configuration))


class IdentityProviderForm(Changes, forms.Form):
    """The secret goes in and never comes out again."""

    kind = forms.ChoiceField(label=_("Kind"), choices=IdentityProvider.Kind.choices)
    issuer = forms.CharField(
        label=_("Issuer"),
        max_length=500,
        required=False,
        help_text=_("For OpenID Connect: its address, such as https://sign-in.northwind.example."),
    )
    tenant = forms.CharField(
        label=_("Tenant ID"),
        max_length=64,
        required=False,
        help_text=_(
            "For Microsoft Entra ID: the directory's ID. Guests of the directory can't sign in with it."
        ),
    )
    client_id = forms.CharField(label=_("Client ID"), max_length=CLIENT_ID_LENGTH)
    client_secret = forms.CharField(
        label=_("Client secret"), max_length=SECRET_LENGTH, required=False, widget=forms.PasswordInput
    )
    email_domains = forms.CharField(
        label=_("Email domains"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "One on each line. It signs in people with addresses there, and nobody else. "
            "Of each domain, at least one person must already belong to you or to one of your customers."
        ),
    )

    # Only asked where it costs something. Its value is the loss that is accepted.
    loss_accepted = forms.CharField(label=_("Save it, and ask them again"), required=False)
    at_stake: Consents | None = None

    def __init__(self, data: Any, *, saved: Configuration | None) -> None:
        initial = vars(saved) | {"email_domains": "\n".join(saved.email_domains)} if saved else None
        self.saved = saved
        super().__init__(data, initial=initial)
        for name in ("issuer", "tenant", "client_id", "email_domains"):
            self.fields[name].widget.attrs |= {"autocapitalize": "none", "spellcheck": "false", "dir": "ltr"}
        self.fields["client_secret"].widget.attrs["autocomplete"] = "off"
        self.fields["client_secret"].help_text = (
            _("Leave it empty to keep the saved one, which is never shown.")
            if saved
            else _("It is stored encrypted and never shown again.")
        )

    def clean(self) -> dict[str, Any]:
        """All that is missing is named at once: also what only one kind needs, and what only saving needs."""
        data: dict[str, Any] = self.cleaned_data
        if data.get("kind") == IdentityProvider.Kind.ENTRA_ID:
            if data.get("tenant") == "":
                self.add_error("tenant", InvalidTenant().message)
        elif data.get("issuer") == "":
            self.add_error("issuer", self.fields["issuer"].error_messages["required"])
        if not self.saved and "check" not in self.data and data.get("client_secret") == "":
            self.add_error("client_secret", SecretNeeded().message)
        return data

    def ask(self, refusal: ConsentsLost) -> None:
        """Whether it is meant, and name all else that is asked: the page that comes back has lost the secret."""
        self.at_stake = refusal.details["consents"]
        self.add_error(
            "loss_accepted",
            _(
                "These are other customers, or another service, than you were asked about. Tick this if it is meant."
            )
            if isinstance(refusal, OtherConsentsLost)
            else _("Tick this if it is meant."),
        )
        if not self.cleaned_data["client_secret"]:
            self.add_error("client_secret", SecretNeeded().message)

    def ask_for_the_secret_again(self) -> None:
        """For the page that is shown again: without a word there, who saves next would save none or the earlier one."""
        if self.cleaned_data.get("client_secret"):
            self.add_error("client_secret", _("Type the secret again: it is never sent back to the page."))

    def configuration(self) -> Configuration:
        return _configuration(self.cleaned_data)

    def remember(self) -> None:
        for name in DESCRIBED:
            self.fields[name].show_hidden_initial = True

    @property
    def shown(self) -> Configuration | None:
        """What the page showed when it was opened, if it says so."""
        bound: dict[str, Any] = {name: self[name] for name in DESCRIBED}
        shown = {name: field.shown[0] for name, field in bound.items() if field.shown}
        return _configuration(shown) if len(shown) == len(DESCRIBED) else None

    @property
    def is_for_a_new_one(self) -> bool:
        """Whether there was none when the page was opened."""
        return not self.shown.client_id if self.shown else not self.saved


def _configuration(typed: Mapping[str, str]) -> Configuration:
    described: dict[str, Any] = {name: typed[name] for name in DESCRIBED}
    return Configuration(**described | {"email_domains": domains_from(typed["email_domains"])})


class ForgetForm(forms.Form):
    """Who comes with another account from now on."""

    email = AddressFormField(label=_("Email address"))
