"""Freeing storage. The keys are gone already, so these blobs are noise; they go before their rows."""

from django.db import transaction
from django.db.models import QuerySet

from mailboxes.batch import remove_all
from mailboxes.holding import removal_is_held
from mailboxes.models import Job, MailboxKey, Message
from mailboxes.services import jobs
from mailboxes.services.deletion import finish_deletion
from mailboxes.services.keyring import drop_empty
from mailboxes.store import store
from tenants.models import Customer

BATCH = 500  # messages, in one transaction


def delete_step(customer: Customer, job: Job) -> bool:
    """Remove a batch of a mailbox that is being deleted, or finish. Raises StoreFailed.

    While a backup is taken it waits: beat rings again, and a certificate says that storage is free.
    """
    if removal_is_held():
        return False
    waiting = Message.objects.filter(mailbox=job.mailbox_id)
    if _remove(job, waiting):
        return True
    if not waiting.exists():  # else others are at the rest
        assert job.mailbox_id, "the mailbox is there until its job is done"
        store().remove_mailbox(customer.pk, job.mailbox_id)  # with what crashes left there
        finish_deletion(customer, job)
    return False


def clear_step(customer: Customer, job: Job) -> bool:
    """Remove a batch of mail whose keys were destroyed, or finish; wait while a backup is taken. Raises StoreFailed."""
    if removal_is_held():
        return False
    keys = MailboxKey.objects.filter(mailbox=job.mailbox_id, state=MailboxKey.State.DESTROYED)
    doomed = Message.objects.filter(key__in=list(keys.values_list("pk", flat=True)))
    if _remove(job, doomed):
        return True
    if not doomed.exists():
        _finish_clearing(job)
    return False


@transaction.atomic(durable=True)
def _remove(job: Job, messages: QuerySet[Message]) -> int:
    """How many were removed. Killed in the middle, it does the same again: a blob that is gone is no error."""
    claimed = list(
        messages.order_by("pk")
        .select_for_update(skip_locked=True, of=("self",))[:BATCH]
        .values_list("pk", "blob", "octets")
    )
    if not claimed:
        return 0
    remove_all(blob for _, blob, _ in claimed)
    Message.objects.filter(pk__in=[pk for pk, *_ in claimed]).delete()
    jobs.count_done(job, len(claimed), sum(octets for *_, octets in claimed))
    return len(claimed)


@transaction.atomic(durable=True)
def _finish_clearing(job: Job) -> None:
    assert job.mailbox_id, "a mailbox that is deleted ends this job"
    drop_empty(job.mailbox_id, MailboxKey.State.DESTROYED)
    jobs.close(job, Job.State.DONE)
