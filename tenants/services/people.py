"""Who has which role where.

Two kinds of verbs. add_membership, change_role, remove_membership and create_member are the platform's, for commands
and the administration. change_member and remove_member are acts of the people of that place, who never give or take
more than they have.
"""

from collections.abc import Collection
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction

from accounts.actors import SYSTEM, Actor, System
from accounts.services import NewcomersSettings, create_person
from tenants import access, audit
from tenants.access import ROLE_RIGHTS, Right
from tenants.errors import AlreadyMember, NoSuchMember
from tenants.mails import notices
from tenants.merging import merged
from tenants.models import Customer, Membership, Provider
from tenants.services.authority import (
    Place,
    check_authority,
    check_limit,
    check_owner_stays,
    check_role,
    limit_of,
    limit_to,
    lock,
    managing,
    named,
    place_of,
    placed,
)
from tenants.services.withdrawal import withdraw_those_of


@transaction.atomic(durable=True)
def add_membership(
    user: Any,
    *,
    role: str,
    provider: Provider | None = None,
    customer: Customer | None = None,
    by: Actor,
) -> Membership:
    """Give the person a role at the provider or at the customer. They hear of it, unless the system does it.

    Raises NotAllowed, InvalidRole or AlreadyMember.
    """
    access.require(by, access.PLATFORM, Right.ADD_MEMBERSHIP)
    check_role(role, provider=provider, customer=customer)
    _lock_held(provider or customer, Right.ADD_MEMBERSHIP, user, by=by)
    return enrol(user, role=role, provider=provider, customer=customer, by=by, as_staff=True)


@transaction.atomic(durable=True)
def change_role(membership: Membership, *, role: str, by: Actor) -> None:
    """Another role, where somebody chose one, from the person's next request on. They hear of it, unless the system does it.

    Raises NotAllowed, InvalidRole, LastOwner (but the system itself may).
    """
    access.require(by, access.PLATFORM, Right.CHANGE_MEMBERSHIP)
    _lock_held(place_of(membership), Right.CHANGE_MEMBERSHIP, membership.user, by=by)
    current = Membership.objects.get(pk=membership.pk)
    limit = None if role == Membership.Role.OWNER else limit_of(current)  # an owner's reach has no limit
    assign(current, role=role, customers=limit, by=by, as_staff=True)
    membership.refresh_from_db(fields=["role"])


@transaction.atomic(durable=True)
def remove_membership(membership: Membership, *, by: Actor) -> None:
    """Take the role away, from the person's next request on. They hear of it, unless the system does it.

    Raises NotAllowed, LastOwner (but the system itself may).
    """
    access.require(by, access.PLATFORM, Right.DELETE_MEMBERSHIP)
    _lock_held(place_of(membership), Right.DELETE_MEMBERSHIP, membership.user, by=by)
    take_role(membership, by=by, as_staff=True)


class MemberChanges(TypedDict, total=False):
    """Of a limit (None: all customers) only what differs from the one that was shown is given and taken, while there is
    one by now.
    """

    role: str
    customers: Collection[Customer] | None
    customers_shown: Collection[Customer] | None


@transaction.atomic(durable=True)
def change_member(place: Place, pk: int, *, by: Actor, **changes: Unpack[MemberChanges]) -> Membership:
    """`by` changes somebody's role or reach there, from that person's next request on. What is not named stays as it is
    by now, but for the limit of who becomes an owner.

    Raises NotAllowed, NoSuchMember, MoreThanOwn, InvalidRole, InvalidLimit, LastOwner.
    """
    access.require(by, place, managing(place))
    lock(place)
    membership = _member(place, pk)
    role = changes.get("role", membership.role)
    customers = _limit_wanted(limit_of(membership), role, changes)
    check_role(role, **placed(place))
    check_authority(by, place, membership.role, role, customers=customers)
    assign(membership, role=role, customers=check_limit(place, role, customers), by=by)
    return membership


@transaction.atomic(durable=True)
def remove_member(place: Place, pk: int, *, by: Actor) -> Membership:
    """`by` takes somebody's role there away. Raises NotAllowed, NoSuchMember, MoreThanOwn, LastOwner."""
    access.require(by, place, managing(place))
    lock(place)
    membership = _member(place, pk)
    check_authority(by, place, membership.role, customers=limit_of(membership))
    take_role(membership, by=by)
    return membership


