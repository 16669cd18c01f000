"""What the frame around each page shows: where one is, where one may go, and what may be searched there."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import Exists
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from portal.console.frame.places import AT_BASE, AT_CUSTOMER, Place
from portal.gates.branding import Dress, dress_of
from portal.gates.links import at_base, base_url
from portal.languages.translators import group_of
from tenants.access import Right, customers_of, providers_of, rights_of
from tenants.models import Customer, Provider


class _Beyond(NamedTuple):
    """What a person may beside the customer's console."""

    works_for_provider: bool
    enters_other_customers: bool
    translates: bool


@dataclass
class Frame:
    """Where a person may go from a page of this host. Asks the database for what the page shows, and once."""

    request: HttpRequest
    customer: Customer | None
    rights: frozenset[Right]

    @property
    def base_url(self) -> str:
        return base_url(self.request)

    @property
    def customers_url(self) -> str:
        return base_url(self.request, "/customers/")

    @property
    def administration_url(self) -> str:
        """Empty for who may not enter it."""
        return base_url(self.request, "/admin/") if self.request.user.is_staff else ""

    @cached_property
    def translations_url(self) -> str:
        user = self.request.user
        may = user.is_staff or (self._beyond.translates if self.customer else group_of(user).exists())
        return base_url(self.request, "/rosetta/") if may else ""

    @property
    def of_staff(self) -> bool:
        """Whether the rail leads into the administration, too: platform staff's, on the host where that is."""
        return self.request.user.is_staff and at_base(self.request)

    @cached_property
    def dress(self) -> Dress | None:
        """Whose look the page has: the customer's provider's, or that of the one provider where the person works."""
        if self.customer is not None:
            return dress_of(self.customer.provider)
        return dress_of(self._providers[0]) if len(self._providers) == 1 else None

    @property
    def own_dress(self) -> Dress | None:
        """The same, of who has decided about it: on top of the rail, where else Gatehouse stands."""
        return self.dress if self.dress is not None and self.dress.is_own else None

    @property
    def at_provider(self) -> bool:
        """Whether the person works for the customer's provider."""
        return self.customer is not None and self._beyond.works_for_provider

    @property
    def may_switch(self) -> bool:
        """Whether they may enter other customers, too."""
        return self.at_provider or (self.customer is not None and self._beyond.enters_other_customers)

    @cached_property
    def places(self) -> list[dict[str, Any]]:
        """The pages that the person may go to from any page of this host: name, url, icon, and as `current` what
        aria-current says of it: "page" there, "true" on a page below it.
        """
        here = _whence(self.request)
        found = []
        for place in self._allowed():
            if url := _url_of(place.view):
                current = ("page" if self.request.path == url else "true") if here.startswith(url) else ""
                name = (place.beside_lists if self.of_staff else "") or place.label
                found.append({"name": name, "url": url, "icon": place.icon, "current": current})
        return found

    @property
    def search_at(self) -> str:
        """What the field in the bar looks in; empty where there is none."""
        return _url_of(self._searched.view) if self._searched else ""

    @property
    def search_for(self) -> Any:
        """What it says."""
        return self._searched.find if self._searched else ""

    @cached_property
    def _searched(self) -> Place | None:
        if self.customer is not None:
            places = AT_CUSTOMER
        elif self._providers:  # others enter few customers, if any
            places = AT_BASE
        else:
            return None
        return next(place for place in places if place.find)

    def _allowed(self) -> list[Place]:
        if self.rights:
            return [place for place in AT_CUSTOMER if place.right in self.rights]
        held = {right for provider in self._providers for right in rights_of(self.request.user, provider)}
        anybodys = bool(self._providers) or self.of_staff
        return [place for place in AT_BASE if (place.right in held if place.right else anybodys)]

    @cached_property
    def _providers(self) -> list[Provider]:
        """Not on a host that does not exist either, or that would tell it from a customer's."""
        if not at_base(self.request):
            return []
        return list(providers_of(self.request.user).select_related("branding"))

    @cached_property
    def _beyond(self) -> _Beyond:
        """In one question: every page has a frame."""
        assert self.customer is not None
        user = self.request.user
        asked = (
            Exists(providers_of(user).filter(pk=self.customer.provider_id)),
            Exists(customers_of(user).exclude(pk=self.customer.pk)),
            Exists(group_of(user)),
        )
        return _Beyond(*Customer.objects.filter(pk=self.customer.pk).values_list(*asked).get())


@dataclass(frozen=True)
class Door:
    """At whose door somebody stands who has not signed in: all that strangers are told of them."""

    dress: Dress
    customer: str = ""  # its name


def frame(request: HttpRequest) -> dict[str, Any]:
    """`customer` and `rights` of the console that the person may use, the `frame`, which shows where they may go, and on a
    customer's host the `door`.

    Who has signed in and has no role there sees no customer at all, and no door either.
    """
    rights: frozenset[Right] = getattr(request, "rights", frozenset())
    here: Customer | None = getattr(request, "customer", None)
    customer = here if rights else None
    # An error page may be rendered before it is known who asks, or for a host that is none of ours.
    known = getattr(request, "user", None) is not None
    at_door = here is not None and known and (rights or not request.user.is_authenticated)
    return {
        "door": Door(dress_of(here.provider), here.name) if here is not None and at_door else None,
        "customer": customer,
        "rights": rights,
        "frame": Frame(request, customer, rights) if known else None,
    }


def _whence(request: HttpRequest) -> str:
    """The path, or on the way to another customer that of the page from which one goes there."""
    return request.GET.get("from", "") if request.path == _url_of("switch") else request.path


def _url_of(view: str) -> str:
    """Empty where this host has no such page."""
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""
