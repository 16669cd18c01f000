"""Whether workers answer: each that takes a task up says so in PostgreSQL, at most once in INTERVAL.

Beat rings every few seconds, so silence means that workers, beat, or Redis between them, are away. Whoever empties
Redis changes nothing here.
"""

from datetime import datetime, timedelta
from typing import Any

from celery.signals import task_prerun
from django.db.models import Q
from django.utils import timezone
from django_tenants.utils import schema_context

from tenants.models import WorkerAnswer

INTERVAL = timedelta(seconds=10)
SILENT_AFTER = timedelta(seconds=60)  # a worker that is restarted, or busy with a long task, is not silent
ONLY = 1  # the primary key of the one row
# Of this process. Who starts everything after a night finds yesterday's answer, and today's workers still starting.
started_at = timezone.now()


@task_prerun.connect(dispatch_uid="a worker answers")
def note_answer(**_signal: Any) -> None:
    with schema_context("public"):
        now = timezone.now()
        stale = WorkerAnswer.objects.filter(~Q(at__range=(now - INTERVAL, now)), pk=ONLY)
        if not stale.update(at=now):
            WorkerAnswer.objects.bulk_create([WorkerAnswer(pk=ONLY, at=now)], ignore_conflicts=True)


def last_answer() -> datetime | None:
    """None: never yet."""
    with schema_context("public"):
        return WorkerAnswer.objects.values_list("at", flat=True).first()


def silent_since() -> datetime | None:
    """When the workers were last heard of, if this process has waited for longer than SILENT_AFTER since; else None."""
    heard = last_answer()
    return heard if heard and timezone.now() - max(heard, started_at) > SILENT_AFTER else None
