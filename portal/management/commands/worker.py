import os
import signal
import sys
import warnings
from argparse import ArgumentParser
from contextlib import suppress
from logging import getLogger
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.platforms import EX_FAILURE
from celery.signals import beat_embedded_init, worker_init
from celery.worker import WorkController, state
from celery.worker.components import Beat
from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.children import die_with
from portal.celery import app
from portal.folders import private_dir
from tenants.starting import add_processes

LOOK_SECONDS = 1.0
log = getLogger(__name__)


class Command(BaseCommand):
    help = "Run a worker: jobs, mails to people, what beat rings for. SIGTERM ends it, slices that have begun first."

    requires_system_checks = ()  # portal/celery.py runs them, with more

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_processes(parser, settings.WORKER_PROCESSES)
        parser.add_argument(
            "--beat",
            action="store_true",
            help="be beat as well; for an installation whose only worker this is",
        )

    def handle(self, *args: Any, processes: int, beat: bool, **options: Any) -> None:
        # Because of pickle, which no worker of ours reads (CELERY_ACCEPT_CONTENT).
        warnings.filterwarnings("ignore", "You're running the worker with superuser privileges")
        if beat:
            private_dir(Path(settings.CELERY_BEAT_SCHEDULE_FILENAME).parent)
            _end_beat_with_us()
            app.steps["worker"].add(EndWithBeat)
        also = ["--beat"] if beat else []
        started: list[WorkController] = []
        worker_init.connect(lambda sender, **_more: started.append(sender), weak=False)
        app.worker_main(["--quiet", "worker", "--loglevel", "INFO", "--concurrency", str(processes), *also])
        # Which worker_main keeps to itself: one that can't go on would have ended well.
        sys.exit(started[0].exitcode if started else EX_FAILURE)


def _end_beat_with_us() -> None:
    """Of a worker that is killed beat would go on, beside that of the next one; those who work see by themselves that it is gone."""
    ours = os.getpid()

    @beat_embedded_init.connect(weak=False)
    def end_with_us(**_more: Any) -> None:
        die_with(ours, signal.SIGTERM)


class EndWithBeat(bootsteps.StartStopStep):
    """Celery starts beat once and never looks at it again, so a worker whose beat is gone would live on, and nothing ring."""

    requires = (Beat,)

    def register_with_event_loop(self, worker: WorkController, hub: Any) -> None:
        # Not by its sentinel, a pipe: the first that beat does is to close what it has inherited.
        hub.call_repeatedly(LOOK_SECONDS, self._look, worker.beat)

    @staticmethod
    def _look(beat: Any) -> None:
        if state.should_stop is not None or beat.is_alive():
            return
        code = beat.exitcode
        how = f"was killed by {_name_of(-code)}" if code < 0 else f"ended with status {code}"
        log.error(
            "beat within this worker is gone: it %s. The worker ends too, so that who starts it again starts both",
            how,
        )
        state.should_stop = EX_FAILURE  # what has begun ends first, as after SIGTERM


def _name_of(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"  # of those for real time, which have no names of their own
