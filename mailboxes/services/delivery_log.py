"""The delivery log of a mailbox: what came, what was collected and what was refused, for who asks why mail does not arrive.

A line says when, from where, over which TLS, how much, and what was answered; never who wrote to whom, nor anything of a
mail's text. Each message that is kept has one, written with its counters in one statement. Of what anybody can cause, and
of archivers that look and find nothing, a few are written at once, and later ones are summed, so that neither floods
the database nor hides the rest.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Self, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from accounts.peers import network_of
from mailboxes.models import LogLine, Mailbox
from mailboxes.services import statuses
from tenants import access, directory
from tenants.models import Customer

log = logging.getLogger(__name__)

T = TypeVar("T")

Direction = LogLine.Direction
Outcome = LogLine.Outcome
Reason = LogLine.Reason

PAGE_LINES = 50
HELLO_CHARACTERS = 64
CLEARED_AT_ONCE = 5000  # lines, in one statement
CLEARING_SECONDS = 20.0  # far below a task's time limit

WENT_WELL = frozenset({Reason.KEPT, Reason.COLLECTED, Reason.NOTHING})
SAME_AGAIN_IN_VAIN = frozenset({Reason.WRONG_PASSWORD, Reason.NO_TLS})

# A message's change of the counters and its line: one round trip, as without the line.
ARRIVED = """
WITH counted AS (
    INSERT INTO mailboxes_tallychange (mailbox_id, key_id, messages, octets, mail_at, put_off)
    VALUES (%(mailbox)s, %(key)s, 1, %(octets)s, %(at)s, 0)
)
INSERT INTO mailboxes_logline
    (mailbox_id, at, attempts, direction, outcome, reason, reply, peer, hello, tls, octets)
