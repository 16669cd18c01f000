from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class SettingsForm(forms.Form):
    """What a person may say about themselves."""

    name = forms.CharField(label=_("Name"), max_length=100, required=False)
    language = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["name"].widget.attrs["autocomplete"] = "name"
        # Each language by its own name, or who picked a wrong one never finds back.
        self.fields["language"].choices = [  # type: ignore[attr-defined]
            ("", _("As in the browser")),
            *((code, OWN_NAMES.get(code, code)) for code, _name in settings.LANGUAGES),
        ]


OWN_NAMES = {"en": "English", "de": "Deutsch"}
