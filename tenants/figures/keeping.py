"""Writing figures: what a fold of a customer's counters has found goes into `public`, in the fold's own transaction.

Nothing here looks into a customer's schema, which may lie on another server (tenants.cluster): what is there comes as
plain values. Whoever folds a customer waits for who does so already (mailboxes.services.tallies).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.zones import zone_of
from tenants.counts import HOURS, CustomerDay, MailboxDay, MailboxFigures
from tenants.figures.days import day_and_hour, end_of
from tenants.models import Customer, DirectoryEntry
from tenants.schemas import that_are_there

Status = DirectoryEntry.Status

QUARTER = timedelta(minutes=15)  # no zone's hour or day begins within one
KEPT_DAYS = 400  # more than a year and the month that ends then
CLEARED_AT_ONCE = 10_000  # rows

# Each of these adds to what is there. Where a row's day ended at another moment, for the provider had another zone then, what
# has changed is reckoned up to that one.
ADDED = """
    messages_in = row.messages_in + excluded.messages_in, octets_in = row.octets_in + excluded.octets_in,
    messages_out = row.messages_out + excluded.messages_out, octets_out = row.octets_out + excluded.octets_out,
    messages_else = row.messages_else + excluded.messages_else, octets_else = row.octets_else + excluded.octets_else,
    put_off = row.put_off + excluded.put_off, peak_octets = greatest(row.peak_octets, excluded.peak_octets),
    octet_seconds = row.octet_seconds + excluded.octet_seconds
        + (excluded.octets_in - excluded.octets_out + excluded.octets_else)
        * extract(epoch FROM row.ends_at - excluded.ends_at)::bigint
"""
SUMS = (
    "day, messages_in, octets_in, messages_out, octets_out, messages_else, octets_else, put_off, peak_octets, ends_at, "
    "octet_seconds"
)
TYPES = (
    "day date, messages_in bigint, octets_in bigint, messages_out bigint, octets_out bigint, messages_else bigint, "
    "octets_else bigint, put_off bigint, peak_octets bigint, ends_at timestamptz, octet_seconds bigint"
)
ADD_MAILBOX_DAYS = f"""
INSERT INTO public.tenants_mailboxday AS row (customer_id, mailbox_id, hours_in, hours_out, {SUMS})
SELECT %(customer)s, mailbox_id, hours_in, hours_out, {SUMS}
FROM jsonb_to_recordset(%(rows)s::jsonb) AS found (mailbox_id uuid, hours_in integer[], hours_out integer[], {TYPES})
ON CONFLICT (mailbox_id, day) DO UPDATE SET
    hours_in = ARRAY(SELECT one + other FROM unnest(row.hours_in, excluded.hours_in) WITH ORDINALITY AS both_of
        (one, other, hour) ORDER BY hour),
    hours_out = ARRAY(SELECT one + other FROM unnest(row.hours_out, excluded.hours_out) WITH ORDINALITY AS both_of
        (one, other, hour) ORDER BY hour), {ADDED}
"""  # noqa: S608 - constants
ADD_CUSTOMER_DAYS = f"""
INSERT INTO public.tenants_customerday AS row (customer_id, {SUMS})
SELECT %(customer)s, {SUMS} FROM jsonb_to_recordset(%(rows)s::jsonb) AS found ({TYPES})
ON CONFLICT (customer_id, day) DO UPDATE SET {ADDED}
"""  # noqa: S608 - constants
STATE = """
INSERT INTO public.tenants_mailboxfigures AS row (customer_id, mailbox_id, messages, octets, first_mail_at, last_mail_at,
    first_collection_at, last_collection_at, oldest_at, collectable_since, folded_at)
SELECT %(customer)s, mailbox_id, messages, octets, first_mail_at, last_mail_at, first_collection_at, last_collection_at,
    oldest_at, collectable_since, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS found (mailbox_id uuid, messages bigint, octets bigint,
    first_mail_at timestamptz, last_mail_at timestamptz, first_collection_at timestamptz, last_collection_at timestamptz,
    oldest_at timestamptz, collectable_since timestamptz)
