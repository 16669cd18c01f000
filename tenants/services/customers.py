"""Providers and their customers."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Unpack
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts import bell
from accounts.actors import Actor
from accounts.errors import UnknownTimeZone
from accounts.lists import by_name, each_word, folded, sorted_by
from accounts.names import is_a_line, is_seen, refuse_too_many_marks, unless_kept
from accounts.zones import UTC, is_zone
from tenants import access, audit, schemas, slugs, spares
from tenants.counts import MailboxFigures
from tenants.errors import (
    BeingUpgraded,
    InvalidName,
    InvalidReason,
    NoSuchCustomer,
    NoSuchProvider,
    SlugTaken,
)
from tenants.models import NAME_LENGTH, REASON_LENGTH, Customer, DirectoryEntry, Domain, OpenJob, Provider
from tenants.services.facts import Facts, judged
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
def set_provider_time_zone(provider: Provider, *, time_zone: str, by: Actor) -> None:
    """By whose days its customers' figures are told, from now on. Raises NotAllowed or UnknownTimeZone."""
    access.require(by, access.PLATFORM, access.Right.CHANGE_PROVIDER)
    before = Provider.objects.select_for_update().get(pk=provider.pk).time_zone
    access.require_held(by, access.Right.CHANGE_PROVIDER)
    if time_zone not in (UTC.key, before) and not is_zone(time_zone):
        raise UnknownTimeZone(value=time_zone)
    provider.time_zone = time_zone
    if time_zone != before:
        provider.save(update_fields=["time_zone"])
        audit.record(
            "provider.time-zone-set",
            by=by,
            provider=provider,
            target=provider,
            data={"before": {"time_zone": before}, "after": {"time_zone": time_zone}},
        )


@transaction.atomic(durable=True)
def create_customer(
    slug: str, name: str, *, provider: Provider, by: Actor, **facts: Unpack[Facts]
) -> Customer:
    """A customer with schema and host, all or nothing. Call it from the public schema.

    Raises NotAllowed, InvalidSlug, InvalidName, TooManyMarks, SlugTaken, BeingUpgraded, and what facts.judged() does.
    """
    access.require_any(by, *creating(provider))
    return make_customer(slug, name, provider=provider, by=by, **facts)


def creating(provider: Provider) -> tuple[tuple[Provider | access.Platform, access.Right], ...]:
    """By which right a customer of this provider is created: its own people's, or the platform's."""
    return (provider, access.Right.CREATE_CUSTOMER), (access.PLATFORM, access.Right.ADD_CUSTOMER)


def make_customer(slug: str, name: str, *, provider: Provider, by: Actor, **facts: Unpack[Facts]) -> Customer:
    """create_customer inside another act's transaction, which has asked already."""
    customer = Customer(slug=slug, name=name, provider=provider)
    decided = judged(facts, customer)
    for fact, value in decided.items():
        setattr(customer, fact, value)
    add_customer(customer, spares.take, by, *creating(provider))
    audit.record("customer.created", by=by, customer=customer, target=customer, data=decided)
    return customer


def add_customer(
    customer: Customer,
    make_schema: Callable[[str], object],
    by: Actor,
    *ways: tuple[Provider | access.Platform, access.Right],
) -> None:
    """In another act's transaction, which has asked for one of these rights. Raises InvalidSlug, InvalidName, TooManyMarks,
    SlugTaken, SchemaInTheWay or BeingUpgraded; NotAllowed when `by` has lost them since.
    """
    slugs.check(customer.slug)
    customer.name = check_place_name(customer.name)
    customer.schema_name = slugs.schema_name(customer.slug)
    # The row comes first: of two who want the same name, its unique index lets the second one wait and then lose.
    _insert(customer)
    access.hold_people(by)
    access.require_any(by, *ways)
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


class CustomerChanges(Facts, total=False):
    """What is decided about a customer, and its name."""

    name: str


