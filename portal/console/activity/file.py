"""The activity as a file for spreadsheets."""

import csv
import re
from collections.abc import Iterator
from datetime import tzinfo
from io import StringIO
from typing import Any

from django.utils import timezone, translation
from django.utils.formats import get_format
from django.utils.translation import gettext as _

from tenants.activity import Asked, Entry, Trail, read_all

# Spreadsheets run a cell that begins so as a formula (the last four are what they take for the first four). Where a
# cell begins is for the reader's program to say: it may separate by another sign than we do, and drop blanks and quotes.
FORMULA = re.compile(r"""((?:^|[;,\t\r\n])[\s"]*)(?=[=+\-@＝＋－＠])""")  # noqa: RUF001
BYTE_ORDER_MARK = "\ufeff"  # else Excel takes UTF-8 for something older


def lines(trail: Trail, asked: Asked) -> Iterator[str]:
    """The whole file in pieces, in the language and time zone in which it was asked for."""
    # Now, and not when the first piece is taken: the gate that knows the reader's clock is closed by then.
    return _pieces(trail, asked, translation.get_language(), timezone.get_current_timezone())


def harmless(cell: str) -> str:
    """The text, with a mark before all that a spreadsheet could take for the beginning of a formula."""
    return FORMULA.sub(r"\1'", cell)


def _pieces(trail: Trail, asked: Asked, language: str | None, zone: tzinfo) -> Iterator[str]:
    batches = read_all(trail, asked)
    across = bool(trail.providers)
    # Whoever serves the pieces may do other things between two of them.
    with translation.override(language):
        head = _written([_head(across)])
    yield BYTE_ORDER_MARK + head
    while True:
        with translation.override(language), timezone.override(zone):
            batch = next(batches, None)
            if batch is None:
                return
            piece = _written(_row(entry, across) for entry in batch)
        yield piece


def _head(across: bool) -> list[str]:
    customer = [_("Provider"), _("Customer")] if across else []
    return [
        _("Time"),
        *customer,
        _("Person"),
        _("Email address"),
        _("Belongs to"),
        _("IP address"),
        _("What"),
        _("Details"),
        _("Action"),
        _("ID of the object"),
        _("Vouched for by"),
    ]


def _row(entry: Entry, across: bool) -> list[str]:
    event = entry.event
    customer = [_name(entry.provider), _name(entry.customer)] if across else []
    return [
        timezone.localtime(event.at).isoformat(sep=" ", timespec="seconds"),
        *customer,
        entry.who.name,
        entry.who.email,
        str(entry.who.side.label) if entry.who.side else "",
        event.origin,
        entry.sentence,
        "\n".join(detail.plain for detail in entry.details),
        event.action,
        event.target_id,
        event.vouched_by,
    ]


def _name(place: Any) -> str:
    return place.name if place else ""


def _written(rows: Any) -> str:
    out = StringIO()
    csv.writer(out, delimiter=_separator()).writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def _separator() -> str:
    """What spreadsheets expect in the reader's language: where numbers have the comma, another sign is left for this."""
    return ";" if get_format("DECIMAL_SEPARATOR") == "," else ","
