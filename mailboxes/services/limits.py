"""How much of its limits a customer has used, and whether there may be one more mailbox."""

from typing import NamedTuple

from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes.errors import TooManyMailboxes
from mailboxes.services import tallies
from tenants import access, directory
from tenants.models import Customer


class Use(NamedTuple):
    """What a customer has. Mailboxes that are being deleted count until they are gone."""

    mailboxes: int
    messages: int
    octets: int


def use_of(customer: Customer, *, by: Actor) -> Use:
    """Exact at this moment. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    with tenant_context(customer):
        waiting = tallies.waiting_at_customer()
    return Use(directory.count(customer), waiting.messages, waiting.octets)


def mailboxes_left(customer: Customer, *, by: Actor) -> int | None:
    """How many more there may be; None: as many as one likes. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    if customer.mailbox_limit is None:
        return None
    return max(customer.mailbox_limit - directory.count(customer), 0)


def require_room(customer: Customer, *, held: bool = False) -> None:
    """Whether there may be one more mailbox, by the limit of this moment; `held` until the transaction ends, so that of two
    who create the last one at once the second is refused. Raises TooManyMailboxes.
    """
    # Where there is no limit nobody waits for anybody.
    limited = Customer.objects.filter(pk=customer.pk, mailbox_limit__isnull=False)
    if held:
        limited = limited.select_for_update(no_key=True)
    limit = limited.values_list("mailbox_limit", flat=True).first()
    if limit is not None and directory.count(customer) >= limit:
        raise TooManyMailboxes(most=limit)
