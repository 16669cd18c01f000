"""How a job gets on, for people."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailboxes.models import Job
from mailboxes.services import jobs
from tenants.models import OpenJob

Trouble = OpenJob.Trouble

# What to do about it, by Job.error.
ADVICE: dict[str, Any] = {
    Trouble.STORE_FULL: gettext_lazy("Ask the platform's staff to free space there."),
    Trouble.STORE_FAILED: gettext_lazy(
        "Ask the platform's staff to look at the workers' log and at the disk."
    ),
    Trouble.DATABASE_FAILED: gettext_lazy("Ask the platform's staff to look at the workers' log."),
    Trouble.WORKER_KEY: gettext_lazy(
        "Ask the platform's staff to give the workers the GATEHOUSE_WORKER_KEY that belongs to the key of the web "
        "processes."
    ),
    Trouble.UNFORESEEN: gettext_lazy("Ask the platform's staff to look at the workers' log."),
    Trouble.UNREADABLE: gettext_lazy(
        "Everything else is done. Ask the platform's staff to run “manage.py check_store”, which names the files, and "
        "to restore them from a backup, then try again. Until then they stay as they are, under the earlier key."
    ),
    Trouble.NO_LOCK: gettext_lazy(
        "Type the mailbox's current password, and the job goes on where it stopped."
    ),
    Trouble.PASSWORD_LOST: gettext_lazy(
        "What was left is locked now; the earlier password unlocks it on the mailbox's page."
    ),
    Trouble.MAILBOX_DELETED: gettext_lazy("There is nothing to do."),
}

# Messages a second. Below it, nobody can tell a slow job from one whose next messages are only late.
SLOWEST_RATE = 0.1

# These may pass by themselves; the job is tried again until somebody has to look after it.
PASSING = {
    Trouble.STORE_FULL,
    Trouble.STORE_FAILED,
    Trouble.DATABASE_FAILED,
    Trouble.WORKER_KEY,
    Trouble.UNFORESEEN,
}


@dataclass(frozen=True)
class Progress:
    """How a job gets on, in words and numbers for people.

    `rate` is in messages a second; None when none can be told. With `next_try_at` the job is paused until then.
    `unreadable` counts the messages at which it stopped because they can't be read.
    """

    job: Job
    state: str
    done: int
    total: int
    percent: int
    rate: float | None
    seconds_left: int | None
    trouble: str
    advice: str
    next_try_at: datetime | None
    needs: jobs.Needs
    may_retry: bool
    unreadable: int

    @property
    def needs_password(self) -> bool:
        return self.needs is jobs.Needs.PASSWORD


def progress(job: Job) -> Progress:
    """How the job gets on, as of the row at hand."""
    trouble = str(dict(Trouble.choices).get(job.error, ""))
    advice = str(ADVICE.get(job.error, ""))
    unreadable = max(0, job.total - job.done) if job.error == Trouble.UNREADABLE else 0
    if unreadable:
        trouble = ngettext(
            "%(left)s message can't be read: its file is missing or was altered.",
            "%(left)s messages can't be read: their files are missing or were altered.",
            unreadable,
        ) % {"left": number_format(unreadable)}
    if job.error in PASSING:
        advice += " " + (
            _("Nothing is lost; the job goes on by itself.")
            if job.state in Job.WORKABLE
            else _("Nothing is lost; when that is done, try again.")
        )
    rate = _rate(job)
    next_try_at = job.paused_until if job.state in Job.WORKABLE else None
    return Progress(
        job=job,
        state=_("Paused") if next_try_at else job.get_state_display(),
        done=job.done,
        total=job.total,
        percent=100 if job.state == Job.State.DONE else _percent(job),
        rate=rate,
        seconds_left=ceil((job.total - job.done) / rate) if rate else None,
        trouble=trouble,
        advice=advice,
        next_try_at=next_try_at,
        needs=jobs.needs(job),
        may_retry=jobs.may_retry(job),
        unreadable=unreadable,
    )


def _rate(job: Job) -> float | None:
    if job.state != Job.State.RUNNING or job.started_at is None or job.done_at_start is None:
        return None
    seconds = (timezone.now() - job.started_at).total_seconds()
    rate = (job.done - job.done_at_start) / max(seconds, 1)
    return rate if rate >= SLOWEST_RATE else None


def _percent(job: Job) -> int:
    return min(99, job.done * 100 // job.total) if job.total else 0
