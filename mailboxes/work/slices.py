"""One slice of a job: bounded, claimed, and harmless when it is asked for too often (docs/jobs.md)."""

import logging
import time
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from django_tenants.utils import tenant_context

from mailboxes import errors
from mailboxes.models import Job
from mailboxes.services import jobs
from mailboxes.vault import VaultError
from mailboxes.work import reencryption, removal
from tenants import pooling
from tenants.models import Customer, OpenJob

log = logging.getLogger(__name__)

# Does a bounded step and says whether it is worth asking again.
Step = Callable[[Customer, Job], bool]
STEPS: dict[str, Step] = {
    Job.Kind.REENCRYPTION: reencryption.step,
    Job.Kind.DELETION: removal.delete_step,
    Job.Kind.CLEARING: removal.clear_step,
}

TROUBLES: list[tuple[type[Exception], OpenJob.Trouble]] = [
    (errors.StoreFull, OpenJob.Trouble.STORE_FULL),
    (errors.StoreFailed, OpenJob.Trouble.STORE_FAILED),
    (DatabaseError, OpenJob.Trouble.DATABASE_FAILED),
    (VaultError, OpenJob.Trouble.WORKER_KEY),  # what is wrong with a message never gets this far
    (Exception, OpenJob.Trouble.UNFORESEEN),
]


def work_slice(customer: Customer, job_id: UUID) -> bool:
    """Work on a job for JOB_SLICE_SECONDS or to its end; whether the bell should ring again.

    Whatever is done is committed step by step, so a slice that is killed costs its last step. Trouble is noted in the
    job, which pauses and goes on by itself.
    """
    # A place at the job is held beside the work, and free at once when a worker dies.
    with tenant_context(customer), pooling.lock_on_one_of(*_places(job_id)) as taken:
        if not taken:
            return False  # enough of them work on it already, or this is an echo of an old bell
        job = Job.objects.filter(pk=job_id).first()
        if job is None:
            log.error("no such job customer=%s job=%s", customer.slug, job_id)
            return False
        if job.state not in Job.WORKABLE or (job.paused_until and job.paused_until > timezone.now()):
            return False
        return _work(customer, job)


def _work(customer: Customer, job: Job) -> bool:
    end = time.monotonic() + settings.JOB_SLICE_SECONDS
    try:
        while STEPS[job.kind](customer, job):
            if time.monotonic() >= end:
                return True
    except (
        Exception
    ) as error:  # a job never just disappears: it is noted, tried again, or given up in sight of all
        trouble = next(code for kind, code in TROUBLES if isinstance(error, kind))
        log.exception("job in trouble customer=%s job=%s trouble=%s", customer.slug, job.pk, trouble)
        if not connection.in_atomic_block and not connection.is_usable():
            connection.close()  # the note below goes over a new one
        jobs.note_failure(job, trouble)
    return False


def _places(job_id: UUID) -> list[int]:
    first = int.from_bytes(job_id.bytes[:8], signed=True) & ~0xFF
    return [first + number for number in range(settings.JOB_SLICES_AT_ONCE)]
