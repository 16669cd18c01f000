"""Who may translate the portal at /rosetta/, and what becomes of what they save there."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import to_locale
from rosetta.signals import post_save

from portal.languages import catalogs

GROUP = "translators"


def group_of(user: Any) -> QuerySet[Group]:
    """The group, if staff have put the person into it."""
    return user.groups.filter(name=GROUP)


def may_translate(user: Any) -> bool:
    """Platform staff, and whoever staff have put into the group. False for who has not signed in yet.

    Raises PermissionDenied for who has: the sign-in, where Rosetta leads those whom it does not let in, would lead
    them straight back.
    """
    if not user.is_authenticated or not user.is_active:
        return False
    if not user.is_staff and not group_of(user).exists():
        raise PermissionDenied
    return True


def no_such_page(request: HttpRequest, **place: str) -> HttpResponse:
    """In the place of Rosetta's pages for the texts of libraries: translators are there for ours."""
    raise Http404


@receiver(post_save)
def tell_what_stays_english(request: HttpRequest, language_code: str, **kwargs: Any) -> None:
    """Rosetta saves whatever was typed; what is left out when catalogs are compiled only we can tell."""
    for folder in settings.LOCALE_PATHS:
        for text in catalogs.left_out(Path(folder) / to_locale(language_code) / "LC_MESSAGES" / "django.po"):
            messages.warning(
                request,
                _(
                    "“%(text)s” stays English: its translation must have the same placeholders and tags, and no "
                    "straight quotation mark, line break or address of its own."
                )
                % {"text": text},
            )
