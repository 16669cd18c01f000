"""`manage.py demo`: what `make run` starts."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.onebox.supervisor.run import run


class Command(BaseCommand):
    help = "Run everything on this machine: embedded PostgreSQL and Redis, demo data, web, worker, beat, gateway."
    # The secrets that the checks ask for are only about to be made; the supervisor runs them as a step of its own.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(run())
