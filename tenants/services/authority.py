"""Who may decide about other people's roles, and how far: the rules that every verb on people asks under one lock."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.actors import Actor, System
from accounts.models import User
from tenants.access import (
    CUSTOMER_RIGHTS,
    PLATFORM,
    PROVIDER_RIGHTS,
    ROLE_RIGHTS,
    Right,
    hold_people,
    require,
    rights_of,
)
from tenants.errors import InvalidLimit, InvalidRole, LastOwner, MoreThanOwn
from tenants.models import Customer, Invitation, Membership, Provider

Place = Provider | Customer

MOST_NAMED = 5  # customers in an invitation: beyond that nobody reads a list


def placed(place: Place) -> dict[str, Any]:
    """The place as memberships and invitations name it."""
    if isinstance(place, Provider):
        return {"provider": place, "customer": None}
    return {"provider": None, "customer": place}


def place_of(row: Any) -> Place:
    """Where a membership or an invitation holds."""
    return row.provider or row.customer


def limit_of(row: Any) -> list[Customer] | None:
    """The customers that a membership or an invitation is limited to; None means all, those to come too."""
    return sorted(row.customers.all(), key=_by_slug) if row.limited else None


def named_limit_of(row: Any) -> dict[str, Any]:
    """The limit as its person is told it: some customers' names, and how many `more` there are. Without one, nothing."""
    limit = limit_of(row) or []
    names = [customer.get_mail_name() for customer in limit[:MOST_NAMED]]
    return {"customers": names, "more": len(limit[MOST_NAMED:])}


def limit_to(row: Any, customers: Collection[Customer] | None) -> None:
    """Write down a checked limit, of which limit_of() tells."""
    row.limited = customers is not None
    row.save(update_fields=["limited"])
    row.customers.set(customers or ())


def named(limit: Collection[Customer] | None, key: str = "customers") -> dict[str, list[str]]:
    """A limit as the audit trail tells it: without one, nothing."""
    return {} if limit is None else {key: [customer.slug for customer in limit]}


def roles_at(place: Place) -> tuple[Membership.Role, ...]:
    """The roles that exist there, the one that allows most first."""
    return Membership.PROVIDER_ROLES if isinstance(place, Provider) else Membership.CUSTOMER_ROLES


def lock(place: Place) -> None:
    """Until the transaction ends nobody else decides about people there: what is checked now still holds at the end.

    Always before any row of a membership or invitation. Leaves rows that refer to the place free to come.
    """
    rows: Any = type(place)._default_manager.select_for_update(no_key=True)
    rows.values_list("pk").get(pk=place.pk)


def lock_all(places: Collection[Place]) -> None:
    """lock() for several, in an order in which two who do so don't wait for each other."""
    for place in sorted(set(places), key=lambda place: (isinstance(place, Provider), str(place.pk))):
        lock(place)


def hold_to_change(user: User, *, by: Actor, places: Callable[[User], Iterable[Place]]) -> User:
    """The person as they are now: until the transaction ends nobody else changes them or who acts, decides about people
    at what `places` says are theirs, or gives them a role anywhere. Raises NotAllowed for who may not change people any
    more.
    """
    while True:
        known = set(places(User.objects.get(pk=user.pk)))
        with transaction.atomic():
            lock_all(known)
            hold_people(user, by, changed=user)
            current = User.objects.get(pk=user.pk)
            if known.issuperset(places(current)):
                require(by, PLATFORM, Right.CHANGE_PERSON)
                return current
            # There is another place meanwhile, whose turn is before people's: all are let go, and locked anew.
            transaction.set_rollback(True)


def managing(place: Place) -> Right:
    """The right to decide about others there."""
    return Right.MANAGE_TEAM if isinstance(place, Provider) else Right.MANAGE_PEOPLE


def viewing(place: Place) -> Right:
    """The right to know who is there."""
    return Right.VIEW_TEAM if isinstance(place, Provider) else Right.VIEW_PEOPLE


def may_manage(user: Any, place: Place) -> bool:
    """Whether the actor decides about others there."""
    return managing(place) in rights_of(user, place)


def may_found(user: Any, provider: Provider) -> bool:
    """Whether the person may ask the first owner in: platform staff, for as long as the provider has none."""
    owners = Membership.objects.filter(provider=provider, role=Membership.Role.OWNER)
    return isinstance(user, User) and Right.ADD_PROVIDER in rights_of(user, PLATFORM) and not owners.exists()


def may_found_customer(user: Any, customer: Customer) -> bool:
    """Whether the person may ask the first administrator in: who may create customers there, while this one has none."""
    admins = Membership.objects.filter(customer=customer, role=Membership.Role.ADMIN)
    may_create = Right.CREATE_CUSTOMER in rights_of(user, customer.provider)
    return isinstance(user, User) and may_create and not admins.exists()


