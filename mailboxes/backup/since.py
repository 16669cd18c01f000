"""What was done to a backup's mailboxes after it was taken, as far as a trail knows: today's, or that of a newer backup."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from mailboxes.backup.judging import ROW_ID
from tenants.details import FIRST_DAY, LAST_DAY
from tenants.models import spelled_now

DELETED = "mailbox.deletion-started"
TOLD = (DELETED, "mailbox.locked-mail-deleted", "mailbox.password-reset")
BROUGHT = ("customer.restored", "customer.imported")


class Act(NamedTuple):
    """A line of a trail about a mailbox; those of later have greater numbers."""

    number: int
    at: datetime
    action: str
    customer: UUID
    mailbox: UUID
    name: str


def act_of(
    number: int, at: datetime | str, action: str, customer: UUID | str, mailbox: str, name: str
) -> Act | None:
    """None, where the line is about no mailbox: the application's role may write any, and nobody takes one away."""
    if not (ROW_ID.fullmatch(mailbox) and ROW_ID.fullmatch(str(customer))):
        return None
    return Act(number, time_of(at), spelled_now(action), UUID(str(customer)), UUID(mailbox), name)


def time_of(at: datetime | str) -> datetime:
    """As near to it as Python comes."""
    if isinstance(at, datetime):
        return at
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return FIRST_DAY if at.endswith("BC") or at == "-infinity" else LAST_DAY


def acts_since(
    acts: Iterable[Act | None],
    mailboxes: Collection[UUID],
    made_at: datetime,
    brought: Mapping[UUID, int] | None = None,
) -> list[Act]:
    """Those about the backup's `mailboxes`, by time. Of clocks no deletion depends: what the backup has was deleted later,
    unless its customer was brought back in between (`brought`: the number of the last such line of before the backup, by
    customer).
    """
    back = brought or {}
    found = (
        act
        for act in acts
        if act
        and act.mailbox in mailboxes
        and (
            act.number > back.get(act.customer, act.number - 1)
            if act.action == DELETED
            else act.at >= made_at
        )
    )
    return sorted(found, key=lambda act: act.at)
