import os
import signal
import warnings
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from celery.signals import beat_embedded_init
from django.conf import settings
from django.core.management.base import BaseCommand

from accounts.children import die_with
from portal.celery import app
from portal.folders import private_dir
from tenants.starting import add_processes


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
        also = ["--beat"] if beat else []
        app.worker_main(["--quiet", "worker", "--loglevel", "INFO", "--concurrency", str(processes), *also])


def _end_beat_with_us() -> None:
    """Of a worker that is killed beat would go on, beside that of the next one; those who work see by themselves that it is gone."""
    ours = os.getpid()

    @beat_embedded_init.connect(weak=False)
    def end_with_us(**_more: Any) -> None:
        die_with(ours, signal.SIGTERM)
