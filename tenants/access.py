"""Who may do what at which customer: one table, asked by every face."""

from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from tenants.errors import NotAllowed
from tenants.models import Customer, Membership, Provider


class Right(StrEnum):
    """What a role may allow."""

    # Within a customer.
    VIEW_MAILBOXES = "view-mailboxes"
    CREATE_MAILBOX = "create-mailbox"
    EDIT_MAILBOX = "edit-mailbox"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a right, not a password
    DELETE_MAILBOX = "delete-mailbox"
    VIEW_ACTIVITY = "view-activity"
    VIEW_PEOPLE = "view-people"
    MANAGE_PEOPLE = "manage-people"
    # Within a provider.
    VIEW_TEAM = "view-team"
    MANAGE_TEAM = "manage-team"
    SET_SECURITY = "set-security"
    VIEW_TEAM_ACTIVITY = "view-team-activity"


PROVIDER_RIGHTS = frozenset(
    {Right.VIEW_TEAM, Right.MANAGE_TEAM, Right.SET_SECURITY, Right.VIEW_TEAM_ACTIVITY}
)
CUSTOMER_RIGHTS = frozenset(Right) - PROVIDER_RIGHTS

_LOOK = frozenset({Right.VIEW_MAILBOXES, Right.VIEW_ACTIVITY, Right.VIEW_PEOPLE})
_LOOK_AT_TEAM = frozenset({Right.VIEW_TEAM, Right.VIEW_TEAM_ACTIVITY})

# A provider's roles hold there and at each of its customers (or those to which the person is limited), a customer's
# at that one.
ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    Membership.Role.OWNER: frozenset(Right),
    Membership.Role.OPERATOR: (CUSTOMER_RIGHTS - {Right.MANAGE_PEOPLE}) | _LOOK_AT_TEAM,
    Membership.Role.AUDITOR: _LOOK | _LOOK_AT_TEAM,
    Membership.Role.ADMIN: CUSTOMER_RIGHTS,
    Membership.Role.VIEWER: _LOOK,
}


def rights_of(user: Any, customer: Customer) -> frozenset[Right]:
    """All that the person's roles allow there. Empty: may not even know that the customer exists.

    Being platform staff gives no right: who looks into a customer's console has a membership that says so.
    """
    here = Q(customer=customer.pk) | Q(provider=customer.provider_id) & (
        Q(limited=False) | Q(customers=customer.pk)
    )
    return _allowed(user, here) & CUSTOMER_RIGHTS


def provider_rights_of(user: Any, provider: Provider) -> frozenset[Right]:
    """All that the person's roles allow at the provider itself. Empty: may not even know that it exists."""
    return _allowed(user, Q(provider=provider.pk)) & PROVIDER_RIGHTS


def _allowed(user: Any, here: Q) -> frozenset[Right]:
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    roles = Membership.objects.filter(here, user=user.pk).values_list("role", flat=True)
    return frozenset().union(*(ROLE_RIGHTS[role] for role in roles))


def require(user: Any, customer: Customer, right: Right) -> None:
    """Raises NotAllowed unless one of the person's roles allows it there."""
    if right not in rights_of(user, customer):
        raise NotAllowed


def require_at_provider(user: Any, provider: Provider, right: Right) -> None:
    """Raises NotAllowed unless one of the person's roles allows it there."""
    if right not in provider_rights_of(user, provider):
        raise NotAllowed


def providers_of(user: Any) -> QuerySet[Provider]:
    """Where the person has a provider's role."""
    if not user.is_authenticated or not user.is_active:
        return Provider.objects.none()
    return Provider.objects.filter(memberships__user=user.pk)


def customers_of(user: Any) -> QuerySet[Customer]:
    """The customers that the person may enter, each once."""
    if not user.is_authenticated or not user.is_active:
        return Customer.objects.none()
    mine = Membership.objects.filter(user=user.pk)
    return Customer.objects.filter(
        Q(pk__in=mine.filter(customer__isnull=False).values("customer"))
        | Q(provider__in=mine.filter(provider__isnull=False, limited=False).values("provider"))
        | Q(pk__in=mine.filter(limited=True, customers__isnull=False).values("customers"))
    )
