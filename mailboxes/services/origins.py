"""Who is behind what a page shows of a mailbox, and from which act a job came. The audit trail knows, by the ids of job
and person.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from accounts.actors import Actor
from accounts.models import User
from mailboxes.models import Job, Mailbox
from mailboxes.services.certificates import Certificate
from tenants import access
from tenants.activity.doers import AFTER, BEFORE, Done, recorded, told_by, who_did
from tenants.activity.reading import Who
from tenants.models import AuditEvent, Customer


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
    """What opened a job, None if the trail does not know, and who asked for that."""

    cause: Cause | None
    who: Who


class Behind(NamedTuple):
    """Who made a mailbox, and who suspended it; None if nobody has."""

    created: Who
    suspended: Who | None


def origins_of(customer: Customer, jobs: Iterable[Job], *, by: Actor) -> dict[UUID, Origin]:
    """Of each job its origin, by the job's id. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    jobs = list(jobs)
    if not jobs:
        return {}
    then = Q()
    for job in jobs:
        then |= Q(at__range=(job.created_at - BEFORE, job.created_at + AFTER))
    ids = [str(job.pk) for job in jobs]
    acts = AuditEvent.objects.of(*CAUSES).filter(then, customer_id=customer.pk, data__job__in=ids)
    # The first of each: later acts may have given it more to do. What was found by its details may read without them, where
    # somebody has written it past the portal (tenants/details.py).
    first = {act.data.get("job"): act for act in acts.order_by("-at", "-pk")}
    people = User.objects.in_bulk({act.actor_id for act in first.values() if act.actor_id})
    return {job.pk: _origin(job, first.get(str(job.pk)), people) for job in jobs}


def behind(customer: Customer, mailbox: Mailbox, *, by: Actor) -> Behind:
    """Who made it and who suspended it. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    by_whom = mailbox.created_by_email
    created = _done(customer, ("mailbox.created",), mailbox.pk, mailbox.created_at, by_whom)
    if mailbox.suspended_at is None:
        return Behind(who_did([created])[created], None)
    by_whom = mailbox.suspended_by_email
    suspended = _done(customer, ("mailbox.suspended",), mailbox.pk, mailbox.suspended_at, by_whom)
    found = who_did([created, suspended])
    return Behind(found[created], found[suspended])


def deleted_by(
    customer: Customer, certificates: Iterable[Certificate], *, by: Actor
) -> dict[UUID | None, Who]:
    """Who asked for each deletion, by the id of the mailbox that is gone; not of a certificate that can't be read.

    Raises tenants.errors.NotAllowed.
    """
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    acts = {
        one.mailbox_id: _done(
            customer,
            ("mailbox.deletion-started",),
            one.mailbox_id,
            datetime.fromisoformat(one.facts["requested_at"]),
            one.facts["requested_by"],
        )
        for one in certificates
        if not one.damaged
    }
    found = who_did(acts.values())
    return {pk: found[act] for pk, act in acts.items()}


def _done(
    customer: Customer, actions: tuple[str, ...], target: UUID | None, at: datetime, email: str
) -> Done:
    return Done(actions, str(target), at, email, customer=customer.pk)


def _origin(job: Job, act: AuditEvent | None, people: dict[int, User]) -> Origin:
    if act is None:
        return Origin(None, recorded(job.created_by_email))
    return Origin(CAUSES[act.action], told_by(act, people))
