"""What people hear by mail when others did something to their account: nobody becomes somebody else in silence."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import mails
from accounts.actors import Actor
from accounts.mails import outbox
from accounts.models import PendingMail, User
from tenants import audit
from tenants.activity import words
from tenants.mails.letterhead import letterhead_at, letterhead_of
from tenants.models import AuditEvent, Customer, Provider

ADDRESS_CHANGED, ACCESS_CHANGED, LET_IN = "person.address-changed", "person.access-changed", "person.let-in"
ROLES = ("membership.added", "membership.changed", "membership.removed")
SWITCHED_OFF, SWITCHED_ON = "person.switched-off", "person.switched-on"
TEMPLATES = {
    ADDRESS_CHANGED: "tenants/email/address_changed",
    ACCESS_CHANGED: "tenants/email/access_changed",
    LET_IN: "tenants/email/let_in",
    SWITCHED_OFF: "tenants/email/account_switched",
    SWITCHED_ON: "tenants/email/account_switched",
    **dict.fromkeys(ROLES, "tenants/email/role_changed"),
}
KIND = "tenants/staff_notice"  # stays: rows that wait have it
NEWS = timedelta(hours=12)  # longer than a mail server may be away; older events are history


def record(action: str, person: User, *, by: Actor, data: dict[str, Any] | None = None) -> None:
    """Write down what was done to a person's account where people look for it, and mail it to them after the commit."""
    event, *_elsewhere = audit.record_everywhere(action, person, by=by, data=data)
    announce(event)


def announce(event: AuditEvent) -> None:
    """Mail it after the commit, to the address that the person has and to the one that was theirs before, each by
    itself: one that is closed or misspelled keeps nothing from the other, and has nothing said to it twice.
    """
    with transaction.atomic():
        for address in _addresses(event):
            outbox.put(PendingMail(kind=KIND, email=address, details={"event": event.pk}))


def send(mail: PendingMail) -> None:
    """What is said, and to whom, stands in the trail, so nobody can have other words or other people written to. Raises
    what mails.send() does.
    """
    now = timezone.now()
    told_now = AuditEvent.objects.of(*TEMPLATES).filter(at__range=(now - NEWS, now))
    event = told_now.filter(pk=mail.details["event"]).first()
    person = User.objects.filter(pk=event.target_id).first() if event else None
    if event is None or person is None or (event.action in ROLES and "as_staff" not in event.data):
        return
    if not mail.email:
        announce(event)  # it waits since the release before, of which one row was for all addresses
        return
    if mail.email not in _addresses(event):
        return
    reader = User(email=mail.email, name=person.name, language=person.language, time_zone=person.time_zone)
    # The template asks for the sentence, once the reader's language is spoken.
    place = _place_of(event)
    told = {
        "event": event,
        "sentence": partial(words.sentence, event),
        "place": place,
    }
    letterhead = letterhead_at(place) if place else letterhead_of(person)
    mails.send(reader, TEMPLATES[event.action], told, letterhead=letterhead)


def _addresses(event: AuditEvent) -> list[str]:
    if event.action == ADDRESS_CHANGED:
        # The old one first: it is the one to be warned.
        return [
            address
            for address in (event.data.get("before"), event.data.get("email"))
            if isinstance(address, str)
        ]
    return [event.target_name]


def _place_of(event: AuditEvent) -> Customer | Provider | None:
    if event.customer_id:
        return Customer.objects.filter(pk=event.customer_id).first()
    return Provider.objects.filter(pk=event.provider_id).first() if event.provider_id else None


WRITERS = {KIND: send}