ON CONFLICT (mailbox_id) DO UPDATE SET
    customer_id = excluded.customer_id, messages = excluded.messages, octets = excluded.octets,
    first_mail_at = excluded.first_mail_at, last_mail_at = excluded.last_mail_at,
    first_collection_at = excluded.first_collection_at, last_collection_at = excluded.last_collection_at,
    oldest_at = excluded.oldest_at, collectable_since = excluded.collectable_since, folded_at = excluded.folded_at
"""
CLEAR = """
DELETE FROM public.{table} WHERE id IN (SELECT id FROM public.{table} WHERE day < %s ORDER BY day LIMIT %s)
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a fold has found of a mailbox in a quarter of an hour that begins at `quarter`.

    `octets` is by how much what waits has changed in all, `octet_seconds` the same by the seconds up to the quarter's end;
    `peak` is the most that waited in it, `peak_of_all` that of the customer's mailboxes together.
    """

    mailbox_id: UUID
    quarter: datetime
    messages_in: int
    octets_in: int
    messages_out: int
    octets_out: int
    collections: int
    put_off: int
    messages: int
    octets: int
    octet_seconds: int
    peak: int
    peak_of_all: int


@dataclass(frozen=True, slots=True)
class Amount:
    """A mailbox as of the fold; `is_living` unless its deletion has begun."""

    mailbox_id: UUID
    messages: int
    octets: int
    first_mail_at: datetime | None
    last_mail_at: datetime | None
    first_collection_at: datetime | None
    last_collection_at: datetime | None
    oldest_at: datetime | None
    collectable_since: datetime | None
    is_living: bool


def _no_hours() -> list[int]:
    return [0] * HOURS


@dataclass(slots=True)
class _Day:
    """What is added to a day's row."""

    day: date
    ends_at: datetime
    messages_in: int = 0
    octets_in: int = 0
    messages_out: int = 0
    octets_out: int = 0
    messages_else: int = 0
    octets_else: int = 0
    put_off: int = 0
    peak_octets: int = 0
    octet_seconds: int = 0
    hours_in: list[int] = field(default_factory=_no_hours)
    hours_out: list[int] = field(default_factory=_no_hours)

    def add(self, moved: Moved, hour: int, peak: int) -> None:
        self.messages_in += moved.messages_in
        self.octets_in += moved.octets_in
        self.messages_out += moved.messages_out
        self.octets_out += moved.octets_out
        self.messages_else += moved.messages - moved.messages_in + moved.messages_out
        self.octets_else += moved.octets - moved.octets_in + moved.octets_out
        self.put_off += moved.put_off
        self.peak_octets = max(self.peak_octets, peak)
        self.octet_seconds += moved.octet_seconds
        self.octet_seconds += moved.octets * _seconds(self.ends_at - (moved.quarter + QUARTER))
        self.hours_in[hour] += moved.messages_in
        self.hours_out[hour] += moved.collections

    def correct(self, messages: int, octets: int, now: datetime) -> None:
        """Something else has changed the counters: a restore, or a fold of the release before."""
        self.messages_else += messages
        self.octets_else += octets
        self.octet_seconds += octets * _seconds(self.ends_at - now)


