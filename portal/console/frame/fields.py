"""Fields that several pages have."""

from typing import Any

from django import forms
from django.conf import settings
from django.forms.renderers import DjangoTemplates
from django.forms.utils import flatatt
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from accounts.zones import zones_by_region

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
