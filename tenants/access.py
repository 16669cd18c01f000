"""Who may do what where: one table, asked by every verb itself.

Everything here is written out, and what stands nowhere is nobody's: a new member of Right belongs to no place, no role
and not even to the system until somebody writes it down (tests/tenants/test_access.py holds all of it to a table).
"""

from enum import StrEnum
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.actors import System
from accounts.lists import by_name
from accounts.models import User
from tenants.errors import NotAllowed
from tenants.models import Customer, Membership, Provider


class Platform:
    """The installation as a whole: a place like a provider or a customer, where platform staff act."""


PLATFORM: Final = Platform()


class Right(StrEnum):
    """What somebody may be allowed."""

    # Within a customer.
    VIEW_MAILBOXES = "view-mailboxes"
    CREATE_MAILBOX = "create-mailbox"
    EDIT_MAILBOX = "edit-mailbox"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a right, not a password
    DELETE_MAILBOX = "delete-mailbox"
    VIEW_ACTIVITY = "view-activity"
    VIEW_PEOPLE = "view-people"
    MANAGE_PEOPLE = "manage-people"
    OVERSEE_CUSTOMER = "oversee-customer"  # its facts and limits, as its provider sees them
    EDIT_CUSTOMER = "edit-customer"
    SUSPEND_CUSTOMER = "suspend-customer"
    # Within a provider.
    VIEW_TEAM = "view-team"
    MANAGE_TEAM = "manage-team"
    SET_SECURITY = "set-security"
    SET_BRANDING = "set-branding"
    VIEW_TEAM_ACTIVITY = "view-team-activity"
    CREATE_CUSTOMER = "create-customer"
    # At the platform.
    VIEW_PROVIDER = "view-provider"
    ADD_PROVIDER = "add-provider"
    CHANGE_PROVIDER = "change-provider"
    VIEW_CUSTOMER = "view-customer"
    ADD_CUSTOMER = "add-customer"
    CHANGE_CUSTOMER = "change-customer"
    REMOVE_EMPTY_CUSTOMER = "remove-empty-customer"
    GIVE_UP_CUSTOMER = "give-up-customer"
    ADD_PERSON = "add-person"
    CHANGE_PERSON = "change-person"
    ADD_MEMBERSHIP = "add-membership"
    CHANGE_MEMBERSHIP = "change-membership"
    DELETE_MEMBERSHIP = "delete-membership"
    END_DISPUTE = "end-dispute"
    LET_IN = "let-in"
    CHECK_STORE = "check-store"
    MOVE_STORE = "move-store"
    BACK_UP = "back-up"
    RESTORE = "restore"


CUSTOMER_RIGHTS = frozenset(
    {
        Right.VIEW_MAILBOXES,
        Right.CREATE_MAILBOX,
        Right.EDIT_MAILBOX,
        Right.RESET_PASSWORD,
        Right.DELETE_MAILBOX,
        Right.VIEW_ACTIVITY,
        Right.VIEW_PEOPLE,
        Right.MANAGE_PEOPLE,
        Right.OVERSEE_CUSTOMER,
        Right.EDIT_CUSTOMER,
        Right.SUSPEND_CUSTOMER,
    }
)
PROVIDER_RIGHTS = frozenset(
    {
        Right.VIEW_TEAM,
        Right.MANAGE_TEAM,
        Right.SET_SECURITY,
        Right.SET_BRANDING,
        Right.VIEW_TEAM_ACTIVITY,
        Right.CREATE_CUSTOMER,
    }
)
# What of a role's rights at the provider itself are left to who is limited to some of its customers. Of others' roles they
# decide within their own reach (services.authority).
LIMITED_RIGHTS = frozenset({Right.VIEW_TEAM, Right.MANAGE_TEAM, Right.VIEW_TEAM_ACTIVITY})
PLATFORM_RIGHTS = frozenset(
    {
        Right.VIEW_PROVIDER,
        Right.ADD_PROVIDER,
        Right.CHANGE_PROVIDER,
        Right.VIEW_CUSTOMER,
        Right.ADD_CUSTOMER,
        Right.CHANGE_CUSTOMER,
        Right.REMOVE_EMPTY_CUSTOMER,
        Right.GIVE_UP_CUSTOMER,
        Right.ADD_PERSON,
        Right.CHANGE_PERSON,
        Right.ADD_MEMBERSHIP,
        Right.CHANGE_MEMBERSHIP,
        Right.DELETE_MEMBERSHIP,
        Right.END_DISPUTE,
        Right.LET_IN,
        Right.CHECK_STORE,
        Right.MOVE_STORE,
        Right.BACK_UP,
        Right.RESTORE,
    }
)

