"""What the forms of the administration have in common: their acts go through the services."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AutocompleteSelect, RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db.models import BLANK_CHOICE_DASH, Model
from django.forms import ChoiceField, Media, ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal
from accounts.models import User
from portal.console.administration.lists import InOurLook
from portal.console.frame.changes import Changes

NOTHING_CHOSEN = _("Please choose")


class ChangesToARow(Changes, forms.ModelForm):
    """What nobody touched is judged, and shown, as it is by now."""

    def remember(self) -> None:
        if not self.instance._state.adding:
            super().remember()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, field in self.fields.items():
            is_of_the_row = field.show_hidden_initial and not isinstance(field, ModelMultipleChoiceField)
            if is_of_the_row and name in data and name not in self.changed_data:
                data[name] = getattr(self.instance, name, data[name])
        return data


class ThroughServices(InOurLook):
    """Forms whose act is a service with a transaction of its own, which the admin would otherwise enclose in its.

    What a service refuses is told in the list, and then nothing else is: no success, and no entry in Django's log.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return self._or_refusal(request, self._changeform_view, object_id, form_url, extra_context)  # type: ignore[attr-defined]  # missing in the stubs

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._or_refusal(request, self._delete_view, object_id, extra_context)  # type: ignore[attr-defined]  # missing in the stubs

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._or_refusal(request, super().changelist_view, extra_context)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """The choice alone, in words: what Django puts beside it leads away from a form that is half filled in, and its first
        one is dashes.
        """
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        if isinstance(field, ModelChoiceField) and field.empty_label:
            field.empty_label = NOTHING_CHOSEN
        elif isinstance(field, ChoiceField):
            choices: Any = field.choices
            field.choices = [
                ("", NOTHING_CHOSEN) if choice in BLANK_CHOICE_DASH else choice for choice in choices
            ]
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **options: Any) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            others = self.admin_site.get_model_admin(db_field.remote_field.model)
            options["widget"] = Choice(db_field, self.admin_site, names=others.has_view_permission(request))
        return super().formfield_for_foreignkey(db_field, request, **options)

    def _or_refusal(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any
    ) -> HttpResponse:
        try:
            return view(request, *args)
        except Refusal as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")


class Choice(AutocompleteSelect):
    """Django's, which fails where a link or a form has chosen what is no key: then nothing is chosen. And it names what is
    chosen to whom it refuses to look for it: a link with one number after the other would tell them all.
    """

    def __init__(self, *args: Any, names: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = names

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        try:
            return super().optgroups(name, value if self._names else [], attr)
        except (ValueError, ValidationError):
            return super().optgroups(name, [], attr)

    @property
    def media(self) -> Media:
        # Ours comes last: it names what Django's script has drawn.
        return super().media + Media(js=["admin/js/autocomplete.js", "portal/choices.js"])


def staff_of(request: HttpRequest) -> User:
    """Nobody else comes to a page of the administration."""
    assert isinstance(request.user, User)
    return request.user


def become(unsaved: Any, saved: Model) -> None:
    """The admin goes on with the object of its form; let that one be the row that the service has made."""
    unsaved.__dict__.update(saved.__dict__)
