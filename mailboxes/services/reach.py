"""A test of the way that mail takes to a mailbox: a person asks for it, a worker makes it, the mailbox's page tells of it.

Only the installation's own name and ports are looked at (portal/doctor/reach.py), whatever anybody asks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from accounts.bell import ring_after_commit
from accounts.models import User
from mailboxes import errors
from mailboxes.models import Mailbox
from mailboxes.services.keyring import hold_mailbox
from mailboxes.services.statuses import Act
from tenants import access, audit
from tenants.models import AuditEvent, Customer

ACTION = "mailbox.reach-tested"
TASK = "portal.doctor.tasks.make_reach_test"
AGAIN = timedelta(seconds=20)  # from one test of a mailbox to the next; none takes longer
TURNS, OF_TURNS = 10, timedelta(minutes=10)  # of one person, at all mailboxes
LATE = timedelta(seconds=60)  # from then on no worker is expected any more
TOLD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReachTest:
    """`findings` in the order in which they were made, as portal/doctor/reach.py makes them; none before `is_over`."""

    asked_at: datetime
    findings: list[dict[str, Any]]
    is_over: bool

    @property
    def is_late(self) -> bool:
        """Nobody made it."""
        return not self.is_over and timezone.now() - self.asked_at > LATE


def start_reach_test(customer: Customer, mailbox: Mailbox, *, by: Actor, with_message: bool = False) -> None:
    """Have a worker go the way of a sender as far as the recipient, or with a test message, which then waits in the mailbox.

    Raises NotAllowed, TestedTooOften, NoSuchMailbox, MailboxDeleting.
    """
    access.require(by, customer, access.Right.EDIT_MAILBOX)
    if isinstance(by, User) and _tested_lately(by) >= TURNS:
        raise errors.TestedTooOften
    with tenant_context(customer), transaction.atomic(durable=True):
        held = hold_mailbox(customer, mailbox.pk, Act.EDIT, by=by)
        now = timezone.now()
        last = _read(held.reach_test)
        if last and now - last.asked_at < AGAIN:
            raise errors.TestedTooOften
        number = str(uuid4())
        held.reach_test = {"number": number, "asked_at": now.isoformat(), "with_message": with_message}
        held.save(update_fields=["reach_test"])
        audit.record(
            ACTION,
            by=by,
            customer=customer,
            target=("mailbox", str(held.pk), held.name),
            data={"test_message": True} if with_message else {},
        )
        ring_after_commit(TASK, customer.schema_name, str(held.pk), number)


def reach_test_of(customer: Customer, mailbox: Mailbox, *, by: Actor) -> ReachTest | None:
    """The last one, if it was of today. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    with tenant_context(customer):
        found = _read(Mailbox.objects.filter(pk=mailbox.pk).values_list("reach_test", flat=True).first())
    return found if found and timezone.now() - found.asked_at < TOLD else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a worker is to do."""

    address: str
    with_message: bool


def take_reach_test(customer: Customer, mailbox_id: UUID, number: str) -> Asked | None:
    """The test of this number, once: a task may come twice, and a message must not. None: it is not to be made any more."""
    with tenant_context(customer), transaction.atomic(durable=True):
        held = Mailbox.objects.select_for_update(no_key=True).filter(pk=mailbox_id).first()
        asked = held.reach_test if held else None
        if held is None or not asked or asked.get("number") != number or "taken" in asked:
            return None
        if timezone.now() - _moment(asked) > LATE:
            return None
        held.reach_test = {**asked, "taken": True}
        held.save(update_fields=["reach_test"])
        return Asked(held.address, bool(asked.get("with_message")))


def finish_reach_test(
    customer: Customer, mailbox_id: UUID, number: str, findings: list[dict[str, Any]]
) -> None:
    """What was found. Nothing happens when another one was asked for meanwhile."""
    with tenant_context(customer), transaction.atomic(durable=True):
        held = Mailbox.objects.select_for_update(no_key=True).filter(pk=mailbox_id).first()
        if held and held.reach_test and held.reach_test.get("number") == number:
            held.reach_test = {**held.reach_test, "findings": findings}
            held.save(update_fields=["reach_test"])


def _tested_lately(person: User) -> int:
    """How many tests, at all mailboxes."""
    lately = AuditEvent.objects.of(ACTION).filter(at__gt=timezone.now() - OF_TURNS)
    return lately.filter(actor_id=person.pk).count()


def _read(asked: dict[str, Any] | None) -> ReachTest | None:
    return ReachTest(_moment(asked), asked.get("findings", []), "findings" in asked) if asked else None


def _moment(asked: dict[str, Any]) -> datetime:
    return parse_datetime(asked["asked_at"]) or timezone.now() - TOLD