def to_be_first_admin(customer: Customer) -> QuerySet[Invitation]:
    """Who has been asked to be it and is not there yet."""
    return Invitation.objects.filter(
        customer=customer, role=Membership.Role.ADMIN, accepted_at=None, withdrawn_at=None
    )


def to_be_first_owner(provider: Provider) -> QuerySet[Invitation]:
    """Who has been asked to be it and is not there yet."""
    return Invitation.objects.filter(
        provider=provider, role=Membership.Role.OWNER, accepted_at=None, withdrawn_at=None
    )


def may_change_superusers(by: Any) -> bool:
    """And make some. Other staff, who keep people's addresses in order, would make themselves more, or shut these out."""
    if isinstance(by, System):
        return True
    # Asked of the row, which may be another one than the actor's copy.
    return isinstance(by, User) and User.objects.filter(pk=by.pk, is_superuser=True).exists()


def givable_roles(user: Any, place: Place) -> tuple[Membership.Role, ...]:
    """The roles that the person may give and take there: none that allows more than their own."""
    if not may_manage(user, place):
        return ()
    own = _own_rights(user, place)
    return tuple(role for role in roles_at(place) if ROLE_RIGHTS[role] <= own)


def check_authority(
    by: Any, place: Place, *roles: str, customers: Collection[Customer] | None = None
) -> None:
    """Raises NotAllowed, or MoreThanOwn when a role or its reach goes beyond the person's own. It holds on under lock().

    `roles` are those that somebody has and shall have. `customers` is the reach asked for; None means all.
    """
    require(by, place, managing(place))
    if not set(roles) <= set(givable_roles(by, place)):
        raise MoreThanOwn
    own = None
    if isinstance(place, Provider) and not isinstance(by, System):
        own = _memberships(by, place).filter(limited=True).first()
    if own is not None and (customers is None or not set(customers) <= set(own.customers.all())):
        raise MoreThanOwn


def check_role(role: str, *, provider: Provider | None, customer: Customer | None) -> None:
    """Raises InvalidRole unless it is one of that place, ValueError unless exactly one place is given."""
    if provider is not None and customer is not None:
        raise ValueError("A role is held either at a provider or at a customer.")
    place = provider or customer
    if place is None:
        raise ValueError("A role is held at a provider or at a customer.")
    if role not in roles_at(place):
        names = _(", ").join(str(each.label) for each in roles_at(place))
        raise InvalidRole(
            role=dict(Membership.Role.choices).get(role, role),
            choices=names,
            codes=", ".join(roles_at(place)),
        )


def check_owner_stays(memberships: Collection[Membership]) -> None:
    """Raises LastOwner if without these a provider had no owner who can sign in. It holds on under lock()."""
    leaving = [membership.pk for membership in memberships]
    owners = Membership.objects.filter(role=Membership.Role.OWNER, user__in=User.objects.who_can_sign_in())
    others = owners.exclude(pk__in=leaving)
    for membership in memberships:
        is_owner = membership.role == Membership.Role.OWNER
        if is_owner and not others.filter(provider=membership.provider_id).exists():
            raise LastOwner


def refusal_of_leaving(membership: Membership) -> LastOwner | None:
    """Why nobody may take this role away, or give it up, as things stand; None if somebody may.

    For pages, which offer nothing that is always refused: the verbs ask again, under lock().
    """
    try:
        check_owner_stays([membership])
    except LastOwner as refusal:
        return refusal
    return None


def check_limit(place: Place, role: str, customers: Collection[Customer] | None) -> list[Customer] | None:
    """What may be given to limit_to(); None means all, and nobody is limited to nothing. Raises InvalidLimit."""
    if customers is None:
        return None
    limitable = isinstance(place, Provider) and role != Membership.Role.OWNER
    if not customers or not limitable or any(customer.provider_id != place.pk for customer in customers):
        raise InvalidLimit
    return sorted(set(customers), key=_by_slug)


def _by_slug(customer: Customer) -> str:
    return customer.slug


def _own_rights(user: Any, place: Place) -> frozenset[Right]:
    if isinstance(place, Customer):
        return rights_of(user, place)
    if isinstance(user, System):
        return PROVIDER_RIGHTS | CUSTOMER_RIGHTS
    roles = _memberships(user, place).values_list("role", flat=True)
    return frozenset().union(*(ROLE_RIGHTS[role] for role in roles))


def _memberships(user: Any, provider: Provider) -> Any:
    return Membership.objects.filter(user=user.pk, provider=provider)
