"""The one door to a mailbox, and the list of them."""

from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, Prefetch
from django.db.models.functions import Now
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from accounts.lists import by_name, each_word, folded, sorted_by
from mailboxes.errors import NoSuchMailbox
from mailboxes.models import Job, Mailbox, MailboxQuerySet
from mailboxes.services import sign_in_refusals
from tenants import access, directory
from tenants.models import Customer

SORTABLE: dict[str, Any] = {
    "name": folded("name"),
    "status": F("status"),
    "waiting": F("waiting"),
    "waiting_octets": F("waiting_octets"),
    "last_mail_at": F("last_mail_at"),
    "last_collection_at": F("last_collection_at"),
}


class MailServers(NamedTuple):
    """What senders and archivers are to be pointed at."""

    host: str
    smtp_port: int
    smtps_port: int
    pop3_port: int
    pop3s_port: int


def mailbox_for(by: Actor, customer: Customer, pk: UUID, right: access.Right) -> Mailbox:
    """The customer's mailbox, if this person may do `right` there.

    Raises NoSuchMailbox (also for somebody else's), tenants.errors.NotAllowed.
    """
    access.require(by, customer, right)
    with tenant_context(customer):
        return find_mailbox(pk)


def find_mailbox(pk: UUID) -> Mailbox:
    """What mailbox_for() gives, for verbs that have asked already; in the customer's schema. Raises NoSuchMailbox."""
    mailbox = Mailbox.objects.filter(pk=pk).first()
    if mailbox is None:
        raise NoSuchMailbox
    return mailbox


def mailbox_by_address(customer: Customer, address: str, *, by: Actor) -> Mailbox:
    """For commands. Raises NoSuchMailbox, tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    entry = directory.look_up(address.strip())  # which knows what is one address in other letters
    with tenant_context(customer):
        mailbox = Mailbox.objects.filter(pk=entry.mailbox_id).first() if entry else None
    if mailbox is None:
        raise NoSuchMailbox
    return mailbox


def list_mailboxes(customer: Customer, *, by: Actor, search: str = "", sort: str = "name") -> MailboxQuerySet:
    """The customer's mailboxes that have each word of `search` in name, description or address, with their activity.

    `sort` is one of SORTABLE, with "-" for descending. To be asked and read in the customer's schema. Raises
    tenants.errors.NotAllowed.
    """
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    if connection.schema_name != customer.schema_name:  # type: ignore[attr-defined]  # of django-tenants
        raise ValueError("A customer's mailboxes are listed in that customer's schema.")
    unfinished = Prefetch("jobs", Job.objects.unfinished().order_by("-created_at"), to_attr="unfinished_jobs")
    found = _with_all_that_is_told().prefetch_related(unfinished)
    found = found.filter(each_word(search, "name", "description", "address"))
    return sorted_by(found, SORTABLE, sort, *by_name())


@cache
def _with_all_that_is_told() -> MailboxQuerySet:
    """The question without an answer: putting its ten subqueries together takes as long as asking it."""
    told_since = Now() - sign_in_refusals.TOLD
    found = Mailbox.objects.with_activity().with_locked_mail().with_damaged_mail()
    return found.with_refusals(since=told_since)


def servers() -> MailServers:
    """The gateway's name and its ports as the world sees them, for people to type into other programs."""
    return MailServers(
        settings.MAIL_DOMAIN,
        settings.PUBLIC_SMTP_PORT,
        settings.PUBLIC_SMTPS_PORT,
        settings.PUBLIC_POP3_PORT,
        settings.PUBLIC_POP3S_PORT,
    )
