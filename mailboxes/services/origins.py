"""From which act a job came, and who did it. The audit trail knows, by the job's id and the person's.

Never by an address: another person may have it by now.
"""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from accounts.actors import Actor
from accounts.models import User
from mailboxes.models import Job
from tenants import access
from tenants.models import AuditEvent, Customer

# An act opens its job and is written down in one transaction. The trail is looked through by time: it has an index for that.
BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=5)


class Cause(StrEnum):
    """What opens a job; templates ask by these words."""

    RESET = "reset"
    UNLOCKING = "unlocking"
    GIVING_UP = "giving-up"
    DELETION = "deletion"


CAUSES = {
    "mailbox.password-reset": Cause.RESET,
    "mailbox.unlocked": Cause.UNLOCKING,
    "mailbox.locked-mail-deleted": Cause.GIVING_UP,
    "mailbox.deletion-started": Cause.DELETION,
}


class Origin(NamedTuple):
    """What opened a job, and the name of who asked for that: as it is now, "" if they have none or were no person."""

    cause: Cause
    person: str


def origins_of(customer: Customer, jobs: Iterable[Job], *, by: Actor) -> dict[UUID, Origin]:
    """Of each job that the trail knows its origin, by the job's id. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    opened = {str(job.pk): job.created_at for job in jobs}
    if not opened:
        return {}
    then = Q()
    for at in opened.values():
        then |= Q(at__range=(at - BEFORE, at + AFTER))
    acts = AuditEvent.objects.of(*CAUSES).filter(then, customer_id=customer.pk, data__job__in=list(opened))
    # The first of each: later acts may have given it more to do.
    first = {act.data["job"]: act for act in acts.order_by("-at", "-pk")}
    people = User.objects.in_bulk({act.actor_id for act in first.values() if act.actor_id})
    names = {act.actor_id: people[act.actor_id].name for act in first.values() if act.actor_id in people}
    return {UUID(job): Origin(CAUSES[act.action], names.get(act.actor_id, "")) for job, act in first.items()}
