"""Who did what: the part of the audit trail that a person may read, searched, and told with names and places."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import CharField, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Subquery
from django.db.models.functions import Cast
from django.utils.timezone import localdate, make_aware, now
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from accounts.lists import WORDS, each_word
from accounts.models import User
from tenants.access import Right, customers_of, providers_of, require, rights_of
from tenants.activity import words
from tenants.errors import NotInATeam, UnknownKind
from tenants.models import (
    AuditEvent,
    AuditEventQuerySet,
    Customer,
    DirectoryEntry,
    Membership,
    Provider,
    Side,
)

PAGE_LENGTH = 50
BATCH_LENGTH = 100  # of a download, of lines of up to 256 kB
NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
COMMAND_LINE = gettext_noop("Platform staff, on the command line")


@dataclass(frozen=True)
class Who:
    """The one who acted. `email` and `side` are empty when that was no person who had signed in."""

    name: str
    email: str = ""
    side: Side | None = None


@dataclass(frozen=True)
class Target:
    """The mailbox that an act was done to. Of one that is gone the certificate is left."""

    pk: UUID
    is_gone: bool


@dataclass(frozen=True)
class Entry:
    """One act, told."""

    event: AuditEvent
    who: Who
    customer: Customer | None
    provider: Provider | None
    mailbox: Target | None  # when the act was done to one
    details: list[words.Detail]

    @property
    def kind(self) -> words.Kind:
        return words.kind_of(self.event)

    @property
    def sentence(self) -> str:
        return words.sentence(self.event)

    @property
    def act(self) -> tuple[str, list[words.Detail]]:
        return words.act(self.event, self.details)

    @property
    def parts(self) -> tuple[str, Mapping[str, str]]:
        return words.parts(self.event)


@dataclass(frozen=True)
class Trail:
    """What somebody may read: everything at `customers`, and at `providers` what concerns no single customer."""

    customers: QuerySet[Customer]
    here: Q  # says the same of events, in the way that is quickest to answer
    providers: list[Provider] = field(default_factory=list)
    oversees: bool = True  # reads what the provider says of its customer for itself

    def events(self) -> AuditEventQuerySet:
        return AuditEvent.objects.filter(self.here)


@dataclass(frozen=True)
class Asked:
    """What is looked for. Days are whole ones in the reader's time zone."""

    text: str = ""
    kind: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Page:
    """A stretch of the trail, newest first; `newer` and `older` are ids to go on from, None at the ends."""

    entries: list[Entry]
    newer: int | None
    older: int | None


def activity_at(customer: Customer, *, by: Any) -> Trail:
    """All that anybody did at the customer. Raises NotAllowed."""
    require(by, customer, Right.VIEW_ACTIVITY)
    oversees = Right.OVERSEE_CUSTOMER in rights_of(by, customer)
    return Trail(Customer.objects.filter(pk=customer.pk), Q(customer_id=customer.pk), oversees=oversees)


def activity_for(by: Any) -> Trail:
    """For people of providers: at these, and at those of their customers that the person may enter. Raises NotInATeam."""
    providers = [
        provider for provider in providers_of(by) if Right.VIEW_TEAM_ACTIVITY in rights_of(by, provider)
    ]
    if not providers:
        raise NotInATeam
    customers = customers_of(by).filter(provider__in=providers)
    within = Q(customer_id=None) | Q(customer_id__in=customers.values("pk"))
    return Trail(customers, Q(provider_id__in=[provider.pk for provider in providers]) & within, providers)


def read(trail: Trail, asked: Asked, *, before: str = "", after: str = "") -> Page:
    """A page of what was asked for, older than the event `before`, or newer than `after`; else the newest.

    Pages begin at an event and not at a number, so that they stay in place while the trail grows, and the last one
    costs no more than the first.

    Lines of days to come, as whoever could write lines may have written before the database asked when, would stand before all
    acts for good: they are shown to who asks for such a day, and by `read_all`.
    """
    found = search(trail, asked)
    if not asked.until and (not asked.since or asked.since <= localdate()):
        found = found.filter(at__lt=now() + timedelta(days=1))
    if (start := _event(trail, after)) is not None:
        newer = list(found.filter(_later_than(start)).order_by("at", "id")[: PAGE_LENGTH + 1])
        if len(newer) > PAGE_LENGTH:
            page = newer[PAGE_LENGTH - 1 :: -1]
            return Page(_tell(trail, page), newer=page[0].pk, older=page[-1].pk)
    start = _event(trail, before)
    page = list((found.filter(_earlier_than(start)) if start else found)[: PAGE_LENGTH + 1])
    more, page = len(page) > PAGE_LENGTH, page[:PAGE_LENGTH]
    return Page(
        _tell(trail, page),
        newer=page[0].pk if start and page else None,
        older=page[-1].pk if more else None,
    )


