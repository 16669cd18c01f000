"""What the pages with a list have in common."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.lists import WORDS

PAGE_LENGTH = 50
SEARCH_LENGTH = 200


def searched(request: HttpRequest) -> str:
    """What ?q= looks for. Of more than anybody means the beginning counts, and the page says so."""
    text = request.GET.get("q", "").strip()
    words = text[:SEARCH_LENGTH].split()
    if len(text) <= SEARCH_LENGTH and len(words) <= WORDS:
        return text
    if "HX-Request" not in request.headers:  # a part that is asked for again has no place for it
        messages.warning(
            request,
            _("Only the first %(words)s words, and %(letters)s characters, were looked for.")
            % {"words": WORDS, "letters": SEARCH_LENGTH},
        )
    return " ".join(words[:WORDS])


def page_of(request: HttpRequest, found: Any, key: str = "") -> Page:
    """The page that ?page= asks for, or ?page-<key>= where a page has a second list.

    Wrong numbers are the first page or the last.
    """
    return Paginator(found, PAGE_LENGTH).get_page(request.GET.get(f"page-{key}" if key else "page"))
