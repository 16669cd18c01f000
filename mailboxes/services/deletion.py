"""Deleting a mailbox: its keys go at once, its storage in slices, its certificate stays (docs/jobs.md)."""

from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM, Actor
from mailboxes import errors
from mailboxes.models import Job, KeyLock, Mailbox, MailboxKey, MaildropLock, Message, TallyChange
from mailboxes.services import jobs, statuses, tallies
from mailboxes.services.certificates import ACTION, facts_of, sign
from mailboxes.services.keyring import hold_mailbox
from mailboxes.services.naming import seen
from mailboxes.services.statuses import Act
from mailboxes.transactions import on_disk
from tenants import access, audit, directory
from tenants.figures import keeping
from tenants.models import Customer, DirectoryEntry, OpenJob


class Losses(NamedTuple):
    """What is lost when a mailbox is deleted now: messages and octets, `locked` ones among them, the oldest of `since`.

    `had_mail`: some has come in, whether or not it still waits.
    """

    messages: int
    octets: int
    locked: int
    since: datetime | None
    had_mail: bool = False


def losses(customer: Customer, mailbox: Mailbox, *, by: Actor) -> Losses:
    """What would be lost. Raises NotAllowed, MailboxDeleting."""
    access.require(by, customer, access.Right.DELETE_MAILBOX)
    statuses.require(mailbox, Act.SEE_LOSSES)
    with tenant_context(customer):
        now = tallies.of(mailbox.pk)
        oldest = Message.objects.filter(mailbox=mailbox).order_by("pk").values_list("received_at", flat=True)
        had_mail = now.first_mail_at is not None
        return Losses(now.waiting, now.waiting_octets, now.locked, oldest.first(), had_mail)


def start_deletion(
    customer: Customer, mailbox: Mailbox, *, by: Actor, confirmed_name: str | None = None
) -> Job:
    """Destroy every lock of every key: when this returns nobody reads the mail any more, whatever else happens.

    `confirmed_name` is the mailbox's name as a person typed it; None when no person was asked. Raises NotAllowed,
    StillActive, NameNotConfirmed, NoSuchMailbox, MailboxDeleting.
    """
    access.require(by, customer, access.Right.DELETE_MAILBOX)
    with tenant_context(customer), on_disk():
        found = hold_mailbox(customer, mailbox.pk, Act.DELETE, by=by)
        if confirmed_name is not None and seen(confirmed_name) != seen(found.name):
            raise errors.NameNotConfirmed
        keys = MailboxKey.objects.filter(mailbox=found)
        generation = keys.get(state=MailboxKey.State.CURRENT).generation
        keys.update(state=MailboxKey.State.DESTROYED)  # waits for deliveries that are being committed
        KeyLock.objects.filter(key__mailbox=found).delete()
        MaildropLock.objects.filter(mailbox=found).delete()
        found.status = Mailbox.Status.DELETING
        found.save(update_fields=["status"])
        _publish(customer, found, DirectoryEntry.Status.DELETING, generation)
        jobs.close_all(found, OpenJob.Trouble.MAILBOX_DELETED, Job.Kind.REENCRYPTION, Job.Kind.CLEARING)
        lost = tallies.of(found.pk)
        # From now on nothing waits there: what is being freed, the job counts.
        TallyChange.objects.create(
            mailbox=found,
            messages=-lost.waiting,
            octets=-lost.waiting_octets,
            given_up=True,
            at=timezone.now(),
        )
        job = jobs.open_job(customer, found, Job.Kind.DELETION, total=lost.waiting, by=by)
        audit.record(
            "mailbox.deletion-started",
            by=by,
            customer=customer,
            target=("mailbox", str(found.pk), found.name),
            data={
                "messages": lost.waiting,
                "octets": lost.waiting_octets,
                "keys": [key.fingerprint for key in keys.order_by("generation")],
                "job": str(job.pk),
            },
        )
        return job


@on_disk()
def finish_deletion(customer: Customer, job: Job) -> bool:
    """The last step, when storage is free: rows, address and certificate. Whether it is done. In the customer's schema."""
    held = Mailbox.objects.select_for_update(no_key=True)
    mailbox = held.filter(jobs=job.pk).first()
    if mailbox is None or Message.objects.filter(mailbox=mailbox).exists():
        return mailbox is None
    mailbox_id = mailbox.pk
    keys = list(MailboxKey.objects.filter(mailbox=mailbox).order_by("generation"))
    job = Job.objects.select_for_update(of=("self",)).get(pk=job.pk)
    facts = facts_of(
        customer=customer,
        mailbox=mailbox,
        requested_by=job.created_by_email,
        requested_at=job.created_at,
        finished_at=timezone.now(),
        messages=job.done,
        octets=job.octets,
        fingerprints=[key.fingerprint for key in keys],
    )
    audit.record(
        ACTION,
        by=SYSTEM,
        customer=customer,
        target=("mailbox", str(mailbox.pk), mailbox.name),
        data=sign(facts),
    )
    _publish(customer, mailbox, DirectoryEntry.Status.RETIRED, keys[-1].generation)
    jobs.close(job, Job.State.DONE)
    Job.objects.filter(pk=job.pk).update(mailbox=None)
    tallies.fold(customer)  # with the mailbox go its changes
    mailbox.delete()
    keeping.forget(mailbox_id)
    return True


def _publish(customer: Customer, mailbox: Mailbox, status: str, generation: int) -> None:
    """The address stays in the directory for ever, so that nobody gets it again; its key does not."""
    directory.publish(
        address=mailbox.address,
        customer=customer,
        mailbox_id=mailbox.pk,
        status=status,
        public_key=b"",
        generation=generation,
    )
