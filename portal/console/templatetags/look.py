"""The parts that every page is made of, as far as a tag writes them faster or plainer than an included template."""

import re
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format, get_format
from django.utils.html import conditional_escape, format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext

from accounts.names import visible
from tenants.activity import Who

register = template.Library()

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
RELATIVE_DAYS = 30  # from then on people think in dates
TILES = 4  # colours of tiles
OF_ONE_LIST = ("page", "seen")  # so names in an address begin that say which part is shown, and how it was
# Before these signs, and after those; a full stop at the end of a text is no part of what stands before it.
PARTS = re.compile(r"(?=[@.]\w)|(?<=[-/])(?!/)(?=.)")
FINGERPRINT = re.compile(r"\b[0-9a-f]{32}\b")
ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
NOTICE_PICTURES = {
    "info": "info",
    "success": "circle-check",
    "warning": "triangle-alert",
    "error": "octagon-alert",
    "lock": "lock",
}


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """One of the sprite's pictures. It says nothing to a screen reader: the word beside it does."""
    return _icon(name, extra)


@cache
def _icon(name: str, extra: str) -> SafeString:
    return format_html(
        '<svg class="i{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {extra}" if extra else "",
        static("portal/icons.svg"),
        name,
    )


@register.inclusion_tag("frame/column.html", takes_context=True)
def column(context: dict[str, Any], key: str, label: str, first: str = "", kind: str = "") -> dict[str, Any]:
    """A column's heading that sorts by it, and the other way round when pressed again. The page has its order as `sort`.

    `first` is "-" for columns whose large or late values are asked for first; `kind` is the cell's class.
    """
    sort = context["sort"]
    up, down = key, f"-{key}"
    following = {up: down, down: up}.get(sort, first + key)
    order = {up: "ascending", down: "descending"}.get(sort, "")
    query = urlencode([*_of_any_list(context["request"], but="sort"), ("sort", following)])
    return {"key": key, "label": label, "query": query, "order": order, "kind": kind}


@register.inclusion_tag("frame/search.html", takes_context=True)
def search(
    context: dict[str, Any], label: str, placeholder: str, show_all: str = "", found: str = "", note: str = ""
) -> dict[str, Any]:
    """The form that searches a list by what the page has as `q`. It keeps what else the address asks for, such as the
    order, but begins at the list's first page. `show_all` is where the list is without a search; `note` stands beside
    `found` where the list is a table.
    """
    return {
        "name": "q",
        "q": context["q"],
        "label": label,
        "placeholder": placeholder,
        "show_all": show_all,
        "found": found,
        "note": note,
        "kept": _of_any_list(context["request"], but="q"),
    }


def _of_any_list(request: HttpRequest, but: str) -> list[tuple[str, str]]:
    """What an address asks for that holds for a list in another order, or of another search, too."""
    asked = ((name, str(value)) for name, value in request.GET.items())
    return [(name, value) for name, value in asked if name != but and not name.startswith(OF_ONE_LIST)]


@register.simple_tag(takes_context=True)
def to_page(context: dict[str, Any], number: int, key: str = "", name: str = "") -> str:
    """The address of another page of a list. With `key` it is that of a second one, below the heading with this id; `name`
    is what counts the pages where that is not "page", as in the administration.
    """
    query = context["request"].GET.copy()
    query[f"page-{key}" if key else name or "page"] = str(number)
    return f"?{query.urlencode()}{'#' if key else ''}{key}"


@register.simple_block_tag(takes_context=True)
def dialog(
    context: Context,
    content: SafeString,
    key: str,
    *,
    verb: str,
    title: str,
    action: str,
    name: str = "",
    value: str = "",
    kind: str = "",
) -> SafeString:
    """A button and the question that it opens: for an act that hurts and can't simply be taken back.

    What stands in the block says what the act costs, and goes into the form. `key` is unique on the page; `verb` stands
    on both buttons, `title` names act and object; `action` is where the form goes, with `name` and `value` of its button;
    `kind` is "tiny" in rows.
    """
    said = {"verb": verb, "title": title, "action": action, "name": name, "value": value, "kind": kind}
    return _around(context, "frame/dialog.html", content=content, key=key, **said)


@register.simple_block_tag(takes_context=True)
def notice(
    context: Context, content: SafeString, kind: str, picture: str = "", role: str = "", shown_by: str = ""
) -> SafeString:
    """A line across the page that says what, why, and the next step: a paragraph or a <div> of several, then perhaps acts.

    `kind` is "info", "success", "warning", "error" or "lock", and has its picture, if there is none that says more.
    `role` is "alert" for what answers something that was just done, and is to be read aloud at once. A script shows what
    is hidden until then; it finds it by the attribute `shown_by`.
    """
    said = {"kind": kind, "picture": picture or NOTICE_PICTURES[kind], "role": role, "shown_by": shown_by}
    return _around(context, "frame/notice.html", content=content, **said)


@register.simple_block_tag(takes_context=True)
def nothing(context: Context, content: SafeString, title: str = "", drawn: bool = False) -> SafeString:
    """In place of a list that is empty: why, and how it begins. It is `drawn` where people see it on their first day."""
    return _around(context, "frame/nothing.html", content=content, title=title, drawn=drawn)


