"""Messages that can't be opened: marked when that is found out, left out of collection, back with their file."""

import logging
import os
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from mailboxes.errors import StoreFailed
from mailboxes.models import Message
from mailboxes.store import store
from mailboxes.vault import sealed_size

log = logging.getLogger(__name__)

FEW = 1000  # marked messages that a sign-in looks at again; the janitor looks at all


def mark(uid: UUID, blob: str, trouble: str) -> bool:
    """A message's blob turned out to be missing or altered; whether that is news. In the customer's schema.

    Not when the message has another blob by now. `trouble` goes to the log and is never a part of the mail.
    """
    unmarked = Message.objects.filter(uid=uid, blob=blob, damaged_at=None)
    if not unmarked.update(damaged_at=timezone.now()):
        return False
    address = Message.objects.filter(uid=uid).values_list("mailbox__address", flat=True).first()
    log.error("a message is damaged mailbox=%s message=%s blob=%s: %s", address, uid.hex, blob, trouble)
    return True


def take_back(uid: UUID, blob: str, damaged_at: datetime) -> bool:
    """Its whole file is back; whether the mark was still there. In the customer's schema."""
    same = Message.objects.filter(uid=uid, blob=blob, damaged_at=damaged_at)
    if not same.update(damaged_at=None):
        return False
    log.warning("a message's blob is back message=%s blob=%s", uid.hex, blob)
    return True


def take_back_restored(mailbox_id: UUID) -> None:
    """Look at the mailbox's marked messages again, so that who has restored a file waits for no janitor."""
    marked = Message.objects.filter(mailbox=mailbox_id, damaged_at__isnull=False)
    for uid, blob, octets, damaged_at in marked.values_list("uid", "blob", "octets", "damaged_at")[:FEW]:
        file = store().look_at(blob)
        if damaged_at and file and is_restored(file, octets, damaged_at):
            take_back(uid, blob, damaged_at)


def forgive(mailbox_id: UUID) -> None:
    """Somebody asks for another try at all of them: whichever is still unreadable is marked again."""
    Message.objects.filter(mailbox_id=mailbox_id, damaged_at__isnull=False).update(damaged_at=None)


def is_restored(file: os.stat_result, octets: int, damaged_at: datetime) -> bool:
    """Whether a whole file was put there after the mark.

    Size alone says nothing: a message is also marked when its blob was altered, and that one has the right size.
    """
    return file.st_size == sealed_size(octets) and file.st_ctime > damaged_at.timestamp()


def refuse_an_empty_store() -> None:
    """A store without any folder beside mail that waits is one that is not mounted: marking all mail would be wrong.

    Raises StoreFailed.
    """
    if not store().folders() and Message.objects.exists():
        log.error("the message store is empty though mail waits, is it mounted? root=%s", store().location)
        raise StoreFailed
