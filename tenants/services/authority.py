"""Who may decide about other people's roles, and how far: the rules that every verb on people asks under one lock."""

from collections.abc import Collection
from typing import Any

from tenants.access import ROLE_RIGHTS, Right, provider_rights_of, rights_of
from tenants.errors import InvalidLimit, InvalidRole, MoreThanOwn, NotAllowed
from tenants.models import Customer, Membership, Provider

Place = Provider | Customer


def placed(place: Place) -> dict[str, Any]:
    """The place as memberships and invitations name it."""
    if isinstance(place, Provider):
        return {"provider": place, "customer": None}
    return {"provider": None, "customer": place}


def place_of(row: Any) -> Place:
    """Where a membership or an invitation holds."""
    return row.provider or row.customer


def roles_at(place: Place) -> tuple[Membership.Role, ...]:
    """The roles that exist there, the one that allows most first."""
    return Membership.PROVIDER_ROLES if isinstance(place, Provider) else Membership.CUSTOMER_ROLES


def lock(place: Place) -> None:
    """Until the transaction ends nobody else decides about people there: what is checked now still holds at the end.

    Always before any row of a membership or invitation. Leaves rows that refer to the place free to come.
    """
    rows: Any = type(place)._default_manager.select_for_update(no_key=True)
    rows.values_list("pk").get(pk=place.pk)


def may_manage(user: Any, place: Place) -> bool:
    """Whether the person decides about others there."""
    if isinstance(place, Provider):
        return Right.MANAGE_TEAM in provider_rights_of(user, place)
    return Right.MANAGE_PEOPLE in rights_of(user, place)


def givable_roles(user: Any, place: Place) -> tuple[Membership.Role, ...]:
    """The roles that the person may give and take there: none that allows more than their own."""
    if not may_manage(user, place):
        return ()
    own = _own_rights(user, place)
    return tuple(role for role in roles_at(place) if ROLE_RIGHTS[role] <= own)


def check_authority(
    by: Any, place: Place, *roles: str, customers: Collection[Customer] | None = None
) -> None:
    """Call it under lock(). Raises NotAllowed, or MoreThanOwn when a role or its reach goes beyond the person's own.

    `roles` are those that somebody has and shall have. `customers` is the reach asked for; None means all.
    """
    if not may_manage(by, place):
        raise NotAllowed
    if not set(roles) <= set(givable_roles(by, place)):
        raise MoreThanOwn
    if isinstance(place, Provider):
        own = set(Customer.objects.filter(limited_memberships__in=_memberships(by, place)))
        if own and (customers is None or not set(customers) <= own):
            raise MoreThanOwn


def check_role(role: str, *, provider: Provider | None, customer: Customer | None) -> None:
    """Raises InvalidRole unless it is one of that place, ValueError unless exactly one place is given."""
    if provider is not None and customer is not None:
        raise ValueError("A role is held either at a provider or at a customer.")
    place = provider or customer
    if place is None:
        raise ValueError("A role is held at a provider or at a customer.")
    if role not in roles_at(place):
        raise InvalidRole(role=role, choices=", ".join(roles_at(place)))


def check_limit(place: Place, role: str, customers: Collection[Customer] | None) -> list[Customer]:
    """The customers to write down; empty means all, so an empty choice is refused. Raises InvalidLimit."""
    if customers is None:
        return []
    limitable = isinstance(place, Provider) and role != Membership.Role.OWNER
    if not customers or not limitable or any(customer.provider_id != place.pk for customer in customers):
        raise InvalidLimit
    return sorted(set(customers), key=lambda customer: customer.slug)


def _own_rights(user: Any, place: Place) -> frozenset[Right]:
    if isinstance(place, Customer):
        return rights_of(user, place)
    roles = _memberships(user, place).values_list("role", flat=True)
    return frozenset().union(*(ROLE_RIGHTS[role] for role in roles))


def _memberships(user: Any, provider: Provider) -> Any:
    return Membership.objects.filter(user=user.pk, provider=provider)
