"""Empty customers by the thousand, to see what an installation bears: `manage.py make_empty_customers`.

They are real ones, made as any other. Whoever types it in the wrong window shall have done nothing: it is refused where the
settings do not say that the installation is for measuring, and where somebody else's mailboxes are; and what it takes
away again are its own customers, of which none has ever had a mailbox, or has anybody.
"""

import re
from collections.abc import Callable
from itertools import count, islice

from django.conf import settings
from django.db import connection, transaction
from django.db.models import ProtectedError, QuerySet
from django_tenants.utils import quote_schema_name

from accounts.actors import Actor
from tenants import access, audit
from tenants.models import Customer, DirectoryEntry, Provider
from tenants.schemas import between_customers
from tenants.services import create_customer, create_provider

PROVIDER = "measuring"  # the short name of whom they belong to
NAME = "Measuring"
OURS = re.compile(rf"{PROVIDER}-([0-9]{{5,}})", re.ASCII)


class NotForMeasuring(Exception):
    """Nothing was done. Only the command meets it, so it is in English."""


def make_empty_customers(number: int, *, by: Actor, tell: Callable[[int], None] = lambda made: None) -> None:
    """So many more. `tell` hears after each how many there are by now. Raises NotAllowed or NotForMeasuring."""
    access.require(by, access.PLATFORM, access.Right.ADD_CUSTOMER)
    require_for_measuring()
    provider = Provider.objects.filter(slug=PROVIDER).first() or create_provider(PROVIDER, NAME, by=by)
    taken = set(provider.customers.values_list("slug", flat=True))
    slugs = (slug for one in count(1) if (slug := f"{PROVIDER}-{one:05d}") not in taken)
    for made, slug in enumerate(islice(slugs, number), 1):
        create_customer(slug, _name_of(slug), provider=provider, by=by)
        tell(made)
        between_customers()


def remove_empty_customers(*, by: Actor, tell: Callable[[int], None] = lambda removed: None) -> int:
    """Take them away, with their schemas: how many stay, for they have had a mailbox or have people. The trail still tells of
    each. Raises NotAllowed or NotForMeasuring.
    """
    access.require(by, access.PLATFORM, access.Right.REMOVE_EMPTY_CUSTOMER)
    require_for_measuring()
    kept = 0
    known = Customer.objects.filter(provider__slug=PROVIDER).order_by("slug").values_list("pk", flat=True)
    for number, pk in enumerate(list(known), 1):
        kept += not _remove(Customer.objects.filter(pk=pk), by)
        tell(number - kept)
        between_customers()
    return kept


@transaction.atomic(durable=True)
def _remove(which: QuerySet[Customer], by: Actor) -> bool:
    # Who creates a mailbox or adds a person waits for this row from here on, and then finds it gone.
    customer = which.select_for_update().first()
    if customer is None:
        return True
    if not _is_ours(customer.slug, customer.name):
        return False
    if customer.directory_entries.exists():
        return False
    try:
        with transaction.atomic():
            which.delete()
    except ProtectedError:
        return False
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {quote_schema_name(customer.schema_name)} CASCADE")
    audit.record("customer.removed", by=by, customer=customer, target=customer)
    return True


def _name_of(slug: str) -> str:
    return f"{NAME} {slug.removeprefix(f'{PROVIDER}-')}"


def _is_ours(slug: str, name: str) -> bool:
    return bool(OURS.fullmatch(slug)) and name == _name_of(slug)


def require_for_measuring() -> None:
    """Raises NotForMeasuring."""
    if not settings.MEASURING:
        raise NotForMeasuring(
            "This installation is not for measuring. One that is says so by GATEHOUSE_MEASURING=1, and has no mail of "
            "anybody's."
        )
    if DirectoryEntry.objects.exclude(customer__provider__slug=PROVIDER).exists():
        raise NotForMeasuring(
            f"There are mailboxes of others than the provider “{PROVIDER}” here: this is somebody's installation. Measure "
            "in one of its own, and take GATEHOUSE_MEASURING out of this one's settings."
        )
    others = Provider.objects.filter(slug=PROVIDER).exclude(name=NAME).values_list("slug", flat=True)
    customers = Customer.objects.filter(provider__slug=PROVIDER).values_list("slug", "name")
    if foreign := [*others, *(slug for slug, name in customers if not _is_ours(slug, name))]:
        raise NotForMeasuring(
            f"The provider “{PROVIDER}” is not what this command makes, or not all of its customers are: {foreign[0]}. They "
            "are somebody's. Measure in an installation of its own."
        )
