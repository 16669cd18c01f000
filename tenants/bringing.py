"""A customer who comes from a backup. Its rows are the other room's to bring (mailboxes.backup.one_customer)."""

import secrets
from collections.abc import Callable

from accounts.actors import Actor
from tenants import access, schemas, spares
from tenants.errors import BeingUpgraded, NoSuchCustomer, SlugTaken
from tenants.models import Customer
from tenants.services.customers import add_customer
from tenants.upgrading.schemas import database_is_newer


def bring_customer(customer: Customer, *, fill_schema: Callable[[str], object], by: Actor) -> None:
    """One that comes from a backup, in the transaction of the act that writes its line into the trail.

    `fill_schema` makes a schema of the name that it is given, with all that is in it, and may take hours: what others could
    wait for, the customer's name and the tables of `public`, is taken only then.

    Raises NotAllowed, InvalidSlug, InvalidName, TooManyMarks, SlugTaken, SchemaInTheWay or BeingUpgraded.
    """
    access.require(by, access.PLATFORM, access.Right.RESTORE)
    name = f"brought_{secrets.token_hex(8)}"
    fill_schema(name)
    add_customer(
        customer, lambda wanted: spares.rename(name, wanted), by, (access.PLATFORM, access.Right.RESTORE)
    )


def bring_back(customer: Customer, *, fill_schema: Callable[[str], object], by: Actor) -> None:
    """The same of one that is here and whose schema is gone: its row, host, roles and lines of the directory stay as they are.

    Raises NotAllowed, BeingUpgraded, SchemaInTheWay; NoSuchCustomer, SlugTaken when it was given up, or has a schema, by now.
    """
    access.require(by, access.PLATFORM, access.Right.RESTORE)
    name = f"brought_{secrets.token_hex(8)}"
    fill_schema(name)
    # Who gives it up waits for this row, and then finds the schema.
    if not Customer.objects.select_for_update().filter(pk=customer.pk).exists():
        raise NoSuchCustomer(slug=customer.slug)
    access.require_held(by, access.Right.RESTORE)
    if database_is_newer():
        raise BeingUpgraded
    if schemas.is_there(customer.schema_name):
        raise SlugTaken(slug=customer.slug)
    schemas.make_room(customer.schema_name, slug=customer.slug)
    spares.rename(name, customer.schema_name)
