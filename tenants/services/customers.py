"""Providers and their customers."""

from collections.abc import Callable, Iterable
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts import bell
from accounts.actors import Actor
from accounts.errors import refusing
from accounts.lists import by_name, each_word, folded, sorted_by
from accounts.names import is_a_line, is_seen, refuse_too_many_marks, unless_kept
from tenants import access, audit, schemas, slugs, spares
from tenants.counts import MailboxFigures
from tenants.errors import (
    BeingUpgraded,
    InvalidName,
    InvalidNetworks,
    InvalidQuota,
    NoSuchCustomer,
    NoSuchProvider,
    SlugTaken,
)
from tenants.models import NAME_LENGTH, Customer, DirectoryEntry, Domain, OpenJob, Provider
from tenants.networks import validate_networks
from tenants.upgrading.schemas import database_is_newer

REFILL = "tenants.tasks.refill_spares"

# What ?sort= may say.
SORTABLE: dict[str, Any] = {
    "name": folded("name"),
    "mailboxes": F("mailboxes"),
    "waiting": F("waiting"),
    "last_mail_at": F("last_mail_at"),
    "last_collection_at": F("last_collection_at"),
}
# Of all of a customer's mailboxes, as of the last fold.
FIGURES: dict[str, Any] = {
    "waiting": Sum("messages"),
    "last_mail_at": Max("last_mail_at"),
    "last_collection_at": Max("last_collection_at"),
}


def check_place_name(name: str) -> str:
    """What a customer or provider is called by it. Raises InvalidName or TooManyMarks."""
    name = name.strip()
    refuse_too_many_marks(name)
    if len(name) > NAME_LENGTH or not is_a_line(name) or not is_seen(name):
        raise InvalidName(most=NAME_LENGTH)
    return name


@transaction.atomic(durable=True)
def create_provider(slug: str, name: str, *, by: Actor) -> Provider:
    """Raises NotAllowed, InvalidSlug, InvalidName, TooManyMarks or SlugTaken."""
    access.require_held(by, access.Right.ADD_PROVIDER)
    return add_provider(slug, name, by=by)


def add_provider(slug: str, name: str, *, by: Actor) -> Provider:
    """create_provider inside another act's transaction, which has asked already."""
    slugs.check(slug)
    provider = Provider(slug=slug, name=check_place_name(name))
    _insert(provider)
    audit.record("provider.created", by=by, provider=provider, target=provider)
    return provider


@transaction.atomic(durable=True)
def rename_provider(provider: Provider, *, name: str, by: Actor) -> None:
    """Raises NotAllowed, InvalidName or TooManyMarks."""
    access.require(by, access.PLATFORM, access.Right.CHANGE_PROVIDER)
    before = Provider.objects.select_for_update().get(pk=provider.pk).name
    access.require_held(by, access.Right.CHANGE_PROVIDER)
    provider.name = unless_kept(name, before, check_place_name)
    if provider.name != before:
        provider.save(update_fields=["name"])
        audit.record("provider.renamed", by=by, provider=provider, target=provider, data={"before": before})


@transaction.atomic(durable=True)
def create_customer(slug: str, name: str, *, provider: Provider, by: Actor) -> Customer:
    """A customer with schema and host, all or nothing. Call it from the public schema.

    Raises NotAllowed, InvalidSlug, InvalidName, TooManyMarks, SlugTaken or BeingUpgraded.
    """
    access.require(by, access.PLATFORM, access.Right.ADD_CUSTOMER)
    customer = Customer(slug=slug, name=name, provider=provider)
    add_customer(customer, spares.take, access.Right.ADD_CUSTOMER, by)
    audit.record("customer.created", by=by, customer=customer, target=customer)
    return customer


def add_customer(
    customer: Customer, make_schema: Callable[[str], object], right: access.Right, by: Actor
) -> None:
    """In another act's transaction, which has asked for `right`. Raises InvalidSlug, InvalidName, TooManyMarks, SlugTaken,
    SchemaInTheWay or BeingUpgraded; NotAllowed when `by` has lost it since.
    """
    slugs.check(customer.slug)
    customer.name = check_place_name(customer.name)
    customer.schema_name = slugs.schema_name(customer.slug)
    # The row comes first: of two who want the same name, its unique index lets the second one wait and then lose.
    _insert(customer)
    access.require_held(by, right)
    # From here on an upgrade that has begun waits for us, before it looks for customers.
    if database_is_newer():
        raise BeingUpgraded
    if schemas.is_there(customer.schema_name):
        raise SlugTaken(slug=customer.slug)
    schemas.make_room(customer.schema_name, slug=customer.slug)
    make_schema(customer.schema_name)
    try:
        with transaction.atomic():
            Domain.objects.create(domain=customer.host, tenant=customer, is_primary=True)
    except IntegrityError as error:
        raise SlugTaken(slug=customer.slug) from error
    bell.ring_after_commit(REFILL)  # and beat refills within minutes, should nobody hear it


