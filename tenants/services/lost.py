"""A customer whose schema is gone: what is left of it goes when somebody says that it won't come back in its place."""

from dataclasses import dataclass

from django.db import transaction

from accounts.actors import Actor
from tenants import access, audit, directory, schemas
from tenants.errors import NoSuchCustomer
from tenants.models import Customer, Membership
from tenants.services.people import take_role


@dataclass(frozen=True)
class GivenUp:
    """What was known of the customer. Its sealed messages stay below `folder` of the message store."""

    folder: str
    mailboxes: int
    people: int


@transaction.atomic(durable=True)
def give_up_customer(customer: Customer, *, by: Actor) -> GivenUp:
    """Take away its lines of the directory, host, roles, invitations and open jobs, and the customer: so backups are whole
    without it, and it can be brought from an earlier one under its own name. The trail still tells of it, and of mailboxes that
    it had deleted nobody gets the addresses again.

    Raises NotAllowed, NoSuchCustomer, SchemaIsThere, or SchemaInTheWay: then nothing has changed.
    """
    access.require(by, access.PLATFORM, access.Right.GIVE_UP_CUSTOMER)
    which = Customer.objects.filter(pk=customer.pk)
    # Who creates a mailbox or adds a person waits for this row from here on, and then finds it gone.
    if (held := which.select_for_update().first()) is None:
        raise NoSuchCustomer(slug=customer.slug)
    access.require_held(by, access.Right.GIVE_UP_CUSTOMER)
    schemas.require_gone(held.schema_name, slug=held.slug)
    schemas.make_room(held.schema_name, slug=held.slug)  # for when it comes from a backup after all
    people = list(Membership.objects.filter(customer=held).select_related("user").order_by("pk"))
    for membership in people:
        take_role(membership, by=by, as_staff=True)
    given_up = GivenUp(held.pk.hex, directory.give_up(held), len(people))
    which.delete()
    # The trail of a customer that is gone is read by nobody until it is back; its provider's is.
    for place in ({"customer": held}, {"provider": held.provider}):
        audit.record(
            "customer.given-up",
            by=by,
            target=("customer", str(held.pk), held.name),
            data={"mailboxes": given_up.mailboxes},
            **place,
        )
    return given_up
