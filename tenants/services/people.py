"""Who has which role where."""

from typing import Any

from django.db import IntegrityError, transaction

from accounts.services import create_person
from tenants import audit
from tenants.errors import AlreadyMember, InvalidRole
from tenants.models import Customer, Membership, Provider


@transaction.atomic(durable=True)
def add_membership(
    user: Any,
    *,
    role: str,
    provider: Provider | None = None,
    customer: Customer | None = None,
    by: Any = None,
) -> Membership:
    """Give the person a role at the provider or at the customer. Raises InvalidRole or AlreadyMember."""
    return _add(user, role=role, provider=provider, customer=customer, by=by)


@transaction.atomic(durable=True)
def change_role(membership: Membership, *, role: str, by: Any = None) -> None:
    """From the person's next request on. Raises InvalidRole."""
    check_role(role, provider=membership.provider, customer=membership.customer)
    before = Membership.objects.select_for_update().get(pk=membership.pk).role
    membership.role = role
    membership.save(update_fields=["role"])
    _record("membership.changed", membership, by=by, role=role, before=before)


@transaction.atomic(durable=True)
def remove_membership(membership: Membership, *, by: Any = None) -> None:
    """Take the role away, from the person's next request on."""
    _record("membership.removed", membership, by=by, role=membership.role)
    membership.delete()


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
    by: Any = None,
) -> tuple[Any, str | None]:
    """A person with a role at a provider or customer, or platform staff. Second: the password, when none was given.

    Raises InvalidRole, or what accounts.services.create_person does.
    """
    if not staff:
        check_role(role, provider=provider, customer=customer)
    user, generated = create_person(email, name=name, password=password, staff=staff)
    audit.record(
        "person.created", by=by, provider=provider, customer=customer, target=user, data={"staff": staff}
    )
    if not staff:
        _add(user, role=role, provider=provider, customer=customer, by=by)
    return user, generated


def check_role(role: str, *, provider: Provider | None, customer: Customer | None) -> None:
    """Raises InvalidRole unless it is one of that place, ValueError unless exactly one place is given."""
    if (provider is None) == (customer is None):
        raise ValueError("A role is held either at a provider or at a customer.")
    choices = Membership.PROVIDER_ROLES if provider else Membership.CUSTOMER_ROLES
    if role not in choices:
        raise InvalidRole(role=role, choices=", ".join(choices))


def _add(
    user: Any, *, role: str, provider: Provider | None, customer: Customer | None, by: Any
) -> Membership:
    check_role(role, provider=provider, customer=customer)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(user=user, role=role, provider=provider, customer=customer)
    except IntegrityError as error:
        raise AlreadyMember(email=user.email) from error
    _record("membership.added", membership, by=by, role=role)
    return membership


def _record(action: str, membership: Membership, *, by: Any, **data: str) -> None:
    audit.record(
        action,
        by=by,
        provider=membership.provider,
        customer=membership.customer,
        target=membership.user,
        data=data,
    )
