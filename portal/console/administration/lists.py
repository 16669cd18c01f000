"""The lists of the administration, and rows that are there to be looked at."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.lists import each_word, folded

# By what a column shows, not as Django would: by number, or by octets, where Ö stands behind Z.
NAMES = {
    "name": "name",
    "user": "user__email",
    "provider": "provider__name",
    "customer": "customer__name",
    "tenant__name": "tenant__name",
}


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