class CustomerChanges(TypedDict, total=False):
    """What staff decide about a customer; no quota is no limit, and no network all of them."""

    name: str
    allowed_networks: list[str]
    mailbox_quota_octets: int | None


@transaction.atomic(durable=True)
def edit_customer(customer: Customer, *, by: Actor, **changes: Unpack[CustomerChanges]) -> None:
    """Says in the trail what has changed; what is not named stays as it is by now.

    Raises NotAllowed, InvalidName, TooManyMarks, InvalidNetworks, InvalidQuota.
    """
    access.require(by, access.PLATFORM, access.Right.CHANGE_CUSTOMER)
    if unknown := changes.keys() - CustomerChanges.__annotations__:
        raise TypeError(f"nothing that staff decide about a customer: {', '.join(sorted(unknown))}")
    current = Customer.objects.select_for_update().get(pk=customer.pk)
    access.require_held(by, access.Right.CHANGE_CUSTOMER)
    if "name" in changes:
        changes["name"] = unless_kept(changes["name"], current.name, check_place_name)
    changed: dict[str, Any] = {
        field: value for field, value in changes.items() if getattr(current, field) != value
    }
    if "allowed_networks" in changed:
        with refusing(InvalidNetworks):
            validate_networks(changed["allowed_networks"])
    if "mailbox_quota_octets" in changed:
        with refusing(InvalidQuota):
            Customer._meta.get_field("mailbox_quota_octets").run_validators(changed["mailbox_quota_octets"])
    for field, value in changes.items():
        setattr(customer, field, value)
    if changed:
        customer.save(update_fields=list(changed))
        audit.record("customer.changed", by=by, customer=customer, target=customer, data=changed)


def find_customers(*, by: Any, search: str = "") -> QuerySet[Customer]:
    """Those whom `by` may enter that have each word of `search` in name or host, by name."""
    found = access.customers_of(by).order_by(*by_name())
    return found.filter(each_word(_with_hosts_cut(search), "name", "slug"))


def list_customers(*, by: Any, search: str = "", sort: str = "name") -> QuerySet[Customer]:
    """What find_customers() gives, with the provider and the number of `mailboxes` of each.

    `sort` is one of SORTABLE, with "-" for descending. What is shown of those of a page, tenants.figures knows.
    """
    alive = DirectoryEntry.objects.filter(customer=OuterRef("pk")).exclude(
        status=DirectoryEntry.Status.RETIRED
    )
    # Counted for each customer that is shown: a join would read all mailboxes of all customers to show twenty.
    count = alive.order_by().values("customer").annotate(mailboxes=Count("pk")).values("mailboxes")
    found = find_customers(by=by, search=search)
    counted = found.annotate(mailboxes=Coalesce(Subquery(count), 0)).select_related("provider")
    if (key := sort.removeprefix("-")) in FIGURES:
        rows = MailboxFigures.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
        counted = counted.annotate(**{key: Subquery(rows.annotate(all=FIGURES[key]).values("all"))})
    return sorted_by(counted, SORTABLE, sort, *by_name())


def stopped_jobs(customers: Iterable[Customer], *, by: Any) -> dict[UUID, int]:
    """How many jobs of each of these customers need somebody, where there are any and `by` may enter."""
    here = access.customers_of(by).filter(pk__in=[customer.pk for customer in customers])
    stopped = OpenJob.objects.filter(customer__in=here.values("pk"), state__in=OpenJob.STOPPED)
    return dict(stopped.order_by().values_list("customer").annotate(jobs=Count("pk")))


def provider_by_slug(slug: str, *, by: Actor) -> Provider:
    """Raises NotAllowed or NoSuchProvider."""
    access.require(by, access.PLATFORM, access.Right.VIEW_PROVIDER)
    try:
        return Provider.objects.get(slug=slug)
    except Provider.DoesNotExist:
        raise NoSuchProvider(slug=slug) from None


def customer_by_slug(slug: str, *, by: Actor) -> Customer:
    """Raises NotAllowed or NoSuchCustomer."""
    access.require(by, access.PLATFORM, access.Right.VIEW_CUSTOMER)
    try:
        return Customer.objects.select_related("provider").get(slug=slug)
    except Customer.DoesNotExist:
        raise NoSuchCustomer(slug=slug) from None


def _insert(row: Provider | Customer) -> None:
    if type(row)._default_manager.filter(slug=row.slug).exists():
        raise SlugTaken(slug=row.slug)
    try:
        with transaction.atomic():  # a savepoint: the transaction stays usable when somebody was quicker
            row.save(force_insert=True)
    # The second is django-tenants', which looks for the schema's name before it writes, and may find whoever was quicker.
    except (IntegrityError, ValidationError) as error:
        raise SlugTaken(slug=row.slug) from error


def _with_hosts_cut(search: str) -> str:
    """A host is named by its slug: what it has in common with all others finds nobody."""
    base = f".{settings.BASE_DOMAIN}"
    cut = (word[: -len(base)] if word.lower().endswith(base) else word for word in search.split())
    return " ".join(cut)