# A provider's roles hold there and at each of its customers (or those to which the person is limited), a customer's
# at that one, unless it is suspended.
ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    Membership.Role.OWNER: frozenset(
        {
            Right.VIEW_MAILBOXES,
            Right.CREATE_MAILBOX,
            Right.EDIT_MAILBOX,
            Right.RESET_PASSWORD,
            Right.DELETE_MAILBOX,
            Right.VIEW_ACTIVITY,
            Right.VIEW_PEOPLE,
            Right.MANAGE_PEOPLE,
            Right.OVERSEE_CUSTOMER,
            Right.EDIT_CUSTOMER,
            Right.SUSPEND_CUSTOMER,
            Right.VIEW_TEAM,
            Right.MANAGE_TEAM,
            Right.SET_SECURITY,
            Right.SET_BRANDING,
            Right.VIEW_TEAM_ACTIVITY,
            Right.CREATE_CUSTOMER,
        }
    ),
    Membership.Role.OPERATOR: frozenset(
        {
            Right.VIEW_MAILBOXES,
            Right.CREATE_MAILBOX,
            Right.EDIT_MAILBOX,
            Right.RESET_PASSWORD,
            Right.DELETE_MAILBOX,
            Right.VIEW_ACTIVITY,
            Right.VIEW_PEOPLE,
            Right.OVERSEE_CUSTOMER,
            Right.EDIT_CUSTOMER,
            Right.SUSPEND_CUSTOMER,
            Right.VIEW_TEAM,
            Right.VIEW_TEAM_ACTIVITY,
            Right.CREATE_CUSTOMER,
        }
    ),
    Membership.Role.AUDITOR: frozenset(
        {
            Right.VIEW_MAILBOXES,
            Right.VIEW_ACTIVITY,
            Right.VIEW_PEOPLE,
            Right.OVERSEE_CUSTOMER,
            Right.VIEW_TEAM,
            Right.VIEW_TEAM_ACTIVITY,
        }
    ),
    Membership.Role.ADMIN: frozenset(
        {
            Right.VIEW_MAILBOXES,
            Right.CREATE_MAILBOX,
            Right.EDIT_MAILBOX,
            Right.RESET_PASSWORD,
            Right.DELETE_MAILBOX,
            Right.VIEW_ACTIVITY,
            Right.VIEW_PEOPLE,
            Right.MANAGE_PEOPLE,
        }
    ),
    Membership.Role.VIEWER: frozenset({Right.VIEW_MAILBOXES, Right.VIEW_ACTIVITY, Right.VIEW_PEOPLE}),
}

# At the platform there are no roles: platform staff have what Django's permissions give them, the same that open the
# administration's pages (superusers have all of these). "" asks for being staff only. What is missing here is left to
# the system: who stands at the server.
STAFF_PERMISSIONS: dict[Right, str] = {
    Right.VIEW_PROVIDER: "tenants.view_provider",
    Right.ADD_PROVIDER: "tenants.add_provider",
    Right.CHANGE_PROVIDER: "tenants.change_provider",
    Right.VIEW_CUSTOMER: "tenants.view_customer",
    Right.ADD_CUSTOMER: "tenants.add_customer",
    Right.CHANGE_CUSTOMER: "tenants.change_customer",
    Right.ADD_PERSON: "accounts.add_user",
    Right.CHANGE_PERSON: "accounts.change_user",
    Right.ADD_MEMBERSHIP: "tenants.add_membership",
    Right.CHANGE_MEMBERSHIP: "tenants.change_membership",
    Right.DELETE_MEMBERSHIP: "tenants.delete_membership",
    Right.END_DISPUTE: "",
}


