"""Reading figures of many mailboxes and customers, by so many queries however many these are. They are as of the last fold:
minutes old, while a mailbox's own page counts to the moment.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max, Min, QuerySet, Sum
from django.utils import timezone

from accounts.actors import Actor
from accounts.zones import zone_of
from tenants import access
from tenants.counts import CustomerDay, Figures, MailboxDay, MailboxFigures
from tenants.figures.days import begin_of, day_and_hour
from tenants.figures.keeping import KEPT_DAYS
from tenants.models import Customer, Provider

SHOWN_DAYS = 30
PROVIDERS_DAYS = 90


class Waiting(NamedTuple):
    """So much mail."""

    messages: int
    octets: int


NOTHING = Waiting(0, 0)


@dataclass(frozen=True)
class Day:
    """What came, was collected and waited on a day; `waiting` at its end, of today at the last fold."""

    day: date
    messages_in: int = 0
    octets_in: int = 0
    messages_out: int = 0
    octets_out: int = 0
    put_off: int = 0
    waiting: Waiting = NOTHING


@dataclass(frozen=True)
class Overview:
    """A customer in a list: what waits in all mailboxes, since when the oldest of it, and how many mails came in each day."""

    waiting: Waiting = NOTHING
    oldest_at: datetime | None = None
    last_mail_at: datetime | None = None
    last_collection_at: datetime | None = None
    mail_a_day: tuple[int, ...] = ()


@dataclass(frozen=True)
class Usage:
    """A mailbox in some days: what came and was collected, and the storage that waiting mail took: the most, and the mean over
    time, in octets.
    """

    messages_in: int
    octets_in: int
    messages_out: int
    octets_out: int
    peak_octets: int
    mean_octets: float


def days_of_mailbox(customer: Customer, mailbox_id: UUID, *, by: Actor, days: int = SHOWN_DAYS) -> list[Day]:
    """Each of so many days up to today, the oldest first. Raises NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    shown = _days(customer.provider, days)
    here = MailboxDay.objects.filter(customer=customer, mailbox_id=mailbox_id, day__gte=shown[0])
    now = MailboxFigures.objects.filter(customer=customer, pk=mailbox_id).values_list("messages", "octets")
    return _filled(shown, _sums(here), Waiting(*now.first() or NOTHING))


