"""What the frame around each page shows of the tenancy."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from tenants.access import Right, customers_of
from tenants.links import base_url, console_url

SWITCHER_LENGTH = 20  # more are found through the list of customers


def frame(request: HttpRequest) -> dict[str, Any]:
    """`customer` and `rights` of the console that the person may use, and the customers that they may switch to.

    A stranger on a customer's host sees no customer at all: its name is no public knowledge.
    `customers_to_switch` holds up to 20 of name, url and current; `customers_url` leads to all of them.
    """
    rights: frozenset[Right] = getattr(request, "rights", frozenset())
    # An error page may be rendered before it is known who asks, or for a host that is none of ours.
    known = getattr(request, "user", None) is not None
    return {
        "customer": getattr(request, "customer", None) if rights else None,
        "rights": rights,
        "customers_to_switch": SimpleLazyObject(lambda: _to_switch(request)) if known else [],
        "customers_url": base_url(request, "/customers/") if known else "",
        "base_url": base_url(request) if known else "",
    }


def _to_switch(request: HttpRequest) -> list[dict[str, Any]]:
    current = getattr(request, "customer", None)
    return [
        {
            "name": customer.name,
            "slug": customer.slug,
            "url": console_url(customer, request),
            "current": customer == current,
        }
        for customer in customers_of(request.user).order_by("name", "pk")[:SWITCHER_LENGTH]
    ]
