"""Between the POP3 session and `mailboxes.services.collection`: threads, limits, and outcomes turned into `-ERR`."""

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from typing import Any

from django.db import Error as DatabaseError

from accounts.peers import network_of
from mailboxes import errors
from mailboxes.services import collection, delivery_log, sign_in_refusals
from mailboxes.services.delivery_log import Direction, Reason, Visit
from mailboxes.vault import MistypedPassword, Secret, parse_password

from ..errors import Overloaded
from ..lanes import Lanes
from ..limits import GuessLimits, Standing, pair_of
from ..threads import Threads, finish
from .replies import Interrupted, Refused

log = logging.getLogger("gateway.pop3")

LOGIN_SECONDS = 30  # one Argon2 and a few queries
STEP_SECONDS = 60  # to open or continue one message
COMMIT_SECONDS = 120  # to delete what was marked
RENEW_SECONDS = 60  # how often a living session says so
# From a wrong password to its answer, whatever work it took; longer than any of it takes.
REFUSAL_SECONDS = 0.5
MOST_NOTES = 32  # of refusals, that are still to be written down; what is too much is noted with the next one
TOLD_AGAIN_SECONDS = 60  # how often the refusals of one pair are written down for the console
TOLD_PAIRS = 10_000  # that are remembered for this
AT_ONCE = 4  # sign-ins under way for one mailbox from one network, or from an address that signed in lately
PIECE_OCTETS = 64 * 1024  # worth a trip to a thread, and one write to the socket

_WRONG = ("Login name or password is wrong", "AUTH")
_IN_USE = ("Maildrop is open in another session", "IN-USE")
_LATER = ("Please try again later", "SYS/TEMP")
_AT_ONCE = ("Too many sign-ins to this mailbox at once, please try again later", "SYS/TEMP")


