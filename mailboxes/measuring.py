"""Customers by the thousand that look as if they had worked for months: `manage.py make_busy_customers`.

Customers are real ones, made as any other, and so are mailboxes but for two things: nobody is told their passwords, and the
trail tells of none. What came, was collected and waits in them is made up: months of mail can't be delivered in minutes, so
days and counters are written as they would be, and there is no message behind them. Refused where `make_empty_customers` is.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes.models import KeyLock, Mailbox, MailboxKey, Tally
from mailboxes.services import tallies
from mailboxes.services.creation import new_address
from mailboxes.services.naming import canonical_name
from mailboxes.vault import LockContext, generate_key_pair, lock_with_password, new_password
from tenants import access
from tenants.counts import CustomerDay, MailboxDay, MailboxFigures
from tenants.measuring import PROVIDER, make_empty_customers, require_for_measuring
from tenants.models import Customer, DirectoryEntry
from tenants.schemas import between_customers

OCTETS = 75_000  # of a mail

# A journal has its most from eight to six on working days, and is collected within minutes.
DAYS = """
INSERT INTO public.tenants_mailboxday (customer_id, mailbox_id, day, ends_at, messages_in, octets_in, messages_out, octets_out,
    messages_else, octets_else, put_off, peak_octets, octet_seconds, hours_in, hours_out)
SELECT customer_id, mailbox_id, day, day + 1, mail, mail * %(octets)s, mail, mail * %(octets)s, 0, 0, 0, mail * %(octets)s / 20,
    mail * %(octets)s * 300, hours,
    array_fill(12, ARRAY[24])
FROM (
    SELECT entry.customer_id, entry.mailbox_id, today.day::date AS day, 11 * busy.an_hour::bigint AS mail,
        array_fill(0, ARRAY[8]) || array_fill(busy.an_hour, ARRAY[11]) || array_fill(0, ARRAY[5]) AS hours
    FROM public.tenants_directoryentry entry
    CROSS JOIN generate_series(%(first)s::date, %(last)s::date, '1 day') AS today (day)
    CROSS JOIN LATERAL (
        SELECT (abs(hashtext(entry.mailbox_id::text || today.day)) %% 40 + 10)
            / CASE WHEN extract(isodow FROM today.day) > 5 THEN 10 ELSE 1 END AS an_hour
    ) AS busy
    WHERE entry.customer_id = ANY(%(customers)s)
) AS made
ON CONFLICT DO NOTHING
"""
SUMS = """
INSERT INTO public.tenants_customerday (customer_id, day, ends_at, messages_in, octets_in, messages_out, octets_out,
    messages_else, octets_else, put_off, peak_octets, octet_seconds)
SELECT customer_id, day, max(ends_at), sum(messages_in), sum(octets_in), sum(messages_out), sum(octets_out), 0, 0, 0,
    sum(peak_octets), sum(octet_seconds)
FROM public.tenants_mailboxday WHERE customer_id = ANY(%(customers)s) AND day <= %(last)s GROUP BY customer_id, day
ON CONFLICT DO NOTHING
"""


def make_busy_customers(
    number: int,
    *,
    mailboxes: int,
    days: int,
    by: Actor,
    tell: Callable[[int], None] = lambda made: None,
) -> None:
    """Have so many customers with so many mailboxes each, and figures of so many days up to yesterday; what is there already
    counts. `tell` hears how many are done. Raises NotAllowed or NotForMeasuring.
    """
    access.require(by, access.PLATFORM, access.Right.ADD_CUSTOMER)
    require_for_measuring()
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")  # after a power cut one begins anew
    there = Customer.objects.filter(provider__slug=PROVIDER).count()
    if number > there:
        make_empty_customers(number - there, by=by)
    ours = Customer.objects.filter(provider__slug=PROVIDER).select_related("provider").order_by("slug")
    customers = list(ours[:number])
    for done, customer in enumerate(customers, 1):
        _furnish(customer, mailboxes)
        tell(done)
        between_customers()
    yesterday = timezone.now().date() - timedelta(days=1)
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "customers": [customer.pk for customer in customers],
            "octets": OCTETS,
            "first": yesterday - timedelta(days=days - 1),
            "last": yesterday,
        }
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(DAYS, values)
        cursor.execute(SUMS, values)
        for rows in (MailboxDay, CustomerDay, MailboxFigures, DirectoryEntry):
            cursor.execute(f"ANALYZE {rows._meta.db_table}")
        cursor.execute("RESET statement_timeout; RESET synchronous_commit")


def _furnish(customer: Customer, mailboxes: int) -> None:
    """All rows that `create_mailbox` writes but its line in the trail, of all mailboxes at once: a few statements instead of
    twenty for each. Their passwords are known to nobody.
    """
    there, now = DirectoryEntry.objects.filter(customer=customer).count(), timezone.now()
    names = {one: f"Journal {one}" for one in range(there + 1, mailboxes + 1)}
    made = [
        Mailbox(name=name, canonical_name=canonical_name(name), address=new_address())
        for name in names.values()
    ]
    pairs = [generate_key_pair() for _ in made]
    locks = [
        lock_with_password(pair.private, new_password(), context=LockContext(customer.pk, mailbox.pk))
        for mailbox, pair in zip(made, pairs, strict=True)
    ]
    with tenant_context(customer), transaction.atomic():
        Mailbox.objects.bulk_create(made)
        keys = MailboxKey.objects.bulk_create(
            MailboxKey(mailbox=mailbox, generation=1, public_key=pair.public)
            for mailbox, pair in zip(made, pairs, strict=True)
        )
        KeyLock.objects.bulk_create(
            KeyLock(key=key, kind=KeyLock.Kind.PASSWORD, data=lock)
            for key, lock in zip(keys, locks, strict=True)
        )
        DirectoryEntry.objects.bulk_create(
            DirectoryEntry(
                address=mailbox.address,
                customer=customer,
                mailbox_id=mailbox.pk,
                status=mailbox.status,
                public_key=pair.public,
                generation=1,
                name=mailbox.name,
            )
            for mailbox, pair in zip(made, pairs, strict=True)
        )
        Tally.objects.bulk_create(
            Tally(
                mailbox=mailbox,
                messages=7 * one,
                octets=7 * one * OCTETS,
                first_mail_at=now,
                last_mail_at=now,
                first_collection_at=now,
                last_collection_at=now,
            )
            for one, mailbox in zip(names, made, strict=True)
        )
        tallies.fold(customer, wholly=True)