def mail_of_mailboxes(
    customer: Customer, mailboxes: Collection[UUID], *, by: Actor, days: int = SHOWN_DAYS
) -> dict[UUID, tuple[int, ...]]:
    """How many mails came in on each of these days, the oldest first, for each of these mailboxes. Raises NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    shown = _days(customer.provider, days)
    here = MailboxDay.objects.filter(customer=customer, mailbox_id__in=mailboxes, day__gte=shown[0])
    found: dict[UUID, dict[date, int]] = {}
    for mailbox, day, messages in here.values_list("mailbox_id", "day", "messages_in"):
        found.setdefault(mailbox, {})[day] = messages
    return {mailbox: _spread(shown, found.get(mailbox, {})) for mailbox in mailboxes}


def of_customers(customers: Iterable[Customer], *, by: Any, days: int = SHOWN_DAYS) -> dict[UUID, Overview]:
    """Of those of these customers whom `by` may enter. They have their providers at hand."""
    asked = {customer.pk: customer for customer in customers}
    here = access.customers_of(by).filter(pk__in=asked).values_list("pk", flat=True)
    may = set(here)
    first = min((_days(asked[pk].provider, days)[0] for pk in may), default=date.max)
    mail: dict[UUID, dict[date, int]] = {}
    shown = CustomerDay.objects.filter(customer__in=may, day__gte=first)
    for pk, day, messages in shown.values_list("customer_id", "day", "messages_in"):
        mail.setdefault(pk, {})[day] = messages
    found = {
        pk: Overview(mail_a_day=_spread(_days(asked[pk].provider, days), mail.get(pk, {}))) for pk in may
    }
    now = MailboxFigures.objects.filter(customer__in=may).order_by().values_list("customer_id")
    for pk, messages, octets, oldest, last_mail, last_collection in now.annotate(
        Sum("messages"), Sum("octets"), Min("oldest_at"), Max("last_mail_at"), Max("last_collection_at")
    ):
        found[pk] = Overview(
            Waiting(messages, octets), oldest, last_mail, last_collection, found[pk].mail_a_day
        )
    return found


def days_of_provider(provider: Provider, *, by: Any, days: int = PROVIDERS_DAYS) -> list[Day]:
    """Each of so many days up to today, the oldest first, of all its customers whom `by` may enter together."""
    shown = _days(provider, days)
    here = access.customers_of(by).filter(provider=provider).values("pk")
    now = MailboxFigures.objects.filter(customer__in=here).aggregate(m=Sum("messages"), o=Sum("octets"))
    summed = _sums(CustomerDay.objects.filter(customer__in=here, day__gte=shown[0]))
    return _filled(shown, summed, Waiting(now["m"] or 0, now["o"] or 0))


def usage_of(customer: Customer, first: date, last: date, *, by: Actor) -> dict[UUID, Usage]:
    """Of each of the customer's mailboxes in which mail came, went or waited on these days, deleted ones among them, by its id;
    of a day that is not over up to now. The peak is the most that waited when something changed, or when a day began or ended.
    Raises NotAllowed.
    """
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    rows = MailboxDay.objects.filter(customer=customer, day__gte=first).order_by("mailbox_id", "-day")
    by_mailbox: dict[UUID, list[MailboxDay]] = {}
    for row in rows.defer("hours_in", "hours_out"):
        by_mailbox.setdefault(row.mailbox_id, []).append(row)
    now = dict(MailboxFigures.objects.filter(customer=customer).values_list("mailbox_id", "octets"))
    zone = zone_of(customer.provider)
    begin, end = begin_of(first, zone), min(begin_of(last + timedelta(days=1), zone), timezone.now())
    usage = {
        mailbox: _usage(by_mailbox.get(mailbox, []), now.get(mailbox, 0), last, begin, end)
        for mailbox in by_mailbox.keys() | now.keys()
    }
    return {mailbox: used for mailbox, used in usage.items() if used}


def _usage(
    newest_first: list[MailboxDay], octets: int, last: date, begin: datetime, end: datetime
) -> Usage | None:
    """`octets` wait now; the rows are those since the first day."""
    level, peak, octet_seconds = octets, 0, 0.0
    within: list[MailboxDay] = []
    for row in newest_first:
        if row.day <= last:
            within.append(row)
            peak = max(peak, level, row.peak_octets)  # it ended with this
            octet_seconds += row.octet_seconds + _changed(row) * (end - row.ends_at).total_seconds()
        level -= _changed(row)
    if not (within or level):
        return None
    length = max((end - begin).total_seconds(), 1)
    return Usage(
        sum(row.messages_in for row in within),
        sum(row.octets_in for row in within),
        sum(row.messages_out for row in within),
        sum(row.octets_out for row in within),
        max(peak, level),
        level + octet_seconds / length,
    )


def _changed(row: Figures) -> int:
    """By how many octets there was more at the day's end than at its beginning."""
    return row.octets_in - row.octets_out + row.octets_else


def _days(provider: Provider, number: int) -> list[date]:
    """So many up to today, as far as they are kept; today in any case."""
    number = min(max(number, 1), KEPT_DAYS)
    today, _hour = day_and_hour(timezone.now(), zone_of(provider))
    return [today - timedelta(days=before) for before in range(number - 1, -1, -1)]


def _sums(rows: "QuerySet[Any]") -> dict[date, dict[str, int]]:
    fields = (
        "messages_in",
        "octets_in",
        "messages_out",
        "octets_out",
        "messages_else",
        "octets_else",
        "put_off",
    )
    summed = rows.order_by().values("day").annotate(**{f"all_{name}": Sum(name) for name in fields})
    return {row["day"]: {name: row[f"all_{name}"] for name in fields} for row in summed}


def _filled(shown: list[date], found: Mapping[date, Mapping[str, int]], now: Waiting) -> list[Day]:
    return list(_backwards(shown, found, now))[::-1]


def _backwards(shown: list[date], found: Mapping[date, Mapping[str, int]], now: Waiting) -> Iterator[Day]:
    """From what waits now: each day ended with what the next one began with."""
    messages, octets = now
    for day in sorted(found.keys() - set(shown), reverse=True):  # of a zone in which it is tomorrow
        messages, octets = _before(found[day], messages, octets)
    for day in reversed(shown):
        sums = found.get(day)
        if sums is None:
            yield Day(day, waiting=Waiting(messages, octets))
            continue
        yield Day(
            day,
            sums["messages_in"],
            sums["octets_in"],
            sums["messages_out"],
            sums["octets_out"],
            sums["put_off"],
            Waiting(messages, octets),
        )
        messages, octets = _before(sums, messages, octets)


def _before(sums: Mapping[str, int], messages: int, octets: int) -> tuple[int, int]:
    return (
        messages - sums["messages_in"] + sums["messages_out"] - sums["messages_else"],
        octets - sums["octets_in"] + sums["octets_out"] - sums["octets_else"],
    )


def _spread(shown: list[date], found: Mapping[date, int]) -> tuple[int, ...]:
    return tuple(found.get(day, 0) for day in shown)
