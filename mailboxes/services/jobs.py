"""Jobs: opened and closed in the transaction of the act that they belong to, and how they get on (docs/jobs.md)."""

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts import bell
from accounts.actors import SYSTEM, Actor
from mailboxes import errors
from mailboxes.models import Job, KeyLock, Mailbox
from tenants import access, audit
from tenants.models import Customer, OpenJob

log = logging.getLogger(__name__)

_RIGHTS = {
    Job.Kind.REENCRYPTION: access.Right.RESET_PASSWORD,
    Job.Kind.CLEARING: access.Right.DELETE_MAILBOX,
    Job.Kind.DELETION: access.Right.DELETE_MAILBOX,
}

TASK = "mailboxes.tasks.work_job"
FIRST_PAUSE, LONGEST_PAUSE = 2, 300  # seconds between attempts after a failure
ATTEMPTS = 24  # in a row: an hour and a half, in which somebody may make room on the disk
STALLED_AT_ONCE = 500  # the next look takes the others
# Also after a pause, because a rate that spans one is wrong.
NOT_STARTED = {"started_at": None, "done_at_start": None}


# --- Opening, going on, closing: in the caller's transaction, in the customer's schema ---
def open_job(customer: Customer, mailbox: Mailbox, kind: str, *, total: int, by: Actor) -> Job:
    """A new job, for which the bell rings as soon as the caller's transaction is committed."""
    job = Job.objects.create(
        kind=kind,
        mailbox=mailbox,
        mailbox_uuid=mailbox.pk,
        mailbox_name=mailbox.name,
        mailbox_address=mailbox.address,
        total=total,
        created_by_email=by.email,
    )
    _publish(customer, job)
    log.info("job begun job=%s kind=%s mailbox=%s messages=%s", job.pk, kind, mailbox.address, total)
    _ring_after_commit(customer, job)
    return job


def go_on(customer: Customer, job: Job, *, more: int = 0) -> Job:
    """Work on it again, or from now on with `more` messages."""
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.QUEUED,
        total=F("total") + more,
        error="",
        failures=0,
        paused_until=None,
        finished_at=None,
        **NOT_STARTED,
    )
    job.refresh_from_db()
    _publish(customer, job)
    _ring_after_commit(customer, job)
    return job


def close(job: Job, state: str, error: OpenJob.Trouble | Literal[""] = "") -> None:
    """The job is over, or waits for a person. A re-encryption's worker locks go with it, whatever the outcome.

    What a person has to do something about is written down in the trail as well.
    """
    if job.mailbox_id and job.kind == Job.Kind.REENCRYPTION:
        wipe_worker_locks(job.mailbox_id)
    over: dict[str, Any] = {} if state == Job.State.WAITING else {"finished_at": timezone.now()}
    if state == Job.State.DONE:
        over["done"] = over["total"] = Greatest(
            "done", "total"
        )  # what was collected meanwhile needed no work
    Job.objects.filter(pk=job.pk).update(state=state, error=error, failures=0, paused_until=None, **over)
    published = OpenJob.objects.filter(job_id=job.pk)
    if state == Job.State.DONE or error in Job.OVERTAKEN:
        published.delete()
    else:
        _record_trouble(published.select_related("customer").first(), job, state, error)
        published.update(state=state, trouble=error, since=timezone.now())
    level = logging.INFO if state == Job.State.DONE else logging.WARNING
    log.log(level, "job ended job=%s kind=%s state=%s error=%s", job.pk, job.kind, state, error or "none")


def close_all(mailbox: Mailbox, error: OpenJob.Trouble, *kinds: str) -> None:
    """Something has overtaken the mailbox's jobs of these kinds: live ones end, failed ones can't be taken up again."""
    mine = mailbox.jobs.filter(kind__in=kinds)
    for job in mine.live():
        close(job, Job.State.FAILED, error)
    failed = mine.filter(state=Job.State.FAILED)
    OpenJob.objects.filter(job_id__in=list(failed.values_list("pk", flat=True))).delete()
    failed.update(error=error)


def stop_all(customer: Customer) -> int:
    """Of a customer that comes from a backup: what was under way waits for a person, who types the password, and how much
    that is. In the caller's transaction, in the customer's schema, in which no worker locks are.
    """
    live = Job.objects.filter(state__in=Job.LIVE)
    stopped = live.update(
        state=Job.State.WAITING, error=OpenJob.Trouble.NO_LOCK, failures=0, paused_until=None, **NOT_STARTED
    )
    for job in Job.objects.unfinished().filter(mailbox__isnull=False):
        _publish(customer, job)
    return stopped


def _publish(customer: Customer, job: Job) -> None:
    """Let those who look after all customers' jobs know of it."""
    facts: dict[str, Any] = {
        "kind": job.kind,
        "state": job.state,
        "trouble": job.error,
        "mailbox_name": job.mailbox_name,
        "wake_at": _later(),
        "since": timezone.now(),
    }
    OpenJob.objects.update_or_create(job_id=job.pk, defaults={"customer": customer, **facts})


def _record_trouble(published: OpenJob | None, job: Job, state: str, error: str) -> None:
    if published is None:  # of a customer that is being removed
        return
    audit.record(
        "job.failed" if state == Job.State.FAILED else "job.waits",
        by=SYSTEM,
        customer=published.customer,
        target=("mailbox", str(job.mailbox_id), job.mailbox_name),
        data={"job": str(job.pk), "kind": job.kind, "trouble": error},
    )


def wipe_worker_locks(mailbox_id: UUID) -> None:
    KeyLock.objects.filter(key__mailbox_id=mailbox_id, kind=KeyLock.Kind.WORKER).delete()


