"""Who did a single act of which only a row is at hand, such as a mailbox: its audit event knows, by the person's id.

Never by an address: another person may have it by now.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext

from accounts.models import User
from tenants.activity.reading import COMMAND_LINE, Who, nobody
from tenants.models import AuditEvent

# A row and its event are written in one transaction. The trail is looked through by time: it has an index for that.
BEFORE, AFTER = timedelta(minutes=1), timedelta(minutes=5)


class Done(NamedTuple):
    """An act as a row tells of it: `actions` are what the event may be called, `target` is the id of what it was done
    to, `email` what the row says of who did it, "" if that was no person.
    """

    actions: tuple[str, ...]
    target: str
    at: datetime
    email: str
    customer: UUID | None = None
    provider: int | None = None


def who_did(acts: Iterable[Done]) -> dict[Done, Who]:
    """Each with the name of today. Of what the trail does not know it is the address that the row has, or the command
    line. For who has been given these rows: it asks no right.
    """
    acts = list(acts)
    then = Q()
    for act in acts:
        place = {"customer_id": act.customer, "provider_id": act.provider}
        here = {field: value for field, value in place.items() if value is not None}
        then |= Q(target_id=act.target, at__range=(act.at - BEFORE, act.at + AFTER), **here)
    found = list(AuditEvent.objects.filter(then).order_by("at", "pk")) if acts else []
    people = User.objects.in_bulk({event.actor_id for event in found if event.actor_id})
    return {act: _who(act, found, people) for act in acts}


def told_by(event: AuditEvent, people: dict[int, User]) -> Who:
    """Who did it, by the name of today if they have one; `people` has at least who acted, by id."""
    if not event.actor_id:
        return Who(nobody(event))
    person = people.get(event.actor_id)
    return Who(person.name if person and person.name else event.actor_email, event.actor_email)


def recorded(email: str) -> Who:
    """What a row alone tells."""
    return Who(email, email) if email else Who(gettext(COMMAND_LINE))


def _who(act: Done, found: Iterable[AuditEvent], people: dict[int, User]) -> Who:
    """Of several the nearest: somebody who is quick suspends, activates and suspends within a minute."""
    fitting = [
        event
        for event in found
        if event.action in act.actions
        and event.target_id == act.target
        and act.at - BEFORE <= event.at <= act.at + AFTER
        and event.actor_email == act.email
    ]
    nearest = min(fitting, key=lambda event: abs(event.at - act.at), default=None)
    return told_by(nearest, people) if nearest else recorded(act.email)
