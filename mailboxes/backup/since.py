"""What was done to a backup's mailboxes after it was taken, as far as a trail knows: today's, or that of a newer backup."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

DELETED = "mailbox.deletion-started"
TOLD = (DELETED, "mailbox.locked-mail-deleted", "mailbox.password-reset")


class Act(NamedTuple):
    """A line of a trail about a mailbox."""

    at: datetime
    action: str
    customer: UUID
    mailbox: UUID
    name: str


def acts_since(acts: Iterable[Act], mailboxes: Collection[UUID], made_at: datetime) -> list[Act]:
    """Those about the backup's `mailboxes`, by time. Of clocks no deletion depends: what the backup has was deleted later."""
    found = (act for act in acts if act.mailbox in mailboxes and (act.action == DELETED or act.at >= made_at))
    return sorted(found, key=lambda act: act.at)
