"""Forms parse and word errors; whether a name is free and a box ticked is for the services to say."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class MailboxForm(forms.Form):
    """Step 1 of creating a mailbox."""

    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What people here will call it, for example “Office 365 Journal”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=500,
        required=False,
        help_text=_("Optional: what it is for, and who looks after it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class ConfirmForm(forms.Form):
    """Step 2: what step 1 signed comes back, hidden, with name, description and the tick.

    Nothing is required here: each refusal is the service's, with its own message.
    """

    token = forms.CharField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name"), required=False, widget=forms.HiddenInput)
    description = forms.CharField(label=_("Description"), required=False, widget=forms.HiddenInput)
    understood = forms.BooleanField(required=False)

    def ask_again(self, field: str, message: Any) -> None:
        """Show a field that travelled hidden, with what is wrong with it."""
        attrs = {"maxlength": MailboxForm.base_fields[field].max_length, "autocomplete": "off"}  # type: ignore[attr-defined]
        self.fields[field].widget = forms.TextInput(attrs=attrs)
        self.add_error(field, message)