VALUES (%(mailbox)s, %(at)s, 1, 'delivery', 'accepted', 'kept', %(reply)s, %(peer)s, %(hello)s, %(tls)s, %(octets)s)
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What the gateway knows of one delivery, collection, or attempt. `reply` is what it answered, without the words;
    `hello` what a sender called itself; `tls` the version, if there was any; `octets` are those of the message, or of all
    `messages` that were collected.
    """

    direction: Direction
    reason: Reason
    reply: str = ""
    peer: str = ""
    hello: str = ""
    tls: str = ""
    octets: int | None = None
    messages: int | None = None
    deleted: int | None = None

    @classmethod
    def of_mail(cls, *, peer: str, hello: str, tls: str, reply: str = "250 2.0.0") -> Self:
        """A message that is to be kept."""
        return cls(Direction.DELIVERY, Reason.KEPT, reply=reply, peer=peer, hello=hello, tls=tls)

    @property
    def outcome(self) -> Outcome:
        """What it means for the other side: done, to be tried again, or in vain until something is changed."""
        if self.reason in WENT_WELL:
            return Outcome.ACCEPTED
        final = self.reply.startswith("5") or self.reason in SAME_AGAIN_IN_VAIN
        return Outcome.REFUSED if final else Outcome.PUT_OFF


class Page(NamedTuple):
    """Lines, newest first; `older` and `newer` are where the pages beside it begin, None where there is none."""

    lines: list[LogLine]
    older: int | None
    newer: int | None


@dataclass
class _Allowance:
    """So many at once, and one more with each `seconds`."""

    left: float
    at: float

    def now(self, at_once: int, seconds: float, now: float) -> float:
        self.left = min(at_once, self.left + (now - self.at) / seconds)
        self.at = now
        return self.left


@dataclass
class _Sum:
    since: datetime
    attempts: int = 0


class Few:
    """Which attempts get a line, as this process hears of them. Beyond some at once of a mailbox, and of a network at that
    mailbox, so that one network leaves lines to others, attempts alike are summed, and the next of them that may be
    written brings the sum. What is left of a flood waits for it.
    """

    REMEMBERED = (
        10_000  # mailboxes and networks, and as many sums; the longest unheard of go first, 6 MB in all
    )

    def __init__(self, *, at_once: int, seconds: float, of_network: int, network_seconds: float) -> None:
        self._at_once, self._seconds = at_once, seconds
        self._of_network, self._network_seconds = of_network, network_seconds
        self._lock = threading.Lock()
        self._allowances: OrderedDict[Hashable, _Allowance] = OrderedDict()
        self._sums: OrderedDict[Hashable, _Sum] = OrderedDict()

    def add(self, mailbox: str, peer: str, reason: str, attempts: int = 1) -> tuple[int, datetime]:
        """How many are to be written now, if any, and since when they were made."""
        network = network_of(peer) if peer else ""
        now, moment = time.monotonic(), timezone.now()
        with self._lock:
            key = (mailbox, network, reason)
            known = self._remembered(self._sums, key, _Sum(moment))
            known.attempts += attempts
            of_mailbox = self._remembered(self._allowances, mailbox, _Allowance(self._at_once, now))
            of_network = self._remembered(
                self._allowances, (mailbox, network), _Allowance(self._of_network, now)
            )
            if (
                of_mailbox.now(self._at_once, self._seconds, now) < 1
                or of_network.now(self._of_network, self._network_seconds, now) < 1
            ):
                return 0, known.since
            of_mailbox.left -= 1
            of_network.left -= 1
            del self._sums[key]
            return known.attempts, known.since

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._allowances.clear()
            self._sums.clear()

    def _remembered(self, them: "OrderedDict[Hashable, T]", key: Hashable, new: T) -> T:
        found = them.setdefault(key, new)
        them.move_to_end(key)
        while len(them) > self.REMEMBERED:
            them.popitem(last=False)
        return found


# What anybody can cause who knows an address: at most 20 lines of a mailbox at once, and 288 in a day, in each process.
refusals = Few(at_once=20, seconds=300, of_network=5, network_seconds=900)
# Archivers that look every minute and find nothing, or leave each time without a word: 48 in a day.
visits = Few(at_once=6, seconds=1800, of_network=3, network_seconds=1800)


def note(login: str, visit: Visit, *, attempts: int = 1) -> None:
    """An attempt at a mailbox, named by its address or the part before the @, that came to nothing. Nothing happens where there
    is no such mailbox, or it is being deleted. Never raises: no answer depends on it.
    """
    count, since = refusals.add(_digest(login), visit.peer, visit.reason, attempts)
    if not count:
        return
    try:
        entry = directory.look_up_login(login)
        if entry is not None and not statuses.is_over(entry):
            with tenant_context(entry.customer):
                _write(entry.mailbox_id, visit, count, since)
    except DatabaseError as error:
        log.warning("a line of the delivery log was not written: %s", type(error).__name__)


def ended(mailbox_id: UUID, visit: Visit) -> None:
    """A session that collected, or could have, is over; in the customer's schema, and in the caller's transaction if it has
    one. Those that took nothing are summed.
    """
    count, since = 1, timezone.now()
    if not visit.messages and not visit.deleted:
        count, since = visits.add(str(mailbox_id), visit.peer, visit.reason)
    if count:
        _write(mailbox_id, visit, count, since)


def arrived(mailbox_id: UUID, key_id: int, octets: int, visit: Visit) -> None:
    """Count a message that is kept, and write its line; in the customer's schema, and in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            ARRIVED,
            {
                "mailbox": mailbox_id,
                "key": key_id,
                "octets": octets,
                "at": timezone.now(),
                "reply": visit.reply,
                "peer": visit.peer or None,
                "hello": printable(visit.hello),
                "tls": visit.tls,
            },
        )


def _digest(login: str) -> str:
    """What people type in place of a name may be a password, and is not kept in memory."""
    name = login.strip().lower().partition("@")[0].encode("utf-8", "replace")
    return salted_hmac("gatehouse.delivery-log", name, algorithm="sha256").hexdigest()[:32]


