"""Counters of mailboxes: deliveries and collections note changes, a fold adds them up, readers see both."""

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes.models import Mailbox, MailboxKey, Message, Tally, TallyChange
from tenants import access, cluster
from tenants.figures import keeping
from tenants.models import Customer

PUT_OFF_ROWS = 20  # that one mailbox's attempts may write at once, in each process
PUT_OFF_SECONDS = 1.0  # until it is one more

# One after the other for each customer: of what two counted at once nobody could tell how much waited in between. Any first
# number will do, as long as nothing else in this database locks it: "fold" on a telephone keypad.
FOLD_LOCK = 3653
# And without machine code, which takes longer to make than a fold takes.
LOCK = "SELECT set_config('jit', 'off', true), pg_advisory_xact_lock(%s, hashtext(current_schema()))"

# What a fold takes away of the changes, adds to the counters and tells of each mailbox by the quarter of an hour.
FOLD = """
WITH changes AS (
    DELETE FROM mailboxes_tallychange
    RETURNING mailbox_id, key_id, messages, octets, mail_at, collection_at, put_off, given_up,
        least(coalesce(mail_at, collection_at, at), %(now)s) AS moment
), before AS MATERIALIZED (
    SELECT mailbox_id, octets FROM mailboxes_tally
), levels AS MATERIALIZED (
    SELECT changes.*, date_bin('15 minutes', moment, '2000-01-01 00:00Z') AS quarter,
        coalesce(before.octets, 0) + sum(changes.octets) OVER (PARTITION BY changes.mailbox_id ORDER BY moment) AS level,
        (SELECT coalesce(sum(octets), 0) FROM before) + sum(changes.octets) OVER (ORDER BY moment) AS level_of_all
    FROM changes LEFT JOIN before ON before.mailbox_id = changes.mailbox_id
), by_key AS (
    INSERT INTO mailboxes_keytally AS tally (key_id, messages, octets)
    SELECT key_id, sum(messages), sum(octets) FROM changes WHERE key_id IS NOT NULL GROUP BY key_id
    ON CONFLICT (key_id) DO UPDATE SET
        messages = tally.messages + excluded.messages,
        octets = tally.octets + excluded.octets
), by_mailbox AS (
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
)
SELECT mailbox_id, quarter,
    coalesce(sum(messages) FILTER (WHERE mail_at IS NOT NULL), 0)::bigint,
    coalesce(sum(octets) FILTER (WHERE mail_at IS NOT NULL), 0)::bigint,
    -- What a re-encryption takes from one key and gives to another adds up to nothing.
    greatest(-coalesce(sum(messages) FILTER (WHERE mail_at IS NULL AND NOT given_up), 0), 0)::bigint,
    greatest(-coalesce(sum(octets) FILTER (WHERE mail_at IS NULL AND NOT given_up), 0), 0)::bigint,
    count(*) FILTER (WHERE collection_at IS NOT NULL),
    sum(put_off)::bigint, sum(messages)::bigint, sum(octets)::bigint,
    sum(octets * extract(epoch FROM quarter + interval '15 minutes' - moment))::bigint,
    max(level)::bigint, max(level_of_all)::bigint
FROM levels GROUP BY mailbox_id, quarter
"""
# Mailboxes as they are after it. The oldest message is the first one of some key that is left, for nobody reads the mail of a
# destroyed one; what came in since the fold may be seen here already, and is not counted.
AMOUNTS = """
SELECT mailbox.id, tally.messages, tally.octets, first_mail_at, last_mail_at, first_collection_at, last_collection_at,
    CASE WHEN tally.messages > 0 THEN (
        SELECT min(first.received_at)
        FROM mailboxes_mailboxkey key CROSS JOIN LATERAL (
            SELECT received_at FROM mailboxes_message WHERE key_id = key.id ORDER BY id LIMIT 1
        ) AS first
        WHERE key.mailbox_id = mailbox.id AND key.state <> 'destroyed'
    ) END,
    CASE WHEN tally.messages > 0 THEN (
        SELECT min(first.received_at)
        FROM mailboxes_mailboxkey key CROSS JOIN LATERAL (
            SELECT received_at FROM mailboxes_message WHERE key_id = key.id AND damaged_at IS NULL ORDER BY id LIMIT 1
        ) AS first
        WHERE key.mailbox_id = mailbox.id AND key.state IN ('current', 'retired')
    ) END,
    mailbox.status <> 'deleting'
FROM mailboxes_mailbox mailbox JOIN mailboxes_tally tally ON tally.mailbox_id = mailbox.id
WHERE %(all)s OR mailbox.id = ANY(%(mailboxes)s)
"""

