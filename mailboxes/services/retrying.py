"""Letting a job go on that has stopped."""

from django.db import transaction
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes import errors
from mailboxes.models import Job
from mailboxes.services import jobs
from mailboxes.services.keyring import hold_to_work
from mailboxes.services.passwords import unlock
from tenants import access, audit
from tenants.models import Customer


def retry(customer: Customer, job: Job, *, by: Actor, password: str = "") -> Job:
    """Let a failed, pausing or waiting job go on now.

    Raises NotAllowed, NoSuchJob, NothingToRetry; NoSuchMailbox, MailboxDeleting; PasswordNeeded when the workers have
    lost their access to the keys, and then what `unlock` raises.
    """
    job = jobs.job_for(by, customer, job.pk)
    access.require(by, customer, jobs.right_to_retry(job))
    if not jobs.may_retry(job) or job.mailbox is None:
        raise errors.NothingToRetry
    if jobs.needs(job) is jobs.Needs.PASSWORD:
        if not password.strip():
            raise errors.PasswordNeeded
        gone_on = unlock(customer, job.mailbox, password, by=by, earlier=False)
        return gone_on or jobs.job_for(by, customer, job.pk)
    with tenant_context(customer), transaction.atomic(durable=True):
        if job.kind != Job.Kind.DELETION:
            hold_to_work(job.mailbox.pk)  # which a deletion may have overtaken
        Job.objects.select_for_update(of=("self",)).get(pk=job.pk)
        # Once more, after the lines in which they waited.
        access.require(by, customer, jobs.right_to_retry(job))
        job = jobs.go_on(customer, job)
        audit.record(
            "job.retried",
            by=by,
            customer=customer,
            target=("mailbox", str(job.mailbox_id), job.mailbox_name),
            data={"job": str(job.pk), "kind": job.kind},
        )
    return job
