"""Who may do what at which customer: one table, asked by every face."""

from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet

from tenants.errors import NotAllowed
from tenants.models import Customer, Membership, Provider


class Right(StrEnum):
    """What a role may allow within a customer."""

    VIEW_MAILBOXES = "view-mailboxes"
    CREATE_MAILBOX = "create-mailbox"
    EDIT_MAILBOX = "edit-mailbox"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a right, not a password
    DELETE_MAILBOX = "delete-mailbox"
    VIEW_ACTIVITY = "view-activity"
    MANAGE_PEOPLE = "manage-people"


_LOOK = frozenset({Right.VIEW_MAILBOXES, Right.VIEW_ACTIVITY})
_ALL = frozenset(Right)

# A provider's roles hold at each of its customers, a customer's at that one.
ROLE_RIGHTS: dict[str, frozenset[Right]] = {
    Membership.Role.OWNER: _ALL,
    Membership.Role.OPERATOR: _ALL - {Right.MANAGE_PEOPLE},
    Membership.Role.AUDITOR: _LOOK,
    Membership.Role.ADMIN: _ALL,
    Membership.Role.VIEWER: _LOOK,
}


def rights_of(user: Any, customer: Customer) -> frozenset[Right]:
    """All that the person's roles allow there. Empty: may not even know that the customer exists.

    Being platform staff gives no right: who looks into a customer's console has a membership that says so.
    """
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    roles = Membership.objects.filter(
        Q(customer=customer.pk) | Q(provider=customer.provider_id), user=user.pk
    ).values_list("role", flat=True)
    return frozenset().union(*(ROLE_RIGHTS[role] for role in roles))


def require(user: Any, customer: Customer, right: Right) -> None:
    """Raises NotAllowed unless one of the person's roles allows it there."""
    if right not in rights_of(user, customer):
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
        | Q(provider__in=mine.filter(provider__isnull=False).values("provider"))
    )