class Maildrops:
    """Opens maildrops, for all connections of one process."""

    def __init__(
        self,
        threads: Threads,
        limits: GuessLimits,
        lanes: Lanes,
        *,
        counting: Threads,
        renew_seconds: float = RENEW_SECONDS,
        refusal_seconds: float = REFUSAL_SECONDS,
    ) -> None:
        """What strangers cost before their password is tried is done on `counting`, all else on `threads`."""
        self.threads = threads
        self._counting = counting
        self.renew_seconds = renew_seconds
        self._limits = limits
        self._lanes = lanes
        self._refusal_seconds = refusal_seconds
        self._under_way: Counter[str] = Counter()
        self._notes = threading.BoundedSemaphore(MOST_NOTES)
        # When each pair's refusal was written down last, and how many came since.
        self._told: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def open(
        self, login: str, secret: Secret, *, peer: str, on_lost: Callable[[], None], tls: str = ""
    ) -> "OpenMaildrop":
        """Raises Refused: `[AUTH]` for an unknown name, a wrong password and too many guesses alike, and as late."""
        answer_at = time.monotonic() + self._refusal_seconds
        try:
            maildrop = await self._sign_in(login, secret, peer)
        except _TooManyAtOnce:
            self._tell(login, _refusal(Reason.AT_ONCE, _AT_ONCE, peer, tls))
            raise
        except Refused:
            raise
        except errors.BadCredentials:
            self._tell(login, _refusal(Reason.WRONG_PASSWORD, _WRONG, peer, tls))
            # Equal work alone would not do: old locks take longer than new ones, mistyped passwords no time at all.
            await asyncio.sleep(answer_at - time.monotonic())
            raise Refused(*_WRONG) from None
        except errors.MaildropInUse:
            self._tell(login, _refusal(Reason.IN_USE, _IN_USE, peer, tls))
            raise Refused(*_IN_USE) from None
        except Overloaded:
            log.error("login not answered in time peer=%s", peer)
            raise Refused(*_LATER) from None
        except Exception:
            log.exception("login failed peer=%s", peer)
            raise Refused(*_LATER) from None
        return OpenMaildrop(maildrop, self, peer=peer, tls=tls, on_lost=on_lost)

    def tell_of_clear_text(self, login: str, *, peer: str) -> None:
        """Somebody wants to sign in with this name, and without TLS."""
        self._tell(login, _refusal(Reason.NO_TLS, ("", ""), peer, ""))

    async def _sign_in(self, login: str, secret: Secret, peer: str) -> Any:
        """An open maildrop of the service. Counts what fails; raises what the service raises, and Overloaded."""
        try:
            parse_password(secret.reveal())
        except MistypedPassword:
            # Judged before anything is looked up: it costs little, and is the same for mailboxes that are not there.
            await self._mistyped(login, peer)
            raise errors.BadCredentials from None
        standing = await self._standing(login, peer)
        self._require_allowed(standing, peer)
        lane = self._lanes.proven if standing.goes_ahead else self._lanes.strangers
        with self._one_of_few(standing.group):
            async with lane.enter(peer):
                # Asked again behind the gate, so that a volley of guesses can't pass before the first is counted.
                threads = self.threads if standing.known else self._counting
                standing = await threads.call(LOGIN_SECONDS, self._limits.standing, login, peer)
                self._require_allowed(standing, peer)
                try:
                    maildrop = await self._open(login, secret, peer)
                except errors.BadCredentials:
                    log.warning("login refused peer=%s", peer)
                    await threads.call(LOGIN_SECONDS, self._limits.failed, login, peer)
                    raise
                except errors.MaildropInUse:
                    self._succeeded(login, peer)
                    raise
        self._succeeded(login, peer)
        return maildrop

    async def _standing(self, login: str, peer: str) -> Standing:
        """Raises Overloaded when too many strangers ask."""
        if self._limits.knows(login, peer):
            return await self.threads.call(LOGIN_SECONDS, self._limits.standing, login, peer)
        async with self._lanes.asking.enter(peer):
            return await self._counting.call(LOGIN_SECONDS, self._limits.standing, login, peer)

    async def _mistyped(self, login: str, peer: str) -> None:
        def count_if_allowed() -> bool:
            allowed = self._limits.standing(login, peer).allowed
            if allowed:
                self._limits.failed(login, peer)
            return allowed

        async with self._lanes.asking.enter(peer):
            allowed = await self._counting.call(LOGIN_SECONDS, count_if_allowed)
        log.warning("login refused peer=%s%s", peer, "" if allowed else " reason=too-many-guesses")

    def _require_allowed(self, standing: Standing, peer: str) -> None:
        if not standing.allowed:
            log.warning("login refused peer=%s reason=too-many-guesses", peer)
            raise errors.BadCredentials

    @contextlib.contextmanager
    def _one_of_few(self, group: str) -> Iterator[None]:
        if self._under_way[group] >= AT_ONCE:
            raise _TooManyAtOnce(*_AT_ONCE)
        self._under_way[group] += 1
        try:
            yield
        finally:
            self._under_way[group] -= 1
            if not self._under_way[group]:
                del self._under_way[group]

    def _succeeded(self, login: str, peer: str) -> None:
        self.threads.start_aside(self._limits.succeeded, login, peer)

    def _tell(self, login: str, visit: Visit) -> None:
        """For the console. Nobody waits for it, so the answer's time does not tell whether there is such a mailbox."""
        now, what = time.monotonic(), f"{visit.reason} {pair_of(login, visit.peer)}"
        at, more = self._told.get(what, (-TOLD_AGAIN_SECONDS, 0))
        # Behind the counting, and not without end: whoever collects mail waits for none of it.
        told_now = now - at >= TOLD_AGAIN_SECONDS and self._notes.acquire(blocking=False)
        self._told[what] = (now, 0) if told_now else (at, more + 1)
        self._told.move_to_end(what)
        if len(self._told) > TOLD_PAIRS:
            self._told.popitem(last=False)
        if told_now:
            self._counting.start_aside(self._note, login, visit, more + 1)

    def _note(self, login: str, visit: Visit, attempts: int) -> None:
        try:
            is_of_a_mailbox = True
            if visit.reason is Reason.WRONG_PASSWORD:
                is_of_a_mailbox = sign_in_refusals.note(login, network_of(visit.peer))
            if is_of_a_mailbox:
                delivery_log.note(login, visit, attempts=attempts)
        finally:
            self._notes.release()

    async def _open(self, login: str, secret: Secret, peer: str) -> Any:
        opening = self.threads.start(
            collection.open_maildrop, login, secret.reveal(), peer=peer, network=network_of(peer)
        )
        try:
            return await finish(opening, LOGIN_SECONDS)
        except (Overloaded, asyncio.CancelledError):
            opening.add_done_callback(self._release_unwanted)
            raise

    def _release_unwanted(self, opening: "Future[Any]") -> None:
        """Nobody waits for this maildrop any more: its owner's next session must not find it in use."""
        if not opening.cancelled() and opening.exception() is None:
            self.threads.start_aside(opening.result().release)  # if not, the lock expires by itself


class _TooManyAtOnce(Refused):
    """Of this mailbox from there."""


def _refusal(reason: Reason, said: tuple[str, str], peer: str, tls: str) -> Visit:
    return Visit(Direction.COLLECTION, reason, reply=_err(said[1]), peer=peer, tls=tls)


def _err(code: str) -> str:
    return f"-ERR [{code}]" if code else "-ERR"


