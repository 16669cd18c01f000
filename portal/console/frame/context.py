"""What the frame around each page shows of the tenancy."""

from contextlib import suppress
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from portal.gates.links import base_url, console_url
from tenants.access import Right, customers_of, providers_of, rights_of

SWITCHER_LENGTH = 20  # more are found through the list of customers


def frame(request: HttpRequest) -> dict[str, Any]:
    """`customer` and `rights` of the console that the person may use, and the customers that they may switch to.

    A stranger on a customer's host sees no customer at all: its name is no public knowledge.
    `customers_to_switch` holds up to 20 of name, url and current; `customers_url` leads to all of them; `places` are
    the pages of this host, as name, url and current.
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
        "places": SimpleLazyObject(lambda: _places(request, rights)) if known else [],
    }


def _places(request: HttpRequest, rights: frozenset[Right]) -> list[dict[str, Any]]:
    """The pages that the person may go to from any page of this host: name, url, and whether one is there now."""
    if rights:
        wanted = [
            (_("Mailboxes"), "mailboxes:list", Right.VIEW_MAILBOXES in rights),
            (_("People"), "people", Right.VIEW_PEOPLE in rights),
            (_("Activity"), "activity", Right.VIEW_ACTIVITY in rights),
        ]
    else:
        # Not on a host that does not exist either, or that would tell it from a customer's.
        elsewhere = getattr(request, "customer", None) or getattr(request, "host_is_unknown", False)
        providers = [] if elsewhere else list(providers_of(request.user))
        at_providers = {right for provider in providers for right in rights_of(request.user, provider)}
        wanted = [
            (_("Customers"), "customers", bool(providers)),
            (_("Team"), "team", Right.VIEW_TEAM in at_providers),
            (_("Activity"), "activity", Right.VIEW_TEAM_ACTIVITY in at_providers),
        ]
    found = []
    for name, view, allowed in wanted:
        with suppress(NoReverseMatch):
            if allowed:
                url = reverse(view)
                found.append({"name": name, "url": url, "current": request.path.startswith(url)})
    return found


def _to_switch(request: HttpRequest) -> list[dict[str, Any]]:
    current = getattr(request, "customer", None)
    return [
        {
            "name": customer.name,
            "url": console_url(customer, request),
            "current": customer == current,
        }
        for customer in customers_of(request.user).order_by("name", "pk")[:SWITCHER_LENGTH]
    ]