# By what PostgreSQL counts anyway: a mark of our own would be one row for all deliveries of a customer to meet at. It may
# forget after a crash, and then the janitor's daily fold makes up for it; counters are exact at any time.
CHANGED = """
SELECT schemaname FROM pg_stat_user_tables WHERE relname = 'mailboxes_tallychange' AND n_live_tup > 0
"""
# On the node that has the rows, their table has a number behind its name.
CHANGED_ON_NODE = """
SELECT coalesce(string_agg(DISTINCT schemaname, ' '), '') FROM pg_stat_user_tables
WHERE relname ~ '^mailboxes_tallychange(_[0-9]+)?$' AND n_live_tup > 0
"""

# Both tables in one statement: between two, a fold may move changes from the one that is read last to the one that was
# read first, and nobody would have counted them.
OF_KEYS = """
SELECT coalesce(sum(messages), 0)::bigint, coalesce(sum(octets), 0)::bigint
FROM (
    SELECT messages, octets FROM mailboxes_keytally WHERE key_id = ANY(%(keys)s)
    UNION ALL
    SELECT messages, octets FROM mailboxes_tallychange WHERE key_id = ANY(%(keys)s)
) AS counted
"""
OF_MAILBOX = """
SELECT coalesce(sum(messages), 0)::bigint, coalesce(sum(octets), 0)::bigint, coalesce(sum(put_off), 0)::bigint,
    min(first_mail_at), max(last_mail_at), min(first_collection_at), max(last_collection_at)
FROM (
    SELECT messages, octets, put_off, first_mail_at, last_mail_at, first_collection_at, last_collection_at
    FROM mailboxes_tally WHERE mailbox_id = %(mailbox)s
    UNION ALL
    SELECT messages, octets, put_off, mail_at, mail_at, collection_at, collection_at
    FROM mailboxes_tallychange WHERE mailbox_id = %(mailbox)s
) AS counted
"""


WAITING = """
SELECT coalesce(sum(messages), 0)::bigint, coalesce(sum(octets), 0)::bigint
FROM (
    SELECT messages, octets FROM mailboxes_tally WHERE mailbox_id = %(mailbox)s
    UNION ALL
    SELECT messages, octets FROM mailboxes_tallychange WHERE mailbox_id = %(mailbox)s
) AS counted
"""


# Beside it what all mailboxes of the customer hold: a row for each of them, and the changes since the last fold.
WAITING_AT_CUSTOMER = """
SELECT coalesce(sum(octets) FILTER (WHERE mailbox_id = %(mailbox)s), 0)::bigint,
    coalesce(sum(octets), 0)::bigint, coalesce(sum(messages), 0)::bigint
FROM (
    SELECT mailbox_id, messages, octets FROM mailboxes_tally
    UNION ALL
    SELECT mailbox_id, messages, octets FROM mailboxes_tallychange
) AS counted
"""


COUNT_MAILBOXES = """
UPDATE mailboxes_tally AS tally SET messages = counted.messages, octets = counted.octets
FROM (
    SELECT mailbox.id, count(message.id) AS messages, coalesce(sum(message.octets), 0) AS octets
    FROM mailboxes_mailbox mailbox LEFT JOIN mailboxes_message message ON message.mailbox_id = mailbox.id
    GROUP BY mailbox.id
) AS counted WHERE counted.id = tally.mailbox_id
"""
COUNT_KEYS = """
INSERT INTO mailboxes_keytally AS tally (key_id, messages, octets)
SELECT key.id, count(message.id), coalesce(sum(message.octets), 0)
FROM mailboxes_mailboxkey key LEFT JOIN mailboxes_message message ON message.key_id = key.id
GROUP BY key.id
ON CONFLICT (key_id) DO UPDATE SET messages = excluded.messages, octets = excluded.octets
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

    @property
    def readable(self) -> int:
        """How many of the waiting messages the current password opens."""
        return self.waiting - self.locked


def fold(customer: Customer, *, wholly: bool = False) -> None:
    """Add all noted changes to the counters, and to the figures in `public`; side by side it is harmless.

    `wholly` states there what each mailbox has, also where nothing has changed. Runs in the customer's schema.
    """
    with transaction.atomic():
        now = timezone.now()
        moved = _fold(now)
        changed = list({one.mailbox_id for one in moved})
        if not (changed or wholly):
            return
        with connection.cursor() as cursor:
            cursor.execute(AMOUNTS, {"all": wholly, "mailboxes": changed})
            amounts = [keeping.Amount(*row) for row in cursor.fetchall()]
        keeping.add(customer, amounts, moved, now=now, are_all=wholly)


def _fold(now: datetime) -> list[keeping.Moved]:
    """In the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [FOLD_LOCK])
        cursor.execute(FOLD, {"now": now})
        return [keeping.Moved(*row) for row in cursor.fetchall()]