def wipe_expired_locks() -> None:
    """What no worker has used in its time goes even when no worker works; in the customer's schema."""
    KeyLock.objects.filter(kind=KeyLock.Kind.WORKER, expires_at__lte=timezone.now()).delete()


def _later() -> datetime:
    return timezone.now() + timedelta(seconds=settings.JOB_SILENCE_SECONDS)


def count_done(job: Job, messages: int, octets: int) -> None:
    """So much was done in the caller's transaction, and the job lives; last in it, because slices wait here in turn."""
    mine = Job.objects.filter(pk=job.pk)
    mine.update(done=F("done") + messages, octets=F("octets") + octets)
    # One that was closed, or waits for a person, while this step was under way stays so.
    alive = mine.filter(state__in=Job.WORKABLE).update(
        state=Job.State.RUNNING,
        error="",
        failures=0,
        paused_until=None,
        started_at=Coalesce("started_at", timezone.now()),
        done_at_start=Coalesce("done_at_start", "done"),
    )
    if alive:
        OpenJob.objects.filter(job_id=job.pk).update(state=Job.State.RUNNING, trouble="", wake_at=_later())


def note_failure(job: Job, error: OpenJob.Trouble) -> None:
    """A slice failed. Try again after a pause that grows, and give up after ATTEMPTS in a row."""
    workable = Job.objects.filter(pk=job.pk, state__in=Job.WORKABLE)
    # Slices that fail side by side are one failure; and somebody may have closed the job meanwhile.
    running = workable.filter(Q(paused_until=None) | Q(paused_until__lt=timezone.now()))
    if not running.update(failures=F("failures") + 1, error=error, paused_until=_later(), **NOT_STARTED):
        return
    job.refresh_from_db()
    if job.failures >= ATTEMPTS:
        close(job, Job.State.FAILED, error)
        return
    until = timezone.now() + timedelta(seconds=min(FIRST_PAUSE * 2 ** (job.failures - 1), LONGEST_PAUSE))
    workable.update(paused_until=until)
    OpenJob.objects.filter(job_id=job.pk).update(trouble=error, wake_at=until)


# --- The bell: what people do rings by accounts.bell, once it is committed; workers and beat ring here ---
def ring(schema: str, job_id: UUID) -> None:
    """Ask for a slice of work; raises kombu's OperationalError. If nobody hears it, beat rings again."""
    current_app.send_task(TASK, args=[schema, str(job_id)])


def ring_all(schema: str, job_id: UUID) -> None:
    """Ask for as many slices side by side as a job may have; each rings for its next."""
    for _number in range(settings.JOB_SLICES_AT_ONCE):
        ring(schema, job_id)


def _ring_after_commit(customer: Customer, job: Job) -> None:
    bell.ring_after_commit(TASK, customer.schema_name, str(job.pk), times=settings.JOB_SLICES_AT_ONCE)


def ring_stalled() -> int:
    """Ring for every job from which nothing was heard for too long; returns for how many. Starts in `public`.

    No customer's schema is entered: one that is broken, and thousands at rest, make no difference.
    """
    with transaction.atomic():
        # A row that somebody holds is being worked on. Of two beats one rings.
        stalled = list(
            OpenJob.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(state__in=Job.WORKABLE, wake_at__lt=timezone.now())
            .select_related("customer")
            .order_by("wake_at")[:STALLED_AT_ONCE]
        )
        OpenJob.objects.filter(pk__in=[job.pk for job in stalled]).update(wake_at=_later())
    for job in stalled:
        ring_all(job.customer.schema_name, job.job_id)
    return len(stalled)


# --- Looking ---
def job_for(by: Actor, customer: Customer, pk: UUID) -> Job:
    """The one door to a job. Raises NoSuchJob, also for another customer's; tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    with tenant_context(customer):
        job = Job.objects.select_related("mailbox").filter(pk=pk).first()
    if job is None:
        raise errors.NoSuchJob
    return job


def jobs_of(customer: Customer, mailbox: Mailbox, *, by: Actor) -> list[Job]:
    """Its jobs, the live ones first, then the newest. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    with tenant_context(customer):
        jobs = list(mailbox.jobs.order_by("-created_at")[:20])
    return sorted(jobs, key=lambda job: not job.is_live)


def unsettled(jobs: list[Job]) -> Job | None:
    """Of what jobs_of gave, the one that a mailbox's page shows: one that goes on, or else the last if it failed."""
    return next((job for job in jobs[:1] if job.state != Job.State.DONE), None)


def right_to_retry(job: Job) -> access.Right:
    """Who may start such a job may let it go on."""
    return _RIGHTS[Job.Kind(job.kind)]


class Needs(StrEnum):
    """What a job needs to go on; templates ask by these words."""

    NOTHING = "nothing"  # it is over: done, or overtaken
    WORKERS = "workers"
    PATIENCE = "patience"  # it pauses after trouble; a person may end the pause
    RETRY = "retry"  # it failed, and a person may let it go on
    PASSWORD = "password"  # noqa: S105 - the same, and the workers have no access to the earlier keys any more


def needs(job: Job) -> Needs:
    """What it takes for the job to go on, as of the row at hand."""
    if job.state == Job.State.DONE or job.mailbox_id is None or job.error in Job.OVERTAKEN:
        return Needs.NOTHING
    if job.state in Job.WORKABLE:
        return Needs.PATIENCE if job.failures else Needs.WORKERS
    return Needs.PASSWORD if job.kind == Job.Kind.REENCRYPTION else Needs.RETRY


def may_retry(job: Job) -> bool:
    """Whether a person can let it go on."""
    return needs(job) in (Needs.PATIENCE, Needs.RETRY, Needs.PASSWORD)