def read_all(trail: Trail, asked: Asked) -> Iterator[list[Entry]]:
    """All that was asked for, in batches."""
    found = search(trail, asked)
    batch = list(found[:BATCH_LENGTH])
    while batch:
        yield _tell(trail, batch)
        batch = list(found.filter(_earlier_than(batch[-1]))[:BATCH_LENGTH])


def search(trail: Trail, asked: Asked) -> AuditEventQuerySet:
    """Newest first. Each word is looked for in people's and objects' names, and in the mailboxes' addresses. Raises
    UnknownKind, as do read() and read_all().
    """
    if asked.kind and asked.kind not in words.Kind.values:
        raise UnknownKind(value=asked.kind)
    found = trail.events().order_by("-at", "-id")
    for word in asked.text.split()[:WORDS]:
        found = found.filter(_about(trail, word))
    if asked.kind == words.Kind.OTHER:
        found = found.of_others_than(*words.WORDINGS)
    elif asked.kind:
        found = found.of(*words.actions_of(words.Kind(asked.kind)))
    if asked.since:
        found = found.filter(at__gte=_midnight(asked.since))
    if asked.until:
        found = found.filter(at__lt=_midnight(asked.until + timedelta(days=1)))
    return found


def _about(trail: Trail, word: str) -> Q:
    addressed = DirectoryEntry.objects.filter(
        customer__in=trail.customers.values("pk"), address__icontains=word
    )
    about = (
        each_word(word, "actor_email", "target_name")
        | Q(actor_id__in=User.objects.filter(each_word(word, "name")).values("pk"))
        | Q(target_id__in=addressed.values(text_id=Cast("mailbox_id", CharField())))
    )
    if trail.providers:  # who reads of several customers looks for one of them too
        about |= Q(customer_id__in=trail.customers.filter(each_word(word, "name")).values("pk"))
    return about


def _midnight(day: date) -> datetime:
    return make_aware(datetime.combine(day, time.min))


def _event(trail: Trail, pk: str) -> AuditEvent | None:
    if not NUMBER.fullmatch(pk):
        return None
    return trail.events().filter(pk=int(pk)).only("at").first()  # of one that is too great Django finds none


def _earlier_than(event: AuditEvent) -> Q:
    at = _moment_of(event)
    # The first condition says nothing new, but it is the one that the index on time can serve.
    return Q(at__lte=at) & (Q(at__lt=at) | Q(id__lt=event.pk))


def _later_than(event: AuditEvent) -> Q:
    at = _moment_of(event)
    return Q(at__gte=at) & (Q(at__gt=at) | Q(id__gt=event.pk))


def _moment_of(event: AuditEvent) -> Subquery:
    """As the database has it, which may be none of a calendar (tenants/details.py)."""
    moment = ExpressionWrapper(F("at"), output_field=DateTimeField())
    return Subquery(AuditEvent.objects.filter(pk=event.pk).values(moment=moment))


# --- With names and places ---
def _tell(trail: Trail, events: list[AuditEvent]) -> list[Entry]:
    people = _People(trail, events)
    targets = _targets(trail, events)
    customers = trail.customers.in_bulk({event.customer_id for event in events if event.customer_id})
    providers = {provider.pk: provider for provider in trail.providers}
    # Somebody limited to some customers may read that others are limited too, but not to whom.
    named = any("customers" in key for event in events for key in words.data_of(event))
    known = set(trail.customers.values_list("slug", flat=True)) if named else set()
    # Nor at which domains the others' people have their addresses.
    domains = any("email_domains" in words.data_of(event) for event in events)
    others = Customer.objects.filter(provider__in=trail.providers).exclude(
        pk__in=trail.customers.values("pk")
    )
    secret = ("email_domains",) if domains and others.exists() else ()
    # A provider's words for its customer are not for the customer's own people.
    own_words = () if trail.oversees else Customer.PROVIDERS_OWN
    return [
        Entry(
            event=event,
            who=people.behind(event),
            customer=customers.get(event.customer_id) if event.customer_id else None,
            provider=providers.get(event.provider_id) if event.provider_id else None,
            mailbox=targets.get(event.target_id) if event.target_type == "mailbox" else None,
            details=words.details(event, known, own_words if event.customer_id else secret),
        )
        for event in events
    ]


