"""What the frame around each page shows: where one is, where one may go, and what may be searched there."""

from typing import Any

from django.db.models import Exists
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from portal.console.frame.places import AT_BASE, AT_CUSTOMER, Place
from portal.gates.links import at_base, base_url
from portal.languages.translators import group_of
from tenants.access import Right, customers_of, providers_of, rights_of
from tenants.models import Customer


def frame(request: HttpRequest) -> dict[str, Any]:
    """`customer` and `rights` of the console that the person may use, and where they may go from there.

    A stranger on a customer's host sees no customer at all: its name is no public knowledge.
    `administration_url` and `translations_url` lead there whoever may enter, and are empty for others.
    `places` are the pages of this host, as name, url, icon and current; `customers_url` leads to all customers;
    `at_provider` is whether the person works for the customer's provider, `may_switch` whether they may enter other
    customers, too; `search_at` and `search_for` are what the field in the bar looks in and says.
    """
    rights: frozenset[Right] = getattr(request, "rights", frozenset())
    # An error page may be rendered before it is known who asks, or for a host that is none of ours.
    known = getattr(request, "user", None) is not None
    customer = getattr(request, "customer", None) if rights else None

    def translations() -> str:
        may = request.user.is_staff or (beyond[2] if customer else group_of(request.user).exists())
        return base_url(request, "/rosetta/") if may else ""

    context: dict[str, Any] = {
        "customer": customer,
        "rights": rights,
        "customers_url": base_url(request, "/customers/") if known else "",
        "base_url": base_url(request) if known else "",
        "administration_url": base_url(request, "/admin/") if known and request.user.is_staff else "",
        "translations_url": SimpleLazyObject(translations) if known else "",
        "places": SimpleLazyObject(lambda: _places(request, rights)) if known else [],
    }
    if customer is not None:
        beyond = SimpleLazyObject(lambda: _beyond(request.user, customer))
        context |= {
            "at_provider": SimpleLazyObject(lambda: beyond[0]),
            "may_switch": SimpleLazyObject(lambda: beyond[0] or beyond[1]),
            **_search(AT_CUSTOMER),
        }
    elif known and at_base(request):
        # Where the rail leads nowhere there is nothing to be found either.
        search = _search(AT_BASE)
        context |= search | {"search_at": SimpleLazyObject(lambda: context["places"] and search["search_at"])}
    return context


def _search(places: tuple[Place, ...]) -> dict[str, Any]:
    return next(
        {"search_at": _url_of(place.view), "search_for": place.find} for place in places if place.find
    )


def _places(request: HttpRequest, rights: frozenset[Right]) -> list[dict[str, Any]]:
    """The pages that the person may go to from any page of this host: name, url, icon, and as `current` what
    aria-current says of it: "page" there, "true" on a page below it.
    """
    if rights:
        may = [place for place in AT_CUSTOMER if place.right in rights]
    else:
        # Not on a host that does not exist either, or that would tell it from a customer's.
        providers = list(providers_of(request.user)) if at_base(request) else []
        held = {right for provider in providers for right in rights_of(request.user, provider)}
        may = [place for place in AT_BASE if providers and (place.right is None or place.right in held)]
    here = _whence(request)
    found = []
    for place in may:
        if url := _url_of(place.view):
            current = ("page" if request.path == url else "true") if here.startswith(url) else ""
            found.append({"name": place.label, "url": url, "icon": place.icon, "current": current})
    return found


def _whence(request: HttpRequest) -> str:
    """The path, or on the way to another customer that of the page from which one goes there."""
    return request.GET.get("from", "") if request.path == _url_of("switch") else request.path


def _beyond(user: Any, customer: Customer) -> tuple[bool, bool, bool]:
    """Whether the person works for the customer's provider, may enter other customers, and is one of the translators.

    In one question: every page has a frame.
    """
    works_there = providers_of(user).filter(pk=customer.provider_id)
    others = customers_of(user).exclude(pk=customer.pk)
    asked = (Exists(works_there), Exists(others), Exists(group_of(user)))
    return Customer.objects.filter(pk=customer.pk).values_list(*asked).get()


def _url_of(view: str) -> str:
    """Empty where this host has no such page."""
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""