def count_anew() -> None:
    """Where rows were left out behind the counters' back, as a restore does; while nobody else sees the current schema, of
    which no figures are known.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        _fold(timezone.now())
        cursor.execute(COUNT_MAILBOXES)
        cursor.execute(COUNT_KEYS)


def changed_schemas() -> list[str]:
    """The schemas that have something to fold, of all, in one statement; a change of the last seconds may be missing."""
    if cluster.is_prepared():
        # A node that is away has nothing to fold until it is back.
        answers = cluster.on_nodes(CHANGED_ON_NODE)
        return sorted({schema for _node, well, found in answers if well for schema in found.split()})
    with connection.cursor() as cursor:
        cursor.execute(CHANGED)
        return [schema for (schema,) in cursor.fetchall()]


def sealed_to(keys: "QuerySet[MailboxKey]") -> Amount:
    """How much mail is sealed to these keys, without counting messages; exact under the mailbox's lock."""
    with connection.cursor() as cursor:
        cursor.execute(OF_KEYS, {"keys": list(keys.values_list("pk", flat=True))})
        return Amount(*cursor.fetchone())


def waiting(mailbox_id: UUID) -> Amount:
    """How much mail a mailbox holds, as `of` counts it but in one statement: deliveries ask."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"mailbox": mailbox_id})
        return Amount(*cursor.fetchone())


class Together(NamedTuple):
    """What waits in one mailbox, and in all of the customer's, that one too."""

    here_octets: int
    octets: int
    messages: int


def waiting_at_customer(mailbox_id: UUID | None = None) -> Together:
    """The same of all mailboxes of the current schema, in one statement, without counting messages."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING_AT_CUSTOMER, {"mailbox": mailbox_id})
        return Together(*cursor.fetchone())


@dataclass
class _Unwritten:
    rows_left: float
    at: float
    since: datetime
    attempts: int = 0


class _PutOff:
    """Attempts to deliver to suspended mailboxes, as this process hears of them: anybody can make any number of them, and
    must not fill the database with a row for each. Beyond some at once, those of a second become one row, which the
    next attempt after it writes; so what a flood leaves behind waits for the sender's next try.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mailboxes: dict[UUID, _Unwritten] = {}

    def add(self, mailbox_id: UUID) -> tuple[int, datetime]:
        """One more; returns how many are to be written now, and since when they were made."""
        now, moment = time.monotonic(), timezone.now()
        with self._lock:
            known = self._mailboxes.setdefault(mailbox_id, _Unwritten(PUT_OFF_ROWS, now, moment))
            if not known.attempts:
                known.since = moment
            known.rows_left = min(PUT_OFF_ROWS, known.rows_left + (now - known.at) / PUT_OFF_SECONDS)
            known.at = now
            known.attempts += 1
            if known.rows_left < 1:
                return 0, known.since
            known.rows_left -= 1
            attempts, known.attempts = known.attempts, 0
            return attempts, known.since

    def forget(self, mailbox_id: UUID) -> None:
        """The suspension is over."""
        with self._lock:
            self._mailboxes.pop(mailbox_id, None)


put_off = _PutOff()


def count_put_off(mailbox_id: UUID) -> None:
    """An attempt to deliver met a suspension."""
    attempts, since = put_off.add(mailbox_id)
    # This process may have heard nothing of the mailbox between two suspensions.
    if attempts > 1 and Mailbox.objects.filter(pk=mailbox_id, suspended_at__gt=since).exists():
        attempts = 1
    if attempts:
        TallyChange.objects.create(mailbox_id=mailbox_id, put_off=attempts, at=timezone.now())


def forget_put_off(mailbox_id: UUID) -> None:
    """A new suspension counts from nothing; in the caller's transaction."""
    # In this order: a fold at this moment either has these changes or is over before the second line.
    TallyChange.objects.filter(mailbox_id=mailbox_id).update(put_off=0)
    Tally.objects.filter(pk=mailbox_id).update(put_off=0)


def of(mailbox_id: UUID) -> Activity:
    """The counters by the mailbox's id; runs in the customer's schema."""
    with connection.cursor() as cursor:
        cursor.execute(OF_MAILBOX, {"mailbox": mailbox_id})
        messages, octets, put_off, first_mail, last_mail, first_collection, last_collection = (
            cursor.fetchone()
        )
    locked = sealed_to(MailboxKey.objects.filter(mailbox=mailbox_id, state=MailboxKey.State.LOCKED))
    return Activity(
        waiting=messages,
        waiting_octets=octets,
        locked=locked.messages,
        locked_octets=locked.octets,
        damaged=Message.objects.filter(mailbox=mailbox_id, damaged_at__isnull=False).count(),
        put_off=put_off,
        first_mail_at=first_mail,
        last_mail_at=last_mail,
        first_collection_at=first_collection,
        last_collection_at=last_collection,
    )


def activity(customer: Customer, mailbox: Mailbox, *, by: Actor) -> Activity:
    """A mailbox's counters, exact at this moment. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    with tenant_context(customer):
        return of(mailbox.pk)
