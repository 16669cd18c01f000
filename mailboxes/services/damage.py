"""Messages that can't be opened: marked when that is found out, left out of collection, back with their file."""

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes.errors import StoreFailed
from mailboxes.models import Message
from mailboxes.store import Blob, store
from mailboxes.vault import sealed_size
from tenants import access
from tenants.models import Customer

log = logging.getLogger(__name__)

FEW = 1000  # marked messages that a sign-in looks at again; the janitor looks at all


def mark(uid: UUID, blob: str, trouble: str) -> None:
    """A message's blob turned out to be missing, cut or altered; the log says it once. In the customer's schema.

    Not when the message has another blob by now. `trouble` goes to the log and is never a part of the mail. Raises
    StoreFailed, also for one that is missing while the store moves and one of the two places has nothing at all of its
    customer: whether that one is empty or not mounted nobody knows before the move is over.
    """
    unmarked = Message.objects.filter(uid=uid, blob=blob, damaged_at=None)
    row = unmarked.values_list("octets", "mailbox__address").first()
    if row is None:
        return
    octets, address = row
    damaged_at, damage = timezone.now(), Message.Damage.MISSING
    file = store().look_at(blob)
    customer = blob.partition("/")[0]
    if file is None and store().lacks_a_place(customer):
        log.error(
            "a message is missing while the store moves, and one place has nothing of its customer: are both mounted? "
            "mailbox=%s message=%s blob=%s stores=%s",
            address,
            uid.hex,
            blob,
            store().location,
        )
        raise StoreFailed
    if file and _is_whole(file, octets):
        damaged_at, damage = _just_after(file), Message.Damage.ALTERED
    if unmarked.update(damaged_at=damaged_at, damage=damage):
        log.error("a message is damaged mailbox=%s message=%s blob=%s: %s", address, uid.hex, blob, trouble)


def take_back(uid: UUID, blob: str, damaged_at: datetime) -> bool:
    """Its whole file is back; whether the mark was still there. In the customer's schema."""
    same = Message.objects.filter(uid=uid, blob=blob, damaged_at=damaged_at)
    if not same.update(damaged_at=None, damage=""):
        return False
    log.warning("a message's blob is back message=%s blob=%s", uid.hex, blob)
    return True


def take_back_restored(mailbox_id: UUID) -> int:
    """Look at the mailbox's marked messages again, so that who has restored a file waits for no janitor; how many are back."""
    back = 0
    marked = Message.objects.filter(mailbox=mailbox_id, damaged_at__isnull=False)
    fields = ("uid", "blob", "octets", "damaged_at", "damage")
    for uid, blob, octets, damaged_at, damage in marked.values_list(*fields)[:FEW]:
        file = store().look_at(blob)
        if damaged_at and file and is_restored(file, octets, damaged_at, damage):
            back += take_back(uid, blob, damaged_at)
    return back


def try_again(mailbox_id: UUID) -> None:
    """Somebody asks for another try at the mailbox's messages: whichever is still unreadable is marked again."""
    Message.objects.filter(mailbox=mailbox_id, damaged_at__isnull=False).update(damaged_at=None, damage="")


def try_all_again(customer: Customer, *, by: Actor) -> None:
    """The same for all of a customer's. Raises NotAllowed."""
    access.require(by, access.PLATFORM, access.Right.CHECK_STORE)
    with tenant_context(customer):
        Message.objects.filter(damaged_at__isnull=False).update(damaged_at=None, damage="")


def is_restored(file: Blob, octets: int, damaged_at: datetime, damage: str) -> bool:
    """Whether a whole file is there again.

    Of one that was missing or cut its size tells. One that was altered had the right size all the time, so it has to be
    newer than what was marked; one that is older again, after a disk was put back to an earlier state, waits for
    `try_all_again`.
    """
    return _is_whole(file, octets) and (
        damage == Message.Damage.MISSING or file.placed_at > damaged_at.timestamp()
    )


def _just_after(file: Blob) -> datetime:
    """By the store's clock alone: where that is not ours, the same file would look newer than its mark again and again."""
    return datetime.fromtimestamp(file.placed_at, UTC) + timedelta(microseconds=1)


def _is_whole(file: Blob | None, octets: int) -> bool:
    return file is not None and file.octets == sealed_size(octets)


def refuse_an_empty_store(customer: Customer) -> None:
    """Where a customer whose mail waits has no folder, the store is not mounted, or another one: marking all mail would be
    wrong.

    Raises StoreFailed.
    """
    if not store().holds_anything(customer.pk.hex) and Message.objects.exists():
        log.error(
            "the message store has nothing of a customer whose mail waits, is it mounted? customer=%s root=%s",
            customer.slug,
            store().location,
        )
        raise StoreFailed
