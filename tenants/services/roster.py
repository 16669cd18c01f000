"""The lists of people: who is there, and who has been asked to come."""

from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf

from accounts.actors import Actor
from accounts.lists import each_word, folded, sorted_by
from accounts.second_factor import FACTORS
from tenants.access import require
from tenants.errors import NoSuchMember
from tenants.models import Invitation, Membership
from tenants.services.authority import Place, placed, viewing

# What ?sort= may say: whoever has no name is sorted by address.
SORTABLE: dict[str, Any] = {
    "name": folded(Coalesce(NullIf("user__name", Value("")), "user__email")),
    "email": F("user__email"),
    "role": F("role"),
    "second_factor": F("has_second_factor"),
    "last_login": F("user__last_login"),
}


def members(place: Place, *, by: Actor, search: str = "", sort: str = "name") -> QuerySet[Membership]:
    """Who has a role there and each word of `search` in name or address, with `has_second_factor`.

    `sort` is one of SORTABLE, with "-" for descending. Raises NotAllowed.
    """
    require(by, place, viewing(place))
    factors = Authenticator.objects.filter(user=OuterRef("user"), type__in=FACTORS)
    found = (
        Membership.objects.filter(**placed(place))
        .select_related("user")
        .prefetch_related("customers")
        .annotate(has_second_factor=Exists(factors))
    )
    found = found.filter(each_word(search, "user__name", "user__email"))
    return sorted_by(found, SORTABLE, sort, SORTABLE["name"], "user__email", "pk")


def member(place: Place, pk: int, *, by: Actor) -> Membership:
    """One of them. Raises NotAllowed; NoSuchMember, also for somebody of another place."""
    found = members(place, by=by).filter(pk=pk).first()
    if found is None:
        raise NoSuchMember
    return found


def invited(place: Place, *, by: Actor, search: str = "") -> QuerySet[Invitation]:
    """Who has been asked and is not there yet, the newest first; expired ones stay, so that somebody sees to them.

    Raises NotAllowed.
    """
    require(by, place, viewing(place))
    still_open = Invitation.objects.filter(accepted_at=None, withdrawn_at=None, **placed(place))
    found = still_open.filter(each_word(search, "email"))
    return found.prefetch_related("customers").order_by("-expires_at", "pk")