@transaction.atomic(durable=True)
def create_member(
    email: str,
    *,
    role: str = "",
    provider: Provider | None = None,
    customer: Customer | None = None,
    staff: bool = False,
    name: str = "",
    password: str | None = None,
    by: Actor,
) -> tuple[Any, str | None]:
    """A person with a role at a provider or customer, or platform staff. Second: the password, when none was given.

    Raises NotAllowed, InvalidRole, or what accounts.services.create_person does.
    """
    access.require(by, access.PLATFORM, Right.ADD_PERSON)
    if not staff:
        check_role(role, provider=provider, customer=customer)
    _lock_held(provider or customer, Right.ADD_PERSON, by=by)
    user, generated = create_person(
        email, by=SYSTEM, name=name, password=password, staff=staff, **settings_of_newcomers(customer)
    )
    audit.record(
        "person.created", by=by, provider=provider, customer=customer, target=user, data={"staff": staff}
    )
    if not staff:
        enrol(user, role=role, provider=provider, customer=customer, by=by)
    return user, generated


def settings_of_newcomers(place: Place | None) -> NewcomersSettings:
    """What somebody begins with who is new here: what a customer has chosen for its people."""
    chosen: NewcomersSettings = {}
    if isinstance(place, Customer):
        if place.language:
            chosen["language"] = place.language
        if place.time_zone:
            chosen["time_zone"] = place.time_zone
    return chosen


def enrol(
    user: Any,
    *,
    role: str,
    provider: Provider | None,
    customer: Customer | None,
    customers: Collection[Customer] | None = None,
    by: Actor,
    as_staff: bool = False,
) -> Membership:
    """add_membership inside another act's transaction, which has asked already; raises what it does.

    `customers` is a checked limit, and None means all.
    """
    check_role(role, provider=provider, customer=customer)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(user=user, role=role, provider=provider, customer=customer)
    except IntegrityError as error:
        raise AlreadyMember(email=user.email) from error
    limit_to(membership, customers)
    _record("membership.added", membership, by=by, as_staff=as_staff, role=role, **named(customers))
    return membership


def assign(
    membership: Membership,
    *,
    role: str,
    customers: Collection[Customer] | None,
    by: Actor,
    as_staff: bool = False,
) -> None:
    """change_role inside another act's transaction, under its lock of the place; `customers` is a checked limit.

    Who has that role and that limit already is left alone, without a line in the trail.
    """
    check_role(role, **placed(place_of(membership)))
    before, limit_before = membership.role, limit_of(membership)
    if (role, customers) == (before, limit_before):
        return
    if role != Membership.Role.OWNER:
        _leave_an_owner(membership, by=by)
    membership.reassign(role, customers)
    _record(
        "membership.changed",
        membership,
        by=by,
        as_staff=as_staff,
        role=role,
        before=before,
        **named(customers),
        **named(limit_before, "customers_before"),
    )
    if not ROLE_RIGHTS[role] & {Right.MANAGE_TEAM, Right.MANAGE_PEOPLE}:
        withdraw_those_of(membership, by=by)


def _limit_wanted(
    now: list[Customer] | None, role: str, changes: MemberChanges
) -> Collection[Customer] | None:
    if "customers" not in changes:
        return None if role == Membership.Role.OWNER else now
    wanted, shown = changes["customers"], changes.get("customers_shown")
    return wanted if not wanted or now is None or shown is None else merged(now, shown=shown, wanted=wanted)


def _lock_held(place: Place | None, right: Right, *concerned: Any, by: Actor) -> None:
    """lock(), and then the right that may have been taken away while that took."""
    if place is not None:
        lock(place)
    access.require_held(by, right, *concerned)


def _member(place: Place, pk: int) -> Membership:
    membership = Membership.objects.select_related("user").filter(pk=pk, **placed(place)).first()
    if membership is None:
        raise NoSuchMember
    return membership


def take_role(membership: Membership, *, by: Actor, as_staff: bool = False) -> None:
    """remove_membership inside another act's transaction, which has asked already. Raises LastOwner."""
    _leave_an_owner(membership, by=by)
    told = {"role": membership.role, **named(limit_of(membership))}
    _record("membership.removed", membership, by=by, as_staff=as_staff, **told)
    withdraw_those_of(membership, by=by)
    membership.delete()


def _leave_an_owner(membership: Membership, *, by: Actor) -> None:
    """A provider without an owner who can sign in would need the server's command to be managed again.

    Who stands at that server may, for they can put it right.
    """
    if not isinstance(by, System):
        check_owner_stays([membership])


def _record(action: str, membership: Membership, *, by: Actor, as_staff: bool, **data: Any) -> None:
    """In the trail; and by mail when platform staff did it, whom the person does not meet at their place."""
    by_staff = as_staff and not isinstance(by, System)
    event = audit.record(
        action,
        by=by,
        provider=membership.provider,
        customer=membership.customer,
        target=membership.user,
        data=data | ({"as_staff": True} if by_staff else {}),
    )
    if by_staff:
        notices.announce(event)
