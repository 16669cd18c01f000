"""The question above the activity."""

from datetime import date

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from accounts.lists import WORDS
from tenants import activity

REASONABLE_DAYS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 30))]


class Day(forms.DateInput):
    """Browsers want the date as ISO 8601 has it, and show it as people write it."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class Question(forms.Form):
    """What people look for in the activity."""

    q = forms.CharField(
        label=_("Search"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    kind = forms.ChoiceField(
        label=_("Kind"), required=False, choices=lambda: [("", _("Everything")), *activity.Kind.choices]
    )
    since = forms.DateField(label=_("From day"), required=False, widget=Day, validators=REASONABLE_DAYS)
    until = forms.DateField(label=_("To day"), required=False, widget=Day, validators=REASONABLE_DAYS)

    def clean_q(self) -> str:
        text: str = self.cleaned_data["q"]
        if len(text.split()) > WORDS:
            raise forms.ValidationError(_("Please look for %(words)s words at most.") % {"words": WORDS})
        return text

    def asked(self) -> activity.Asked:
        """As far as it was understood."""
        self.full_clean()
        known = self.cleaned_data
        return activity.Asked(
            text=known.get("q", ""),
            kind=known.get("kind", ""),
            since=known.get("since"),
            until=known.get("until"),
        )
