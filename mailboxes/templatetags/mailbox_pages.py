"""What the console's templates need beyond Django's own tags."""

from typing import Any

from django import template

from mailboxes.models import Mailbox

register = template.Library()

# Colour only supports the text beside it.
TONES = {Mailbox.Status.ACTIVE: "ok", Mailbox.Status.SUSPENDED: "warn", Mailbox.Status.DELETING: "muted"}


@register.inclusion_tag("mailboxes/column.html", takes_context=True)
def column(context: dict[str, Any], key: str, label: str, first: str = "", kind: str = "") -> dict[str, Any]:
    """A column's heading that sorts by it, and the other way round when pressed again.

    `first` is "-" for columns whose large or late values are asked for first; `kind` is the cell's class.
    """
    sort = context["sort"]
    up, down = key, f"-{key}"
    following = {up: down, down: up}.get(sort, first + key)
    order = {up: "ascending", down: "descending"}.get(sort, "")
    query = context["request"].GET.copy()
    query["sort"] = following
    query.pop("page", None)
    return {"label": label, "query": query.urlencode(), "order": order, "kind": kind}


@register.filter
def tone(status: str) -> str:
    """The badge class of a mailbox's status."""
    return TONES.get(Mailbox.Status(status), "muted")