@transaction.atomic(durable=True)
def edit_customer(customer: Customer, *, by: Actor, **changes: Unpack[CustomerChanges]) -> None:
    """Says in the trail what has changed; what is not named stays as it is by now.

    Raises NotAllowed, InvalidName, TooManyMarks, and what facts.judged() does.
    """
    access.require_any(by, *_ways(customer, access.Right.EDIT_CUSTOMER))
    current = _held(customer, access.Right.EDIT_CUSTOMER, by)
    wanted: dict[str, Any] = dict(changes)
    name = unless_kept(wanted.pop("name", current.name), current.name, check_place_name)
    changed = judged(wanted, current) | ({"name": name} if name != current.name else {})
    for field in changes:
        setattr(customer, field, changed.get(field, getattr(current, field)))
    if changed:
        customer.save(update_fields=list(changed))
        audit.record("customer.changed", by=by, customer=customer, target=customer, data=changed)


@transaction.atomic(durable=True)
def suspend_customer(customer: Customer, *, by: Actor, reason: str = "") -> Customer:
    """From now on its own people are shut out, and new mail is put off (450); its provider still sees all, what waits can be
    collected, and nothing is taken away. Of one that is suspended already the reason alone is another.

    Raises NotAllowed or InvalidReason.
    """
    access.require_any(by, *_ways(customer, access.Right.SUSPEND_CUSTOMER))
    current = _held(customer, access.Right.SUSPEND_CUSTOMER, by)
    reason = unless_kept(reason.strip(), current.suspension_reason, _check_reason)
    if current.is_suspended and reason == current.suspension_reason:
        return current
    if not current.is_suspended:
        current.status = Customer.Status.SUSPENDED
        current.suspended_at, current.suspended_by_email = timezone.now(), by.email
    current.suspension_reason = reason
    return _keep_standing(current, "customer.suspended", {"reason": reason}, by)


@transaction.atomic(durable=True)
def activate_customer(customer: Customer, *, by: Actor) -> Customer:
    """From now on its people come in again, and mail is taken. Raises NotAllowed."""
    access.require_any(by, *_ways(customer, access.Right.SUSPEND_CUSTOMER))
    current = _held(customer, access.Right.SUSPEND_CUSTOMER, by)
    if not current.is_suspended:
        return current
    since = current.suspended_at
    current.status, current.suspended_at = Customer.Status.ACTIVE, None
    current.suspended_by_email = current.suspension_reason = ""
    return _keep_standing(current, "customer.activated", {"suspended_at": since}, by)


def _ways(
    customer: Customer, right: access.Right
) -> tuple[tuple[Customer | access.Platform, access.Right], ...]:
    """By which right it is changed: its provider's people's, or the platform's."""
    return (customer, right), (access.PLATFORM, access.Right.CHANGE_CUSTOMER)


def _held(customer: Customer, right: access.Right, by: Actor) -> Customer:
    """As it is now: until the transaction ends nobody else changes it. Raises NotAllowed for who has lost the right."""
    current = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer.pk)
    access.hold_people(by)
    access.require_any(by, *_ways(customer, right))
    return current


def _check_reason(reason: str) -> None:
    if len(reason) > REASON_LENGTH or not is_a_line(reason):
        raise InvalidReason(most=REASON_LENGTH)


def _keep_standing(customer: Customer, action: str, data: dict[str, Any], by: Actor) -> Customer:
    customer.save(update_fields=["status", "suspended_at", "suspended_by_email", "suspension_reason"])
    audit.record(action, by=by, customer=customer, target=customer, data=data)
    return customer


def customer_for(by: Any, slug: str, right: access.Right) -> Customer:
    """The customer of this short name, as its provider's people see it, if this person may do `right` there.

    Raises NoSuchCustomer, also for who does not oversee it, and NotAllowed.
    """
    customer = Customer.objects.select_related("provider").filter(slug=slug).first()
    if customer is None or access.Right.OVERSEE_CUSTOMER not in access.rights_of(by, customer):
        raise NoSuchCustomer(slug=slug)
    access.require(by, customer, right)
    return customer


def founding_providers(*, by: Any) -> list[Provider]:
    """Where `by` may create customers, by name."""
    return [one for one in access.served_by(by) if one.founds]  # type: ignore[attr-defined]  # annotated


def groups_of(providers: Collection[Provider], *, by: Any) -> list[str]:
    """The groups that these providers' customers are in, of those whom `by` may enter, to choose from."""
    theirs = access.customers_of(by).filter(provider__in=[one.pk for one in providers]).exclude(group="")
    return list(dict.fromkeys(theirs.order_by(folded("group"), "group").values_list("group", flat=True)))


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
