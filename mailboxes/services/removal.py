"""Destroying keys: from that moment their mail is lost for good, and only its storage is left to be freed."""

from collections.abc import Iterable

from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes import errors
from mailboxes.models import Job, Mailbox, MailboxKey, TallyChange
from mailboxes.services import jobs, tallies
from mailboxes.services.keyring import destroy_locks, drop_empty, hold_mailbox
from mailboxes.services.statuses import Act
from mailboxes.transactions import on_disk
from tenants import access, audit
from tenants.models import Customer


def doom(customer: Customer, mailbox: Mailbox, keys: Iterable[int], *, by: Actor) -> Job | None:
    """Destroy these keys, whose mail no password is to open any more, and have their storage freed.

    In the caller's transaction, with the mailbox held. The job, or None when they had no mail.
    """
    doomed = MailboxKey.objects.filter(pk__in=list(keys))
    destroy_locks(doomed.values_list("pk", flat=True))
    total = 0
    for key in doomed:
        amount = tallies.sealed_to(MailboxKey.objects.filter(pk=key.pk))
        TallyChange.objects.create(
            mailbox=mailbox,
            key=key,
            messages=-amount.messages,
            octets=-amount.octets,
            given_up=True,
            at=timezone.now(),
        )
        total += amount.messages
    doomed.update(state=MailboxKey.State.DESTROYED)
    drop_empty(mailbox.pk, MailboxKey.State.DESTROYED)
    if not MailboxKey.objects.filter(mailbox=mailbox, state=MailboxKey.State.DESTROYED).exists():
        return None
    job = mailbox.jobs.unfinished().filter(kind=Job.Kind.CLEARING).first()
    if job:
        return jobs.go_on(customer, job, more=total)
    return jobs.open_job(customer, mailbox, Job.Kind.CLEARING, total=total, by=by)


def delete_locked_mail(customer: Customer, mailbox: Mailbox, *, by: Actor) -> Job | None:
    """Give up mail that only an earlier password opens.

    Raises NotAllowed, NothingToUnlock, NoSuchMailbox, MailboxDeleting.
    """
    access.require(by, customer, access.Right.DELETE_MAILBOX)
    with tenant_context(customer), on_disk():
        found = hold_mailbox(customer, mailbox.pk, Act.DELETE_LOCKED_MAIL, by=by)
        locked = MailboxKey.objects.filter(mailbox=found, state=MailboxKey.State.LOCKED)
        keys = list(locked.values_list("pk", flat=True))
        if not keys:
            raise errors.NothingToUnlock
        amount = tallies.sealed_to(locked)
        job = doom(customer, found, keys, by=by)
        audit.record(
            "mailbox.locked-mail-deleted",
            by=by,
            customer=customer,
            target=("mailbox", str(found.pk), found.name),
            data={
                "messages": amount.messages,
                "octets": amount.octets,
                "job": str(job.pk) if job else None,
            },
        )
        return job
