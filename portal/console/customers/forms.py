"""What is typed of a customer. Forms parse; what is allowed is for the services to say."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.addresses import AddressFormField
from portal.console.frame.changes import Changes
from portal.console.frame.fields import (
    Hundreds,
    InOwnWords,
    NetworksField,
    SizeField,
    TagsField,
    customers_language_choices,
    customers_zone_choices,
)
from tenants.models import NAME_LENGTH, REASON_LENGTH, Customer, Provider
from tenants.services import INVITATION_LIFETIME
from tenants.slugs import propose

SIZE_HELP = _("With its unit, such as 500 MB or 10 GB. Empty: no limit.")


class FactsForm(forms.Form):
    """Customer.FACTS, asked at creation and edit alike."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    language = forms.ChoiceField(label=_("Language"), required=False, widget=InOwnWords)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, widget=Hundreds)
    group = forms.CharField(
        label=_("Group"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "groups"}),
        help_text=_(
            "By which you sort your customers, for example “Gold”. The customer's people don't see it."
        ),
    )
    tags = TagsField(
        label=_("Tags"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("A few words, parted by commas. The customer's people don't see them."),
    )
    mailbox_limit = forms.IntegerField(
        label=_("Number of mailboxes"),
        required=False,
        localize=True,
        min_value=0,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text=_("Empty: no limit."),
    )
    waiting_quota_octets = SizeField(label=_("All waiting mail"), required=False, help_text=SIZE_HELP)
    mailbox_quota_octets = SizeField(
        label=_("Waiting mail in each mailbox"), required=False, help_text=SIZE_HELP
    )
    message_limit_octets = SizeField(label=_("Size of one message"), required=False, help_text=SIZE_HELP)
    allowed_networks = NetworksField(
        label=_("Networks that may send"),
        required=False,
        help_text=_("One a line, such as 192.0.2.0/24. Empty: mail is taken from everywhere."),
    )

    def __init__(self, *args: Any, groups: Collection[str] = (), zone: str = "", **kwargs: Any) -> None:
        """`groups` are offered to choose from; `zone` is the one that was chosen before."""
        super().__init__(*args, **kwargs)
        self.groups = groups
        self.fields["language"].choices = customers_language_choices()  # type: ignore[attr-defined]  # a ChoiceField
        self.fields["time_zone"].choices = customers_zone_choices(zone)  # type: ignore[attr-defined]  # a ChoiceField


class NewForm(FactsForm):
    """A customer, its first administrator, its first mailbox."""

    provider = forms.ModelChoiceField(
        label=_("Provider"), queryset=Provider.objects.none(), to_field_name="slug", empty_label=None
    )
    slug = forms.CharField(
        label=_("Short name"),
        required=False,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "dir": "ltr",
                "class": "mono",
                "data-proposed-from": "id_name",
            }
        ),
        help_text=_(
            "Begins the address of its console, and can't be changed later. Empty: made of the name."
        ),
    )
    admin_email = AddressFormField(
        label=_("Email address"),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    mailbox_name = forms.CharField(
        label=_("Name of the mailbox"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_(
            "What people there will call it, for example “Office 365 Journal”. Empty: no mailbox for now."
        ),
    )

    def __init__(
        self, data: Any = None, *, providers: Collection[Provider], zone: str, **kwargs: Any
    ) -> None:
        """`providers` are those where the person may create customers, at least one."""
        if data is not None and not data.get("slug", "").strip():
            # Shown, should something be refused: it stays for ever.
            data = data.copy()
            data["slug"] = propose(data.get("name", ""))
        begins = {"language": get_language(), "time_zone": zone, "provider": next(iter(providers)).slug}
        super().__init__(data, initial=begins, zone=zone, **kwargs)
        self.fields["slug"].required = True
        self.fields["slug"].widget.is_required = False
        days = INVITATION_LIFETIME.days
        self.fields["admin_email"].help_text = ngettext(
            "An invitation that works for %(days)s day is sent there. Empty: you invite somebody later.",
            "An invitation that works for %(days)s days is sent there. Empty: you invite somebody later.",
            days,
        ) % {"days": days}
        if len(providers) > 1:
            self.fields["provider"].queryset = Provider.objects.filter(pk__in=[one.pk for one in providers])  # type: ignore[attr-defined]  # a ModelChoiceField
        else:
            del self.fields["provider"]
        self._only = next(iter(providers))

    @property
    def for_the_verb(self) -> dict[str, Any]:
        """What create_customer() and found_customer() take besides the address."""
        typed = self.cleaned_data
        names = ("slug", "name", *Customer.FACTS)
        return {"provider": typed.get("provider", self._only), **{name: typed[name] for name in names}}


class EditForm(Changes, FactsForm):
    """Of one that is there."""


class SuspendForm(forms.Form):
    """Why a customer is suspended."""

    reason = forms.CharField(
        label=_("Reason for the suspension"),
        max_length=REASON_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text=_("Optional. The customer's people read it, too."),
    )


class AdministratorForm(forms.Form):
    """Whom to ask in as the first administrator."""

    email = AddressFormField(
        label=_("Email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
