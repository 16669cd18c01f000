"""Settings of the workers that are broken here: quick to notice what stalled. Each test varies them by environment."""

import os
from copy import deepcopy
from pathlib import Path

from tests.breaking import disk
from tests.settings import *  # noqa: F403
from tests.settings import (
    CELERY_BEAT_SCHEDULE_FILENAME,
    CELERY_BROKER_TRANSPORT_OPTIONS,
    LOGGING,
    STORE_ROOT,
)

JOB_SLICE_SECONDS = float(os.environ.get("BREAKING_SLICE_SECONDS", "0.5"))
JOB_SILENCE_SECONDS = float(os.environ.get("BREAKING_SILENCE_SECONDS", "1.0"))
CELERY_BEAT_SCHEDULE_FILENAME = os.environ.get("BREAKING_BEAT_SCHEDULE", CELERY_BEAT_SCHEDULE_FILENAME)
CELERY_BEAT_SCHEDULE = {
    "ring stalled jobs": {
        "task": "mailboxes.tasks.ring_stalled_jobs",
        "schedule": float(os.environ.get("BREAKING_BEAT_SECONDS", "0.5")),
    },
}
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **CELERY_BROKER_TRANSPORT_OPTIONS,
    "visibility_timeout": float(os.environ.get("BREAKING_VISIBILITY_SECONDS", "30")),
    "unacked_restore_interval": 0.5,
}
LOGGING = deepcopy(LOGGING)
for name in ("celery.worker.strategy", "celery.app.trace"):  # the tests count tasks
    LOGGING["loggers"][name] = {"level": "INFO"}

disk.watch(Path(os.environ.get("BREAKING_DISK", STORE_ROOT)), dict(os.environ))