def _targets(trail: Trail, events: Iterable[AuditEvent]) -> dict[str, Target]:
    ids = {event.target_id for event in events if event.target_type == "mailbox"}
    entries = DirectoryEntry.objects.filter(
        customer__in=trail.customers.values("pk"), mailbox_id__in={*filter(None, map(_uuid, ids))}
    )
    return {
        str(pk): Target(pk, is_gone=status == DirectoryEntry.Status.RETIRED)
        for pk, status in entries.values_list("mailbox_id", "status")
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


class _People:
    """Names and sides of all who act in a list of events, in a few queries."""

    def __init__(self, trail: Trail, events: Iterable[AuditEvent]) -> None:
        ids = {event.actor_id for event in events if event.actor_id}
        self._users = User.objects.in_bulk(ids)
        places = {(event.provider_id, event.customer_id) for event in events}
        self._provider_ids = {provider for provider, customer in places if provider}
        self._customer_ids = {customer for provider, customer in places if customer}
        self._members = self._read_members(ids)
        strangers = {event.actor_id for event in events if event.actor_id and not event.actor_side}
        strangers -= {user for user, *_ in self._members}
        self._left = self._read_left(strangers) if strangers else set()

    def behind(self, event: AuditEvent) -> Who:
        if not event.actor_id:
            return Who(nobody(event))
        user = self._users.get(event.actor_id)
        return Who(
            name=user.name if user and user.name else event.actor_email,
            email=event.actor_email,
            side=self._side(event, user),
        )

    def _side(self, event: AuditEvent, user: User | None) -> Side:
        of_provider = (event.actor_id, event.provider_id, None)
        of_customer = (event.actor_id, None, event.customer_id)
        if event.actor_side == Side.PROVIDER:
            return Side.PROVIDER if of_provider in self._members else Side.FORMER_PROVIDER
        if event.actor_side == Side.CUSTOMER:
            return Side.CUSTOMER if of_customer in self._members else Side.FORMER_CUSTOMER
        if event.actor_side == Side.STAFF:
            return Side.STAFF
        # Nothing was written down, so what is known today has to do.
        if of_provider in self._members:
            return Side.PROVIDER
        if event.customer_id and of_customer in self._members:
            return Side.CUSTOMER
        if user and user.is_staff:
            return Side.STAFF
        if event.customer_id and of_customer in self._left:
            return Side.FORMER_CUSTOMER
        return Side.FORMER_PROVIDER if of_provider in self._left else Side.UNKNOWN

    def _read_members(self, ids: set[int]) -> set[tuple[int | None, int | None, UUID | None]]:
        here = Q(provider__in=self._provider_ids) | Q(customer__in=self._customer_ids)
        return {*Membership.objects.filter(here, user__in=ids).values_list("user", "provider", "customer")}

    def _read_left(self, ids: set[int]) -> set[tuple[int | None, int | None, UUID | None]]:
        """Who has no role any more: the trail still knows that it was taken from them."""
        here = Q(customer_id__in=self._customer_ids) | Q(customer_id=None, provider_id__in=self._provider_ids)
        taken = AuditEvent.objects.of("membership.removed").filter(
            here, target_type="user", target_id__in=[str(pk) for pk in ids]
        )
        return {
            (int(user), None if customer else provider, customer)
            for user, provider, customer in taken.values_list("target_id", "provider_id", "customer_id")
        }


def nobody(event: AuditEvent) -> str:
    """No person had signed in: the system itself, a command on the server, or somebody at a page for everyone."""
    if words.is_automatic(event):
        return str(_("The system"))
    if event.origin:
        return str(_("Somebody who was not signed in"))
    return gettext(COMMAND_LINE)
