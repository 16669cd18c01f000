"""An installation moves from one message store to another while mail comes in, is collected and re-encrypted.

Every process knows both stores meanwhile (`mailboxes.store.both`), so it is no matter in which of them a blob lies, and
names stay as they are. What a kill leaves behind lies in both, or as a draft beside its place, and the next attempt goes on
from there.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from django.conf import settings
from django.db import connection, transaction
from django_tenants.utils import schema_context, tenant_context

from accounts.actors import Actor
from mailboxes.errors import MessageGone, StoreFailed, StoreIsMoving, StoresAreOne, StoresNotBothInUse
from mailboxes.models import MailboxKey, Message
from mailboxes.services.janitor import check_store
from mailboxes.store import BothStores, overlap, store
from tenants import access, pooling
from tenants.models import Customer
from tenants.schemas import between_customers, require_the_role_that_serves

log = logging.getLogger(__name__)

# Of PostgreSQL's advisory locks: of the whole move, on a connection of its own, and of a batch's removals, on the one that
# asks what is wanted.
MOVE_LOCK, REMOVE_LOCK = 7_302_115_408, 7_302_115_411
BATCH = 64
HANDS = 8  # waiting for disks and servers, not computing


@dataclass
class Progress:
    """What has been moved so far, in all rounds; the rest of the last round."""

    messages: int = 0
    octets: int = 0
    customers: int = 0
    customers_done: int = 0
    unnamed: int = 0  # left where they are: no message names them (yet)
    unreadable: list[str] = field(default_factory=list)
    missing: int = 0  # at the end, messages whose blob lies in neither store


def move_store(
    source: str, target: str, *, by: Actor, tell: Callable[[Progress], None] = lambda progress: None
) -> Progress:
    """Move each blob that a message names, until there is none left in `source`. `tell` hears after each step.

    Then it looks for each message's blob: one that lies in neither store is most likely in a `source` that is not mounted.

    Raises NotAllowed, StoresNotBothInUse unless the settings name `target` as the store and `source` as the other one,
    StoresAreOne, StoreIsMoving, StoreFull, StoreFailed, LockLost, LesserOwner.
    """
    access.require(by, access.PLATFORM, access.Right.MOVE_STORE)
    both = store()
    named = (settings.STORE_OTHER_URL.rstrip("/"), settings.STORE_URL.rstrip("/"))
    if not isinstance(both, BothStores) or named != (source.rstrip("/"), target.rstrip("/")):
        raise StoresNotBothInUse(source=source, target=target)
    if overlap(source, target) or both.are_one():
        raise StoresAreOne(source=source, target=target)
    require_the_role_that_serves()
    progress = Progress()
    with _alone() as guard, ThreadPoolExecutor(HANDS, thread_name_prefix="move") as hands:

        def step(progress: Progress) -> None:
            tell(progress)
            guard.still()

        before = -1
        while progress.messages > before:  # what came into `source` behind this round's back
            before = progress.messages
            _go_round(both, progress, hands, guard, step)
        with schema_context("public"):
            customers = list(Customer.objects.order_by("slug"))
        for customer in customers:
            progress.missing += len(check_store(customer, by=by).missing)
            between_customers()
            guard.still()
    log.info(
        "the message store was moved messages=%d octets=%d missing=%d",
        progress.messages,
        progress.octets,
        progress.missing,
    )
    return progress


def _go_round(
    both: BothStores,
    progress: Progress,
    hands: ThreadPoolExecutor,
    guard: pooling.Guard,
    tell: Callable[[Progress], None],
) -> None:
    with schema_context("public"):
        customers = list(Customer.objects.order_by("slug"))
    progress.customers, progress.customers_done = len(customers), 0
    progress.unnamed, progress.unreadable = 0, []
    for customer in customers:
        with tenant_context(customer):
            for mailbox in both.other.folders(customer.pk.hex):
                folder = f"{customer.pk.hex}/{mailbox}"
                names = (name for _, blobs in both.other.shards(folder) for name in blobs)
                while some := list(islice(names, BATCH)):
                    _move_some(both, some, progress, hands, guard)
                    tell(progress)
                both.other.remove_empty_folders(folder)
        progress.customers_done += 1
        tell(progress)
        between_customers()


def _move_some(
    both: BothStores, names: list[str], progress: Progress, hands: ThreadPoolExecutor, guard: pooling.Guard
) -> None:
    """In the customer's schema. Raises StoresAreOne, StoreFull, StoreFailed, LockLost."""
    wanted = _wanted(names)
    progress.unnamed += len(names) - len(wanted)
    outcomes = dict(zip(wanted, hands.map(lambda name: _copy(both, name), wanted), strict=True))
    unreadable = [name for name, octets in outcomes.items() if octets is None]
    if unreadable and len(unreadable) == len(wanted) > 1:
        raise StoreFailed  # not a bad sector here and there
    progress.unreadable += unreadable
    copied = {name: octets for name, octets in outcomes.items() if octets is not None}
    # Asked after the copy is there: whoever removed it before has not met the copy, whoever does later meets it.
    gone = [name for name in copied if both.other.look_at(name) is None]
    for name in set(gone) - set(_wanted(gone)):
        both.main.remove(name)
    there = {name: octets for name, octets in copied.items() if name not in gone}
    if not there:
        return
    # Once more, where they lie: somebody may have mounted or linked one place into the other.
    folder = next(iter(there)).rpartition("/")[0]
    if both.are_one(folder):
        raise StoresAreOne(source=both.other.location, target=both.main.location)
    moved = _remove_old(both, there, hands, guard)
    progress.messages += len(moved)
    progress.octets += sum(there[name] for name in moved)