class OpenMaildrop:
    """One open maildrop. Its calls to the service run one after the other; it keeps the session's lock alive."""

    def __init__(
        self, maildrop: Any, owner: Maildrops, *, peer: str, tls: str, on_lost: Callable[[], None]
    ) -> None:
        self.entries = maildrop.entries
        self._maildrop = maildrop
        self._owner = owner
        self._peer = peer
        self._tls = tls
        self._tell_lost = on_lost
        self._lost = False
        self._turn = asyncio.Lock()
        self._begun = time.monotonic()
        self._retrieved = 0
        self._octets = 0
        self._renewal = asyncio.ensure_future(self._keep())

    async def read(self, index: int, *, whole: bool = True) -> AsyncGenerator[bytes, None]:
        """The message's octets, the first piece read already: what fails by then raises Refused.

        Later failures raise Interrupted out of the iteration, for then the client has a part of the message.
        """
        pieces = _Pieces(self._maildrop.read, index)
        try:
            first = await self._call(STEP_SECONDS, pieces.take)
        except errors.MessageGone:
            raise Refused("Message is gone") from None
        except errors.MaildropLost:
            log.warning("maildrop lost in a session mailbox=%s", self._maildrop.address)
            self._on_lost()
            raise Refused("This session has ended, please sign in again", "SYS/TEMP") from None
        except Exception as error:
            self._alarm(index, error)
            permanent = not isinstance(error, Overloaded | OSError | DatabaseError | errors.StoreFailed)
            raise Refused("Message cannot be opened", "SYS/PERM" if permanent else "SYS/TEMP") from None
        return self._rest(index, first, pieces, whole=whole)

    async def commit(self, deleted: list[int]) -> None:
        """Delete these and close. Raises Refused when that failed; the maildrop is closed all the same."""
        await self._stop_renewal()
        try:
            visit = self._visit(Reason.COLLECTED, "+OK", len(deleted))
            await self._call(COMMIT_SECONDS, functools.partial(self._maildrop.commit, deleted, visit=visit))
        except Exception:
            log.exception("collection not ended mailbox=%s", self._maildrop.address)
            await self._release(self._visit(Reason.NOT_DELETED, _err("SYS/TEMP")))
            raise Refused(
                "Some messages may not have been deleted, please try again later", "SYS/TEMP"
            ) from None
        self._log("quit", len(deleted))

    async def release(self, reason: Reason = Reason.BROKEN_OFF) -> None:
        """Close and delete nothing, for this reason. Never raises."""
        await self._stop_renewal()
        await self._release(self._visit(Reason.ENDED if self._lost else reason))
        self._log("lost", 0)

    async def _release(self, visit: Visit) -> None:
        try:
            await self._call(COMMIT_SECONDS, functools.partial(self._maildrop.release, visit=visit))
        except Exception:
            log.exception("maildrop not released mailbox=%s", self._maildrop.address)

    async def _rest(
        self, index: int, first: bytes, pieces: "_Pieces", *, whole: bool
    ) -> AsyncGenerator[bytes, None]:
        octets = len(first)
        try:
            yield first
            while not pieces.done:
                piece = await self._call(STEP_SECONDS, pieces.take)
                octets += len(piece)
                yield piece
        except Exception as error:
            self._alarm(index, error)
            raise Interrupted from error
        finally:
            if not pieces.done:
                await self._call(STEP_SECONDS, pieces.close)
        if whole:
            self._retrieved += 1
            self._octets += octets

    async def _call(self, within: float, function: Callable[..., Any], *arguments: Any) -> Any:
        async with self._turn:
            return await self._owner.threads.call(within, function, *arguments)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._owner.renew_seconds)
            try:
                await self._call(STEP_SECONDS, self._maildrop.renew)
            except errors.MaildropLost:
                log.warning("maildrop lost to another session mailbox=%s", self._maildrop.address)
                self._on_lost()
                return
            except Exception:
                log.exception("maildrop not renewed mailbox=%s", self._maildrop.address)

    def _on_lost(self) -> None:
        self._lost = True
        self._tell_lost()

    def _visit(self, reason: Reason, reply: str = "", deleted: int = 0) -> Visit:
        if reason is Reason.COLLECTED and not self._retrieved and not deleted:
            reason = Reason.NOTHING
        return Visit(
            Direction.COLLECTION,
            reason,
            reply=reply,
            peer=self._peer,
            tls=self._tls,
            octets=self._octets,
            messages=self._retrieved,
            deleted=deleted,
        )

    async def _stop_renewal(self) -> None:
        self._renewal.cancel()
        await asyncio.wait([self._renewal])

    def _alarm(self, index: int, error: Exception) -> None:
        # Loud, for mail that can't be opened is what an operator must hear of first; but the error's class only,
        # since its text or a traceback could hold a piece of the mail.
        log.error(
            "message cannot be opened customer=%s mailbox=%s message=%s error=%s",
            self._maildrop.customer_id,
            self._maildrop.address,
            self.entries[index].uid,
            type(error).__name__,
        )

    def _log(self, end: str, deleted: int) -> None:
        log.info(
            "collected customer=%s mailbox=%s retrieved=%d octets=%d deleted=%d seconds=%.3f peer=%s end=%s",
            self._maildrop.customer_id,
            self._maildrop.address,
            self._retrieved,
            self._octets,
            deleted,
            time.monotonic() - self._begun,
            self._peer,
            end,
        )


class _Pieces:
    """A message's chunks in pieces worth writing; its methods run on threads."""

    def __init__(self, read: Callable[[int], Iterator[bytes]], index: int) -> None:
        self._read = read
        self._index = index
        self._chunks: Iterator[bytes] | None = None
        self.done = False

    def take(self) -> bytes:
        if self._chunks is None:
            self._chunks = iter(self._read(self._index))
        piece, octets = [], 0
        while octets < PIECE_OCTETS:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.done = True
                break
            piece.append(chunk)
            octets += len(chunk)
        return b"".join(piece)

    def close(self) -> None:
        """Let go of the message's file when nobody reads on."""
        self.done = True
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