class _Days:
    """Of one mailbox, or of a customer."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._days: dict[date, _Day] = {}

    def __iter__(self) -> Iterator[_Day]:
        return iter(self._days.values())

    def of(self, moment: datetime) -> tuple[_Day, int]:
        """The day, and its hour."""
        day, hour = day_and_hour(moment, self._zone)
        if day not in self._days:
            self._days[day] = _Day(day, end_of(day, self._zone))
        return self._days[day], hour


def add(
    customer: Customer,
    amounts: Sequence[Amount],
    moved: Iterable[Moved],
    *,
    now: datetime,
    are_all: bool = False,
) -> None:
    """Write what a fold has found: `amounts` of each mailbox that it names in `moved`, and of others, whose mailboxes `are_all` that
    the customer has. In the caller's transaction, and last in it: a fold that waits for these rows holds counters.
    """
    zone = zone_of(customer.provider)
    known = MailboxFigures.objects.select_for_update().order_by("pk")
    known = (
        known.filter(customer=customer) if are_all else known.filter(pk__in=[a.mailbox_id for a in amounts])
    )
    before = {row.pk: row for row in known}
    of_all = _Days(zone)
    rows: list[dict[str, Any]] = []
    found = {
        mailbox: list(those)
        for mailbox, those in groupby(
            sorted(moved, key=lambda one: (one.mailbox_id, one.quarter)), key=lambda one: one.mailbox_id
        )
    }
    gone = [
        Amount(pk, 0, 0, None, None, None, None, None, None, is_living=False)
        for pk in before.keys() - {amount.mailbox_id for amount in amounts}
    ]
    for amount in (*amounts, *gone):
        days, last = _Days(zone), before.get(amount.mailbox_id)
        messages, octets = amount.messages, amount.octets
        # Of what came late, when later mail was counted already, nobody knows how much waited at that moment.
        from_day = day_and_hour(last.folded_at, zone)[0] if last else date.min
        for one in found.get(amount.mailbox_id, ()):
            for those, peak in ((days, one.peak), (of_all, one.peak_of_all)):
                day, hour = those.of(one.quarter)
                day.add(one, hour, peak if day.day >= from_day else 0)
            messages, octets = messages - one.messages, octets - one.octets
        messages, octets = messages - (last.messages if last else 0), octets - (last.octets if last else 0)
        if messages or octets:
            for those in (days, of_all):
                those.of(now)[0].correct(messages, octets, now)
        rows += [{"mailbox_id": amount.mailbox_id, **asdict(day)} for day in days]
    _execute(ADD_MAILBOX_DAYS, customer, rows)
    _execute(ADD_CUSTOMER_DAYS, customer, [asdict(day) for day in of_all])
    _execute(STATE, customer, [asdict(amount) for amount in amounts if amount.is_living], now=now)
    dead = [amount.mailbox_id for amount in (*amounts, *gone) if not amount.is_living]
    if before.keys() & set(dead):
        MailboxFigures.objects.filter(pk__in=dead).delete()


def begin(customer: Customer, mailbox_id: UUID) -> None:
    """A mailbox is new, and nothing waits in it. In the caller's transaction."""
    MailboxFigures.objects.create(
        mailbox_id=mailbox_id, customer=customer, messages=0, octets=0, folded_at=timezone.now()
    )


def schemas_without_figures() -> list[str]:
    """Of customers with a mailbox of which nothing is told: the release before has made it, or a restore."""
    told = MailboxFigures.objects.filter(pk=OuterRef("mailbox_id"))
    alive = DirectoryEntry.objects.filter(status__in=(Status.ACTIVE, Status.SUSPENDED))
    untold = alive.filter(~Exists(told)).order_by().values_list("customer__schema_name", flat=True)
    schemas = list(untold.distinct())
    return that_are_there(schemas) if schemas else []  # of one whose schema is gone nothing can be told


def forget(mailbox_id: UUID) -> None:
    """A mailbox is gone, whose counters were folded; its days stay. In the caller's transaction, last in it."""
    MailboxFigures.objects.filter(pk=mailbox_id).delete()


def clear_old(today: date) -> int:
    """Take away some of the days that are too old, and say how many; there may be more as long as it is CLEARED_AT_ONCE."""
    cleared = 0
    for model in (MailboxDay, CustomerDay):
        with connection.cursor() as cursor:
            cursor.execute(
                CLEAR.format(table=model._meta.db_table),
                [today - timedelta(days=KEPT_DAYS), CLEARED_AT_ONCE],
            )
            cleared = max(cleared, cursor.rowcount)
    return cleared


def _execute(statement: str, customer: Customer, rows: list[dict[str, Any]], **values: Any) -> None:
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            statement, {"customer": customer.pk, "rows": json.dumps(rows, default=_plain), **values}
        )


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _seconds(span: timedelta) -> int:
    return round(span.total_seconds())
