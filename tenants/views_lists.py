"""What the lists of customers and of people have in common."""

from typing import Any

from django.http import HttpRequest


def searched(request: HttpRequest) -> str:
    """What ?q= looks for."""
    # PostgreSQL takes no NUL, and what nobody can type need not be an error.
    return request.GET.get("q", "").replace("\x00", "").strip()


def column(title: Any, key: str, sort: str, *, numeric: bool = False) -> dict[str, Any]:
    """A head cell: its link sorts by it, or the other way round when the list is sorted by it already."""
    order = {key: "ascending", f"-{key}": "descending"}.get(sort, "") if key else ""
    return {
        "title": title,
        "numeric": numeric,
        "order": order,
        "link": f"-{key}" if order == "ascending" else key,
    }
