"""What an owner types and uploads. It parses; what is allowed is for the verbs to say."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.console.frame.changes import Changes
from tenants.branding import LOGO_OCTETS, LOGO_PIXELS
from tenants.models import Provider

LEFT_TO_RIGHT = {"dir": "ltr", "spellcheck": "false", "autocapitalize": "none"}


class BrandingForm(Changes, forms.Form):
    """Fields are called as the verb's arguments are."""

    name = forms.CharField(label=_("Name"), required=False)
    colour = forms.CharField(
        label=_("Colour"),
        required=False,
        widget=forms.TextInput({**LEFT_TO_RIGHT, "placeholder": "#0d6b5f", "class": "mono"}),
        help_text=_(
            "Of buttons and links, as #rrggbb. Leave it empty for Gatehouse's blue. Colours that say how something is, such as red for what is lost, stay as they are."
        ),
    )
    support_email = forms.CharField(
        label=_("Support by email"),
        required=False,
        widget=forms.EmailInput({**LEFT_TO_RIGHT, "autocomplete": "off"}),
    )
    support_phone = forms.CharField(
        label=_("Support by telephone"),
        required=False,
        widget=forms.TextInput({**LEFT_TO_RIGHT, "type": "tel", "autocomplete": "off"}),
    )
    support_url = forms.CharField(
        label=_("Support on the web"),
        required=False,
        widget=forms.TextInput({**LEFT_TO_RIGHT, "inputmode": "url"}),
        help_text=_("A page by HTTPS."),
    )

    def __init__(self, data: Any, *, provider: Provider, saved: Any) -> None:
        super().__init__(data, initial=saved)
        self.fields["name"].widget.attrs["placeholder"] = provider.name
        self.fields["name"].help_text = _("Leave it empty for “%(name)s”.") % {"name": provider.name}


class LogoForm(forms.Form):
    """A picture, which is read and made anew by the verb."""

    logo = forms.FileField(
        label=_("Picture"),
        allow_empty_file=True,  # which the verb refuses in its own words
        widget=forms.FileInput({"accept": "image/png,image/jpeg"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["logo"].help_text = _(
            "PNG or JPEG, at most %(kilobytes)s KB and %(pixels)s pixels in width and height. It is shown on white."
        ) % {"kilobytes": LOGO_OCTETS // 1024, "pixels": LOGO_PIXELS}
