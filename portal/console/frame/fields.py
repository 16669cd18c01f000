"""Fields that several pages have."""

import re
from typing import Any

from django import forms
from django.conf import settings
from django.forms.renderers import DjangoTemplates
from django.forms.utils import flatatt
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from accounts.names import has_too_many_marks
from accounts.zones import zones_by_region
from tenants.sizes import parse_size, written

SELECTED = mark_safe(" selected")  # a word of ours


class BoundField(forms.BoundField):
    """After a refusal a page opens at the first field that is wrong, whatever it begins with otherwise. What is too long
    is refused in words: browsers would cut it without a word, and nobody sees where in a long name or a password.
    """

    @property
    def opens_the_page(self) -> bool:
        """For templates that write the field by hand."""
        wrong = self.form.errors
        return self.name == next((one.name for one in self.form.visible_fields() if one.name in wrong), None)

    def build_widget_attrs(self, attrs: Any, widget: Any = None) -> dict[str, Any]:
        attrs = {**super().build_widget_attrs(attrs, widget), "maxlength": False}
        return {**attrs, "autofocus": self.opens_the_page} if self.form.errors else attrs

    @property
    def before(self) -> SafeString:
        """Hidden: what the page showed here when it was opened, of forms that ask for that (frame/changes.py). Django
        writes it beside a field that is written as a whole; for templates that write one by hand.
        """
        if not self.field.show_hidden_initial:
            return mark_safe("")  # nothing
        values = self._as_sent() if self.shown is None else self.shown
        if any(map(has_too_many_marks, values)):
            return mark_safe(
                ""
            )  # what an older rule took no gate takes any more: all that is typed here is meant then
        # Of several that can be chosen an empty one comes first: that none was is known, too.
        values = ["", *values] if self._takes_several else values
        return format_html_join(
            "",
            '<input type="hidden" name="{}" value="{}">',
            ((self.html_initial_name, value) for value in values),
        )

    @property
    def shown(self) -> list[str] | None:
        """What the page says that it showed here; None for a form that does not say so, as programs send it."""
        data: Any = self.form.data
        if self.html_initial_name not in data:
            return None
        return [value for value in data.getlist(self.html_initial_name) if value or not self._takes_several]

    def as_hidden(self, attrs: Any = None, only_initial: bool = False, **kwargs: Any) -> SafeString:
        return self.before if only_initial else super().as_hidden(attrs, **kwargs)

    def _has_changed(self) -> bool:
        """By what the page showed. Who does not say means all that is sent, where it is not so already."""
        if self.field.show_hidden_initial and self.shown is None:
            return self.field.has_changed(self._stored, self.data)
        if self.field.show_hidden_initial and self._takes_several:
            return self.field.has_changed(self.shown, self.data)
        return bool(super()._has_changed())  # type: ignore[misc]  # missing in the stubs

    @property
    def _stored(self) -> Any:
        """What is so, where the page begins with something else."""
        return getattr(self.form, "stored", {}).get(self.name, self.initial)

    @property
    def _takes_several(self) -> bool:
        return issubclass(self.field.hidden_widget, forms.MultipleHiddenInput)

    def _as_sent(self) -> list[str]:
        value = self.field.prepare_value(self._stored)
        if self._takes_several:
            return [str(one) for one in value or ()]
        return [self.field.hidden_widget().format_value(value) or ""]

    @cached_property
    def subwidgets(self) -> list[Any]:
        """Of a group's buttons or boxes the first alone."""
        choices = list(super().subwidgets)
        for choice in choices[1:]:
            choice.data["attrs"].pop("autofocus", None)
        return choices


class Renderer(DjangoTemplates):
    """FORM_RENDERER, so that it holds for every form: ours, those of the libraries, and the administration's."""

    bound_field_class = BoundField


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


class ShownPassword(forms.PasswordInput):
    """A password that is typed once: the script can show it."""

    template_name = "frame/password_input.html"


class TickedFirst(forms.CheckboxSelectMultiple):
    """Boxes of which there may be hundreds (frame/boxes.html): what is chosen already is seen at once."""

    def optgroups(self, *args: Any, **kwargs: Any) -> list[Any]:
        groups = super().optgroups(*args, **kwargs)
        return sorted(groups, key=lambda group: not group[1][0]["selected"])


def language_choices() -> list[tuple[str, Any]]:
    return [("", _("As in the browser")), *settings.LANGUAGES]


def zone_choices(kept: str = "") -> list[tuple[Any, Any]]:
    """`kept` is what the person has chosen before."""
    return [("", _("UTC (universal time)")), *zones_by_region(kept)]


class NetworksField(forms.CharField):
    """A list as people type one: with anything between its entries."""

    widget = forms.Textarea(attrs={"rows": 3, "dir": "ltr", "class": "mono", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return re.split(r"[\s,]+", value.strip(", \r\n\t")) if value and value.strip(", \r\n\t") else []


class TagsField(forms.CharField):
    """A few words, parted by commas, in whichever script."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        parts = (tag.strip() for tag in re.split(r"[,،\n]", value or ""))
        return list(dict.fromkeys(tag for tag in parts if tag))


class SizeField(forms.CharField):
    """A size as people type it, with its unit; empty is None."""

    widget = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return written(value) if isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return parse_size(value) if value else None


def customers_language_choices() -> list[tuple[str, Any]]:
    """Of a customer, for whoever comes to it."""
    return [("", _("As in each reader's browser")), *settings.LANGUAGES]


def customers_zone_choices(kept: str = "") -> list[tuple[Any, Any]]:
    """`kept` is what was chosen before."""
    return [("", _("As for everybody new")), *zones_by_region(kept)]