def rights_of(by: Any, place: Customer | Provider | Platform) -> frozenset[Right]:
    """All that the actor may do there. Empty: may not even know that the place exists.

    Who is nobody (not signed in, switched off, or no actor at all) has none. Being platform staff gives no right at a
    customer or provider: who looks into a console has a membership that says so.
    """
    if isinstance(by, System):
        return _rights_at(place)
    if not isinstance(by, User) or not by.is_active:
        return frozenset()
    # Asked of the row too: a person who was switched off a moment ago may be at work with an older copy of it, and so may
    # staff who are none any more.
    if isinstance(place, Platform):
        current = User.objects.filter(pk=by.pk, is_active=True).first()
        return frozenset(right for right in PLATFORM_RIGHTS if current and _is_staff_with(current, right))
    mine = Membership.objects.filter(user=by.pk, user__is_active=True)
    if isinstance(place, Provider):
        held = mine.filter(provider=place).values_list("role", "limited")
        rights = (
            ROLE_RIGHTS[role] & LIMITED_RIGHTS if limited else ROLE_RIGHTS[role] for role, limited in held
        )
    else:
        here = Q(customer=place.pk, customer__status=Customer.Status.ACTIVE) | Q(
            provider=place.provider_id
        ) & (Q(limited=False) | Q(customers=place.pk))
        rights = (ROLE_RIGHTS[role] for role in mine.filter(here).values_list("role", flat=True))
    return frozenset().union(*rights) & _rights_at(place)


def require(by: Any, place: Customer | Provider | Platform, right: Right) -> None:
    """Raises NotAllowed unless the actor may do that there. The first line of every verb."""
    if right not in rights_of(by, place):
        raise NotAllowed


def require_any(by: Any, *ways: tuple[Customer | Provider | Platform, Right]) -> None:
    """Raises NotAllowed unless the actor may do one of these: acts that a provider's people do, and platform staff as well."""
    if not any(right in rights_of(by, place) for place, right in ways):
        raise NotAllowed


def require_held(by: Any, right: Right, *concerned: Any) -> None:
    """require() at the platform, within an act's transaction: until that ends nobody takes it away. So who was dismissed
    while the act waited in line is refused, and who dismisses them waits, or sees what was done before.

    After the locks of places, before anything that refers to people; `concerned` are those whom the act is about.
    """
    hold_people(by, *concerned)
    require(by, PLATFORM, right)


def hold_people(*people: Any, changed: User | None = None) -> None:
    """Until the transaction ends nobody changes these; nor gives `changed` a role anywhere, or refers to them otherwise.

    In an order in which two who do so don't wait for each other.
    """
    for pk in sorted({person.pk for person in people if isinstance(person, User)}):
        User.objects.select_for_update(no_key=changed is None or pk != changed.pk).get(pk=pk)


def _rights_at(place: Customer | Provider | Platform) -> frozenset[Right]:
    if isinstance(place, Platform):
        return PLATFORM_RIGHTS
    return PROVIDER_RIGHTS if isinstance(place, Provider) else CUSTOMER_RIGHTS


def _is_staff_with(user: User, right: Right) -> bool:
    permission = STAFF_PERMISSIONS.get(right)
    return permission is not None and user.is_staff and (not permission or user.has_perm(permission))


def providers_of(user: Any) -> QuerySet[Provider]:
    """Where the person has a provider's role, by name."""
    if not isinstance(user, User) or not user.is_active:
        return Provider.objects.none()
    return Provider.objects.filter(memberships__user=user.pk).order_by(*by_name())


def served_by(user: Any) -> QuerySet[Provider]:
    """providers_of(), of each with whether it `founds`: the person may create customers there, as rights_of() says. In one
    question.
    """
    roles = [role for role, rights in ROLE_RIGHTS.items() if Right.CREATE_CUSTOMER in rights]
    here = Membership.objects.filter(provider=OuterRef("pk"), limited=False, role__in=roles)
    return providers_of(user).annotate(founds=Exists(here.filter(user=user.pk)))


def customers_of(user: Any) -> QuerySet[Customer]:
    """The customers that the person may enter, each once."""
    if not isinstance(user, User) or not user.is_active:
        return Customer.objects.none()
    mine = Membership.objects.filter(user=user.pk)
    return Customer.objects.filter(
        Q(pk__in=mine.filter(customer__isnull=False).values("customer"), status=Customer.Status.ACTIVE)
        | Q(provider__in=mine.filter(provider__isnull=False, limited=False).values("provider"))
        | Q(pk__in=mine.filter(limited=True, customers__isnull=False).values("customers"))
    )


def shut_out_of(user: Any) -> QuerySet[Customer]:
    """The suspended customers at which the person has a role that lets nobody in for now, by name."""
    if not isinstance(user, User) or not user.is_active:
        return Customer.objects.none()
    theirs = Customer.objects.filter(memberships__user=user.pk, status=Customer.Status.SUSPENDED)
    return theirs.select_related("provider").order_by(*by_name())