def _remove_old(
    both: BothStores, copied: dict[str, int], hands: ThreadPoolExecutor, guard: pooling.Guard
) -> list[str]:
    """Remove from the old place what lies in the new one with all its octets; its names. Raises StoreFailed, LockLost.

    Who has turned back meanwhile removes from the place that is the new one to us. The two removals exclude each other, and
    each looks for what it leaves: so the second one finds nothing in the other place and leaves its own. Whoever has lost
    the lock of the move only ends before it removes anything; whoever loses this connection as well, in the middle of a
    batch, has for each of its hands the moment between a look and a removal.
    """

    def remove(name: str) -> bool:
        found = both.main.look_at(name)
        if found is None or found.octets != copied[name]:
            return False
        both.other.remove(name)
        return True

    with transaction.atomic(), connection.cursor() as cursor:
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET LOCAL {limit} = 0")  # however slow a store is
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [REMOVE_LOCK])
        guard.still()
        removals = {name: hands.submit(remove, name) for name in copied}
        wait(removals.values())
    outcomes = {name: removal.result() for name, removal in removals.items()}
    if _wanted([name for name, is_removed in outcomes.items() if not is_removed]):
        raise StoreFailed  # nobody has collected these: they would have no row
    return [name for name, is_removed in outcomes.items() if is_removed]


def _wanted(names: list[str]) -> list[str]:
    """Those of these blobs that a message names, unless it was given up."""
    messages = Message.objects.filter(blob__in=names).exclude(key__state=MailboxKey.State.DESTROYED)
    return list(messages.values_list("blob", flat=True))


def _copy(both: BothStores, name: str) -> int | None:
    """The octets that now lie in the other place too, durably, or None when they can't be read. Raises StoreFull, StoreFailed."""
    try:
        pieces = both.other.chunks(name)
    except MessageGone:
        return 0
    except StoreFailed:
        return None
    draft = both.main.draft(name, again=True)
    octets = 0
    try:
        while True:
            try:
                piece = next(pieces, None)
            except StoreFailed:
                draft.discard()
                return None
            if piece is None:
                break
            draft.write(piece)
            octets += len(piece)
        draft.keep()
    except BaseException:
        draft.discard()
        raise
    return octets


@contextmanager
def _alone() -> Iterator[pooling.Guard]:
    """Raises StoreIsMoving."""
    with pooling.lock_on_one_of(MOVE_LOCK) as guard:
        if not guard:
            raise StoreIsMoving
        yield guard
