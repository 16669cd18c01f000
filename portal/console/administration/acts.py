"""What pages of the administration have in common: acts that go through the services, and rows to look at."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect, RelatedFieldWidgetWrapper
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import BLANK_CHOICE_DASH, Model, QuerySet
from django.forms import ChoiceField, Media, ModelChoiceField, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal
from accounts.lists import each_word, folded
from accounts.models import User
from portal.console.frame.changes import Changes

# By what a column shows, not as Django would: by number, or by octets, where Ö stands behind Z.
NAMES = {
    "name": "name",
    "user": "user__email",
    "provider": "provider__name",
    "customer": "customer__name",
    "tenant__name": "tenant__name",
}
NOTHING_CHOSEN = _("Please choose")


class InOurOrder(ChangeList):
    """A list in which names stand where our other lists have them."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return [_in_our_order(part) for part in super().get_ordering(request, queryset)]

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """What was left open in the form above a list is not asked for."""
        asked = super().get_filters_params(params)
        return {name: values for name, values in asked.items() if any(values)}

    def get_filters(self, request: HttpRequest) -> Any:
        """Of a year that is none, or the last one, Django makes an error of ours."""
        try:
            return super().get_filters(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error


def _in_our_order(part: Any) -> Any:
    if not isinstance(part, str) or part.removeprefix("-") not in NAMES:
        return part
    name = folded(NAMES[part.removeprefix("-")])
    return name.desc() if part.startswith("-") else name.asc()


class InOurLook(admin.ModelAdmin):
    """Lists that are drawn by our templates and sheets alone. Forms bring what their fields need: the choice among many is
    Django's script, and its sheet.
    """

    empty_value_display = "\N{EN DASH}"
    show_facets = admin.ShowFacets.NEVER
    column_classes: ClassVar[dict[str, str]] = {}  # as our own tables have them
    codes: ClassVar[tuple[str, ...]] = ()  # what is no text in any language: from left to right everywhere
    view_on_site = False  # no row has another page

    @property
    def media(self) -> Media:
        return Media()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return InOurOrder

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Word by word and by plain letters, as our other lists, and without doubles."""
        fields = self.get_search_fields(request)
        return (queryset.filter(each_word(search_term, *fields)) if fields else queryset), False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """What the list itself offers to filter by. By anything else it could be searched, letter by letter, for what it
        does not show, such as password hashes; and some questions the database takes for an error of ours.
        """
        offered = {f"{name}__{how}" for name in self.list_filter for how in ("exact", "id__exact", "isnull")}
        return lookup in offered | {f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day")}

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **options: Any
    ) -> Any:
        """Raises BadRequest for what is no key of a row, which no list offers to choose."""
        for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
            try:
                self.opts.pk.clean(key, None)
            except ValidationError as error:
                raise BadRequest("a row that can't be") from error
        return super().response_action(request, queryset, *args, **options)


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


class ReadOnly(InOurLook):
    """To look at. Nobody adds, changes or deletes here, superusers included."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def in_words(field: str, label: Any) -> Callable[[Any], Any]:
    """A column that says yes or no, where Django has a green or red sign."""

    @admin.display(description=label, ordering=field)
    def said(obj: Any) -> Any:
        return _("yes") if getattr(obj, field) else _("no")

    said.__name__ = field
    return said


def staff_of(request: HttpRequest) -> User:
    """Nobody else comes to a page of the administration."""
    assert isinstance(request.user, User)
    return request.user


def become(unsaved: Any, saved: Model) -> None:
    """The admin goes on with the object of its form; let that one be the row that the service has made."""
    unsaved.__dict__.update(saved.__dict__)
