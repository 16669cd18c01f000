"""Between the SMTP dialogue and `mailboxes.services.delivery`: threads, bounds, and outcomes turned into replies."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from django.db import Error as DatabaseError

from mailboxes import errors
from mailboxes.services import delivery, delivery_log
from mailboxes.services.delivery_log import Direction, Reason, Visit

from ..errors import Overloaded
from ..threads import Threads, finish
from . import replies
from .replies import Refused, Reply
from .trace import Arrival, trace

log = logging.getLogger("gateway.smtp")

PIECE_OCTETS = 64 * 1024  # worth a trip to a thread

# What a sender may hear about a mailbox, and what an operator has to look after. Whatever is not listed is a fault of
# ours, and must never bounce.
_ANSWERS: list[tuple[type[Exception], Reply]] = [
    (errors.UnknownAddress, replies.NO_SUCH_MAILBOX),
    (errors.MailboxDeleting, replies.NO_SUCH_MAILBOX),
    (errors.MailboxSuspended, replies.SUSPENDED),
    (errors.MailboxFull, replies.MAILBOX_FULL),
    (errors.MessageTooLarge, replies.TOO_LARGE),
    (errors.NetworkNotAllowed, replies.NOT_YOUR_NETWORK),
]
_TROUBLES: list[tuple[type[Exception], Reply]] = [
    (errors.StoreFull, replies.STORE_FULL),
    (errors.StoreFailed, replies.TRY_LATER),
    (DatabaseError, replies.TRY_LATER),
    (Overloaded, replies.TRY_LATER),
]


# What the delivery log of a mailbox says of a reply.
_REASONS: dict[Reply | None, Reason] = {
    None: Reason.BROKEN_OFF,
    replies.SUSPENDED: Reason.SUSPENDED,
    replies.MAILBOX_FULL: Reason.FULL,
    replies.NOT_YOUR_NETWORK: Reason.NETWORK,
    replies.TOO_LARGE: Reason.TOO_LARGE,
    replies.BARE_LINE_FEED: Reason.BARE_LF,
    replies.STORE_FULL: Reason.NO_ROOM,
    replies.TRY_LATER: Reason.TROUBLE,
    replies.TIMED_OUT: Reason.TOO_SLOW,
    replies.SHUTTING_DOWN: Reason.STOPPED,
    replies.GIVING_WAY: Reason.STOPPED,
}
_OF_MAILBOXES = (
    errors.MailboxSuspended,
    errors.MailboxFull,
    errors.MessageTooLarge,
    errors.NetworkNotAllowed,
)


class Bounds(NamedTuple):
    """Seconds that a step may take; then the sender had better come back."""

    resolve: float = 15  # one indexed query
    write: float = 60  # sealing and writing one piece
    commit: float = 120  # flush and insert; a sender waits ten minutes for this reply (RFC 5321 4.5.3.2.6)


def reply_to(error: Exception) -> Reply:
    """What the sender hears about this. Logs what an operator has to look after."""
    for kind, reply in _ANSWERS:
        if isinstance(error, kind):
            return reply
    for kind, reply in _TROUBLES:
        if isinstance(error, kind):
            # One line, for a database that is down meets every sender.
            log.error("mail put off reply=%s error=%s", reply.code, _told(error))
            return reply
    log.error("mail put off reply=%s", replies.TRY_LATER.code, exc_info=error)
    return replies.TRY_LATER


def _visit(reply: Reply | None, *, peer: str, hello: str, tls: str, octets: int | None) -> Visit:
    return Visit(
        Direction.DELIVERY,
        _REASONS.get(reply, Reason.LIMITS),
        reply=_code(reply) if reply else "",
        peer=peer,
        hello=hello,
        tls=tls,
        octets=octets,
    )


def _code(reply: Reply) -> str:
    return f"{reply.code} {reply.status}"


def _told(error: BaseException) -> str:
    """Its first line, for PostgreSQL puts values of rows into those that follow; of a store, what the system said as well."""
    said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    cause = error.__cause__
    return f"{said} ({_told(cause)})" if isinstance(error, errors.StoreFailed) and cause else said


class Ingress:
    """Resolves recipients and takes messages, for all connections of one process."""

    def __init__(self, threads: Threads, lookups: Threads, bounds: Bounds) -> None:
        """Recipients are looked up on threads of their own, so that no text waits behind those who only ask."""
        self.threads = threads
        self._lookups = lookups
        self.bounds = bounds
        self._unfinished: set[asyncio.Task[None]] = set()

    async def resolve(self, address: str, *, peer: str, octets: int, hello: str = "", tls: str = "") -> Any:
        """The Recipient of this address, for a text of so many octets as far as that is known. Raises Refused."""

        def resolve_or_tell() -> Any:
            try:
                return delivery.resolve(address, peer=peer, octets=octets)
            except _OF_MAILBOXES as error:
                visit = _visit(reply_to(error), peer=peer, hello=hello, tls=tls, octets=octets or None)
                delivery_log.note(address, visit)
                raise

        try:
            return await self._lookups.call(self.bounds.resolve, resolve_or_tell)
        except Exception as error:
            raise Refused(reply_to(error)) from error

    def tell_aside(self, refused: list[tuple[str, Visit]]) -> None:
        """Have the delivery logs of these addresses say what became of a text. Nobody waits for it."""

        def tell() -> None:
            for address, visit in refused:
                delivery_log.note(address, visit)

        self._lookups.start_aside(tell)

    def intake(self, recipients: list[Any], arrival: Arrival) -> "Intake":
        return Intake(self, list(recipients), arrival)

    def see_to(self, work: Any) -> None:
        """Run this to its end although the connection that began it is gone."""
        task = asyncio.ensure_future(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)

    async def settle(self) -> None:
        """Wait until nothing that connections left behind is under way."""
        while self._unfinished:
            await asyncio.wait(self._unfinished)


class Intake:
    """One message on its way in. Its steps run on threads, strictly one after the other.

    Nothing begins before the first full piece, so that a small message costs one trip to a thread.
    """

    def __init__(self, ingress: Ingress, recipients: list[Any], arrival: Arrival) -> None:
        self.id = arrival.id
        self._ingress = ingress
        self._recipients = recipients
        self._arrival = arrival
        self._pending: list[bytes] = []
        self._pending_octets = 0
        self._octets = 0
        self._delivery: Any = None
        self._step: Future[Any] | None = None
        self._over = False
        self._kept = False
        self._refused_by = ""
        self._begun = time.monotonic()

    async def write(self, text: bytes) -> None:
        """Take a piece of the text. Raises Refused."""
        self._pending.append(text)
        self._pending_octets += len(text)
        if self._pending_octets >= PIECE_OCTETS:
            await self._do(self._write, self._ingress.bounds.write, self._taken())

    async def commit(self, text: bytes) -> None:
        """Take the last piece; when this returns the message is kept for good. Raises Refused."""
        self._pending.append(text)
        await self._do(self._commit, self._ingress.bounds.commit, self._taken())
        self._log()

    def abandon(self) -> None:
        """Leave nothing behind. Safe at any time, also while a step is running or after the commit."""
        if not self._over:
            self._over = True
            self._pending.clear()
            if self._step is not None:
                self._ingress.see_to(self._abort_after(self._step))

    def tell(self, reply: Reply | None, octets: int) -> None:
        """What became of a text that was not kept, after all; None: its sender went away in the middle."""
        if self._kept:
            return
        visit = _visit(
            reply, peer=self._arrival.peer, hello=self._arrival.helo, tls=self._arrival.tls, octets=octets
        )
        others = dataclasses.replace(visit, reason=Reason.WITH_OTHERS)
        self._ingress.tell_aside(
            [
                (recipient.address, others if self._refused_by not in ("", recipient.address) else visit)
                for recipient in self._recipients
            ]
        )

    def _taken(self) -> bytes:
        text = b"".join(self._pending)
        self._octets += len(text)
        self._pending.clear()
        self._pending_octets = 0
        return text

    async def _do(self, step: Callable[[bytes], None], within: float, text: bytes) -> None:
        self._step = self._ingress.threads.start(step, text)
        try:
            await finish(self._step, within)
        except Exception as error:
            raise Refused(reply_to(error)) from error

    async def _abort_after(self, step: "Future[Any]") -> None:
        # A step that hangs, hangs on a dead database or disk, which have time-outs; one that never began is cancelled.
        waiting = asyncio.wrap_future(step)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([waiting])
        try:
            await self._ingress.threads.call(self._ingress.bounds.commit, self._abort)
        except Exception:
            log.exception("smtp could not clean up after an abandoned message")

    # On threads from here.

    def _write(self, text: bytes) -> None:
        if self._delivery is None:
            arrival = self._arrival
            self._delivery = delivery.begin(
                self._recipients,
                trace=lambda recipient: trace(arrival, recipient.address),
                visit=Visit.of_mail(
                    reply=_code(replies.OK),
                    peer=arrival.peer,
                    hello=arrival.helo,
                    tls=arrival.tls,
                ),
            )
        self._delivery.write(text)

    def _commit(self, text: bytes) -> None:
        self._write(text)
        try:
            self._delivery.commit()
        except _OF_MAILBOXES:
            self._refused_by = self._delivery.refused_by
            raise
        self._delivery = None

    def _abort(self) -> None:
        if self._delivery is not None:
            self._delivery.abort()
            self._delivery = None

    def _log(self) -> None:
        self._over = self._kept = True
        seconds = time.monotonic() - self._begun
        for recipient in self._recipients:
            log.info(
                "delivered customer=%s mailbox=%s id=%s octets=%d seconds=%.3f peer=%s protocol=%s",
                recipient.customer_id,
                recipient.address,
                self._arrival.id,
                self._octets,
                seconds,
                self._arrival.peer,
                self._arrival.protocol,
            )