def _around(context: Context, template_name: str, **said: Any) -> SafeString:
    """The part's template around what stands in the block. `said` has all that it reads, or it would be the page's."""
    assert context.template is not None
    part = context.template.engine.get_template(template_name)
    with context.push(**said):
        return part.render(context)


@register.simple_tag
def crumb(name: str, to: str = "", *args: object) -> SafeString:
    """A place on the way to a page, as {% url %} is asked for it or as an address; the last one, without, is the page.

    Each has a direction of its own: names of customers and mailboxes stand among words of the reader's language.
    """
    if not to:
        return format_html('<span aria-current="page" dir="auto">{}</span>', name)
    return format_html(
        '<a href="{}" dir="auto">{}</a>{}', resolve_url(to, *args), name, icon("chevron-right", "i-flip")
    )


@register.simple_tag
def ago(at: datetime | None) -> SafeString:
    """How long ago something was."""
    return _time(at, relative(at)) if at else _not_yet()


@register.filter
def when(at: datetime | None) -> SafeString:
    """A time as on the reader's clock, with the zone; as a filter, for sentences have a place for it: `with at=...|when`."""
    if at is None:
        return _not_yet()
    here = timezone.localtime(at)
    return _time(at, f"{date_format(here, 'SHORT_DATETIME_FORMAT')} {date_format(here, 'T')}")


@register.filter
def to_the_second(at: datetime) -> SafeString:
    """The exact time in sight, for documents that prove something."""
    return _time(at, _exact(at))


@register.filter
def in_fours(text: str) -> str:
    """Each fingerprint in it as people compare it."""
    return FINGERPRINT.sub(lambda found: " ".join(re.findall(".{1,4}", found[0])), text)


@register.filter
def clock(at: datetime, zone: str = "") -> SafeString:
    """The time of a day that is known; with "T" its zone, too."""
    return _time(at, date_format(timezone.localtime(at), f"H:i:s {zone}".strip()))


def _time(at: datetime, shown: str) -> SafeString:
    """With the exact time on hover and focus.

    It has a direction of its own, or in Arabic the zone would join what follows.
    """
    return format_html(
        '<time datetime="{}" title="{}" tabindex="0" dir="auto">{}</time>', at.isoformat(), _exact(at), shown
    )


def _exact(at: datetime) -> str:
    here = timezone.localtime(at)
    return date_format(
        here, f"{get_format('SHORT_DATE_FORMAT')} H:i:s T"
    )  # at once: a list has three in each row


@register.filter
def named(who: Who) -> SafeString:
    """Who did something, by name, with the address on hover and focus; as a filter, for sentences have a place for it."""
    name = breakable_addresses(who.name)
    if who.email in ("", who.name):
        return format_html("<bdi>{}</bdi>", name)
    return format_html('<bdi class="who" title="{}" tabindex="0">{}</bdi>', who.email, name)


def _not_yet() -> SafeString:
    return format_html('<span class="faint">{}</span>', gettext("not yet"))


def relative(at: datetime) -> str:
    """“9 h ago”; of what is longer ago than a month the date. A clock that runs ahead makes nothing of the future."""
    seconds = int((timezone.now() - at).total_seconds())
    if seconds < MINUTE:
        return gettext("just now")
    if seconds < HOUR:
        return gettext("%(count)d min ago") % {"count": seconds // MINUTE}
    if seconds < DAY:
        return gettext("%(count)d h ago") % {"count": seconds // HOUR}
    if seconds < RELATIVE_DAYS * DAY:
        return pgettext("days", "%(count)d d ago") % {"count": seconds // DAY}
    return date_format(timezone.localtime(at), "SHORT_DATE_FORMAT")


def _first_letter(word: str) -> str:
    """Before it there may be quotes and brackets; of what has no letter it is the sign that comes first."""
    return next(filter(str.isalnum, word), word[0])


@register.filter
def breakable(value: object) -> SafeString:
    """An address, a URL or an ID that breaks between its parts rather than within, where it does not fit a line.

    Browsers know a place to break at some dashes and slashes only, by what follows, and at no dot.
    """
    return SafeString(PARTS.sub("<wbr>", conditional_escape(str(value))))


@register.filter
def breakable_addresses(sentence: object) -> SafeString:
    """A sentence whose email addresses break as breakable() has them, and no other word."""
    return SafeString(
        ADDRESS.sub(lambda found: PARTS.sub("<wbr>", found[0]), conditional_escape(str(sentence)))
    )


@register.simple_tag
def tile(name: str, extra: str = "") -> SafeString:
    """An arch with a name's first letters, to be found again by its colour; `extra` is "face" for people, and "tile-l" for large."""
    words = visible(name).split()
    letters = "".join(_first_letter(word) for word in words[: 2 if "face" in extra else 1]).upper()
    return format_html(
        '<span class="tile tile-{}{}" aria-hidden="true">{}</span>',
        sum(map(ord, name)) % TILES + 1,
        f" {extra}" if extra else "",
        letters,
    )
