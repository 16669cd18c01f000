"""A customer who comes from a backup. Its rows are the other room's to bring (mailboxes.backup.one_customer)."""

import secrets
from collections.abc import Callable

from accounts.actors import Actor
from tenants import access, spares
from tenants.models import Customer
from tenants.services.customers import add_customer


def bring_customer(customer: Customer, *, fill_schema: Callable[[str], object], by: Actor) -> None:
    """One that comes from a backup, in the transaction of the act that writes its line into the trail.

    `fill_schema` makes a schema of the name that it is given, with all that is in it, and may take hours: what others could
    wait for, the customer's name and the tables of `public`, is taken only then.

    Raises NotAllowed, InvalidSlug, InvalidName, TooManyMarks, SlugTaken or BeingUpgraded.
    """
    access.require(by, access.PLATFORM, access.Right.RESTORE)
    name = f"brought_{secrets.token_hex(8)}"
    fill_schema(name)
    add_customer(customer, lambda wanted: spares.rename(name, wanted), access.Right.RESTORE, by)
