"""Forms for people and their roles. They parse; what is allowed is for the services to say."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.addresses import AddressFormField
from accounts.names import validate_name
from portal.console.frame.changes import Changes
from portal.console.frame.fields import ShownPassword, TickedFirst
from tenants.models import Customer, Membership, Provider
from tenants.services import INVITATION_LIFETIME

ALL, SOME = "all", "some"

# What a role means, in a line.
MEANINGS = {
    Membership.Role.OWNER: _("Owner: everything, with people and security"),
    Membership.Role.OPERATOR: _("Operator: the mailboxes of customers"),
    Membership.Role.AUDITOR: _("Auditor: may look at everything, changes nothing"),
    Membership.Role.ADMIN: _("Administrator: mailboxes and people of this customer"),
    Membership.Role.VIEWER: _("Viewer: may look at everything, changes nothing"),
}


class RoleForm(forms.Form):
    """A role, and at a provider also the customers to which it is limited."""

    role = forms.ChoiceField(label=_("Role"), widget=forms.RadioSelect)
    reach = forms.ChoiceField(
        label=_("Customers"),
        choices=[(ALL, _("All customers, those to come too")), (SOME, _("Only these customers:"))],
        widget=forms.RadioSelect,
        help_text=_("Only operators and auditors can be limited."),
    )
    customers = forms.ModelMultipleChoiceField(
        label=_("Only these customers"),
        queryset=Customer.objects.none(),
        required=False,
        widget=TickedFirst,
    )

    def __init__(
        self, *args: Any, place: Provider | Customer, roles: Iterable[Membership.Role], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, MEANINGS[role]) for role in roles]  # type: ignore[attr-defined]  # a ChoiceField, by the class above
        if isinstance(place, Provider) and place.customers.exists():
            self.fields["customers"].queryset = place.customers_by_name()  # type: ignore[attr-defined]  # a ModelMultipleChoiceField
        else:
            del self.fields["reach"], self.fields["customers"]

    def clean(self) -> dict[str, Any]:
        """An empty choice must not pass for "all customers"."""
        data = super().clean() or {}
        if data.get("reach") == SOME:
            if data.get("role") == Membership.Role.OWNER:
                self.add_error("role", _("An owner is responsible for all customers. Choose another role."))
            elif not data.get("customers") and "customers" not in self.errors:
                self.add_error("customers", _("Choose at least one customer."))
        return data

    @property
    def limit(self) -> list[Customer] | None:
        """The customers chosen; None is all."""
        return list(self.cleaned_data["customers"]) if self.cleaned_data.get("reach") == SOME else None


class MemberForm(Changes, RoleForm):
    """Of somebody who is there."""

    @property
    def for_the_verb(self) -> dict[str, Any]:
        """What was changed."""
        changes = self.changes
        wanted = {"role": changes["role"]} if "role" in changes else {}
        if changes.keys() & {"reach", "customers"}:
            shown = None if "reach" in changes else self.ticked_before("customers")
            wanted |= {"customers": self.limit, "customers_shown": shown}
        return wanted


class InviteForm(RoleForm):
    """Whom to ask in, and as what."""

    email = AddressFormField(
        label=_("Email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    field_order = ("email", "role", "reach", "customers")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        days = INVITATION_LIFETIME.days
        self.fields["email"].help_text = ngettext(
            "The invitation is for this address alone, and works for %(days)s day.",
            "The invitation is for this address alone, and works for %(days)s days.",
            days,
        ) % {"days": days}


class NewcomerForm(forms.Form):
    """What we ask of who accepts an invitation and is new here."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=100,
        validators=[validate_name],
        widget=forms.TextInput(attrs={"autocomplete": "name", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Choose a password"),
        strip=False,
        max_length=1024,
        widget=ShownPassword({"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        least = settings.PASSWORD_CHARACTERS
        self.fields["password"].help_text = ngettext(
            "At least %(least)s character; a few words that nobody would guess are best.",
            "At least %(least)s characters; a few words that nobody would guess are best.",
            least,
        ) % {"least": least}
