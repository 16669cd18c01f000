"""Counters of mailboxes: deliveries and collections note changes, a fold adds them up, readers see both."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Max, Min, QuerySet, Sum

from mailboxes.models import KeyTally, Mailbox, MailboxKey, Message, Tally, TallyChange

FOLD = """
WITH changes AS (
    DELETE FROM mailboxes_tallychange RETURNING mailbox_id, key_id, messages, octets, mail_at, collection_at, put_off
), by_key AS (
    INSERT INTO mailboxes_keytally AS tally (key_id, messages, octets)
    SELECT key_id, sum(messages), sum(octets) FROM changes WHERE key_id IS NOT NULL GROUP BY key_id
    ON CONFLICT (key_id) DO UPDATE SET
        messages = tally.messages + excluded.messages,
        octets = tally.octets + excluded.octets
)
INSERT INTO mailboxes_tally AS tally
    (mailbox_id, messages, octets, first_mail_at, last_mail_at, first_collection_at, last_collection_at, put_off)
SELECT mailbox_id, sum(messages), sum(octets), min(mail_at), max(mail_at), min(collection_at), max(collection_at),
    sum(put_off)
FROM changes GROUP BY mailbox_id
ON CONFLICT (mailbox_id) DO UPDATE SET
    messages = tally.messages + excluded.messages,
    octets = tally.octets + excluded.octets,
    first_mail_at = least(tally.first_mail_at, excluded.first_mail_at),
    last_mail_at = greatest(tally.last_mail_at, excluded.last_mail_at),
    first_collection_at = least(tally.first_collection_at, excluded.first_collection_at),
    last_collection_at = greatest(tally.last_collection_at, excluded.last_collection_at),
    put_off = tally.put_off + excluded.put_off
"""


class Amount(NamedTuple):
    """So much mail."""

    messages: int
    octets: int


class Activity(NamedTuple):
    """What a mailbox holds and when mail came in and was collected.

    `waiting` counts all mail, also what only an earlier password opens (`locked`) and what can't be read
    (`damaged`, messages). `put_off` counts attempts to deliver that the present suspension has refused.
    """

    waiting: int
    waiting_octets: int
    locked: int
    locked_octets: int
    damaged: int
    put_off: int
    first_mail_at: datetime | None
    last_mail_at: datetime | None
    first_collection_at: datetime | None
    last_collection_at: datetime | None


def fold() -> None:
    """Add all noted changes of the current schema to the counters, in one statement; side by side it is harmless."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD)


def sealed_to(keys: "QuerySet[MailboxKey]") -> Amount:
    """How much mail is sealed to these keys, without counting messages; exact under the mailbox's lock."""
    total = Amount(0, 0)
    for counted in (KeyTally, TallyChange):
        found = counted._default_manager.filter(key__in=keys).aggregate(
            messages=Sum("messages", default=0), octets=Sum("octets", default=0)
        )
        total = Amount(total.messages + found["messages"], total.octets + found["octets"])
    return total


def forget_put_off(mailbox_id: UUID) -> None:
    """A new suspension counts from nothing; in the caller's transaction."""
    Tally.objects.filter(pk=mailbox_id).update(put_off=0)
    TallyChange.objects.filter(mailbox_id=mailbox_id).update(put_off=0)


def of(mailbox_id: UUID) -> Activity:
    """The counters by the mailbox's id; runs in the customer's schema."""
    tally = Tally.objects.filter(pk=mailbox_id).first() or Tally(mailbox_id=mailbox_id)
    since = TallyChange.objects.filter(mailbox_id=mailbox_id).aggregate(
        messages=Sum("messages", default=0),
        octets=Sum("octets", default=0),
        put_off=Sum("put_off", default=0),
        first_mail=Min("mail_at"),
        last_mail=Max("mail_at"),
        first_collection=Min("collection_at"),
        last_collection=Max("collection_at"),
    )
    locked = sealed_to(MailboxKey.objects.filter(mailbox=mailbox_id, state=MailboxKey.State.LOCKED))
    return Activity(
        locked=locked.messages,
        locked_octets=locked.octets,
        damaged=Message.objects.filter(mailbox=mailbox_id, damaged_at__isnull=False).count(),
        put_off=tally.put_off + since["put_off"],
        waiting=tally.messages + since["messages"],
        waiting_octets=tally.octets + since["octets"],
        first_mail_at=tally.first_mail_at or since["first_mail"],
        last_mail_at=_latest(tally.last_mail_at, since["last_mail"]),
        first_collection_at=tally.first_collection_at or since["first_collection"],
        last_collection_at=_latest(tally.last_collection_at, since["last_collection"]),
    )


def _latest(*instants: datetime | None) -> datetime | None:
    """The latest of some instants, of which any may be missing."""
    return max((instant for instant in instants if instant is not None), default=None)


def activity(mailbox: Mailbox) -> Activity:
    """A mailbox's counters, exact at this moment."""
    return of(mailbox.pk)