def _write(mailbox_id: UUID, visit: Visit, attempts: int, since: datetime) -> None:
    LogLine.objects.create(
        mailbox_id=mailbox_id,
        at=timezone.now(),
        since=since if attempts > 1 else None,
        attempts=attempts,
        direction=visit.direction,
        outcome=visit.outcome,
        reason=visit.reason,
        reply=visit.reply,
        peer=visit.peer or None,
        hello=printable(visit.hello),
        tls=visit.tls,
        octets=visit.octets,
        messages=visit.messages,
        deleted=visit.deleted,
    )


def printable(claimed: str) -> str:
    """What somebody calls itself, as far as it can be shown: a line without control characters, and not much of it."""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in claimed)
    return shown if len(shown) <= HELLO_CHARACTERS else f"{shown[: HELLO_CHARACTERS - 1]}…"


def kept_since() -> datetime:
    """Lines from before then are shown no more, and removed within a day."""
    return timezone.now() - timedelta(days=settings.DELIVERY_LOG_DAYS)


def deliveries_of(
    customer: Customer,
    mailbox: Mailbox,
    *,
    by: Actor,
    direction: str = "",
    outcome: str = "",
    before: int | None = None,
    after: int | None = None,
) -> Page:
    """A page of a mailbox's lines, newest first: of one direction, or of one outcome, or all. It ends before the line `before`,
    or begins after the line `after`. Raises tenants.errors.NotAllowed.
    """
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    with tenant_context(customer):
        lines = LogLine.objects.filter(mailbox=mailbox.pk, at__gte=kept_since())
        if outcome in Outcome.values and outcome != Outcome.ACCEPTED:
            wanted = [lines.exclude(outcome=Outcome.ACCEPTED).filter(outcome=outcome)]
        else:
            # Each by its index: of all together the few of one kind would be looked for among very many of the other.
            directions = [direction] if direction in Direction.values else Direction.values
            wanted = [lines.filter(direction=one) for one in directions]
        return _page(wanted, before, after)


def _page(wanted: list[QuerySet[LogLine]], before: int | None, after: int | None) -> Page:
    """One more than a page is asked for, to know whether there is another one."""
    if after is not None:
        found = _merged([some.filter(pk__gt=after).order_by("pk") for some in wanted], newest_first=False)
        lines = found[:PAGE_LINES][::-1]
        return Page(
            lines,
            older=lines[-1].pk if lines else None,
            newer=lines[0].pk if len(found) > PAGE_LINES else None,
        )
    if before is not None:
        wanted = [some.filter(pk__lt=before) for some in wanted]
    found = _merged([some.order_by("-pk") for some in wanted], newest_first=True)
    lines = found[:PAGE_LINES]
    return Page(
        lines,
        older=lines[-1].pk if len(found) > PAGE_LINES else None,
        newer=lines[0].pk if lines and before is not None else None,
    )


def _merged(wanted: list[QuerySet[LogLine]], *, newest_first: bool) -> list[LogLine]:
    found = [line for some in wanted for line in some[: PAGE_LINES + 1]]
    return sorted(found, key=lambda line: line.pk, reverse=newest_first)[: PAGE_LINES + 1]


def clear(seconds: float = CLEARING_SECONDS) -> bool:
    """Remove lines of the current schema that are older than they are kept; for about so many seconds at most. Whether there
    may be more.
    """
    deadline = time.monotonic() + seconds
    while True:
        # By number, for that is the order of time, and no index of times has to be kept for it.
        oldest = list(LogLine.objects.order_by("pk").values_list("pk", "at")[:CLEARED_AT_ONCE])
        limit = kept_since()
        outdated = [pk for pk, at in oldest if at < limit]
        if outdated:
            LogLine.objects.filter(pk__in=outdated).delete()
        if len(outdated) < CLEARED_AT_ONCE:
            return False
        if time.monotonic() >= deadline:
            return True
