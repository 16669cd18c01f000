"""Counters of mailboxes: deliveries and collections note changes, a fold adds them up, readers see both."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Max, Min, Sum

from mailboxes.models import Mailbox, Tally, TallyChange

FOLD = """
WITH changes AS (
    DELETE FROM mailboxes_tallychange RETURNING mailbox_id, messages, octets, mail_at, collection_at
)
INSERT INTO mailboxes_tally AS tally
    (mailbox_id, messages, octets, first_mail_at, last_mail_at, first_collection_at, last_collection_at)
SELECT mailbox_id, sum(messages), sum(octets), min(mail_at), max(mail_at), min(collection_at), max(collection_at)
FROM changes GROUP BY mailbox_id
ON CONFLICT (mailbox_id) DO UPDATE SET
    messages = tally.messages + excluded.messages,
    octets = tally.octets + excluded.octets,
    first_mail_at = least(tally.first_mail_at, excluded.first_mail_at),
    last_mail_at = greatest(tally.last_mail_at, excluded.last_mail_at),
    first_collection_at = least(tally.first_collection_at, excluded.first_collection_at),
    last_collection_at = greatest(tally.last_collection_at, excluded.last_collection_at)
"""


class Activity(NamedTuple):
    """What a mailbox holds (messages, octets) and when mail came in and was collected."""

    waiting: int
    waiting_octets: int
    first_mail_at: datetime | None
    last_mail_at: datetime | None
    first_collection_at: datetime | None
    last_collection_at: datetime | None


def fold() -> None:
    """Add all noted changes of the current schema to the counters, in one statement; side by side it is harmless."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD)


def of(mailbox_id: UUID) -> Activity:
    """The counters by the mailbox's id; runs in the customer's schema."""
    tally = Tally.objects.filter(pk=mailbox_id).first() or Tally(mailbox_id=mailbox_id)
    since = TallyChange.objects.filter(mailbox_id=mailbox_id).aggregate(
        messages=Sum("messages", default=0),
        octets=Sum("octets", default=0),
        first_mail=Min("mail_at"),
        last_mail=Max("mail_at"),
        first_collection=Min("collection_at"),
        last_collection=Max("collection_at"),
    )
    return Activity(
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
