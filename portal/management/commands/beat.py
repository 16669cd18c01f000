from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from portal.celery import app
from portal.folders import private_dir


class Command(BaseCommand):
    help = (
        "Run beat, which rings for what has to be done from time to time. One is enough for an installation."
    )

    requires_system_checks = ()  # portal/celery.py runs them, with more

    def handle(self, *args: Any, **options: Any) -> None:
        private_dir(Path(settings.CELERY_BEAT_SCHEDULE_FILENAME).parent)
        # Without a file of its process id: whoever starts it knows that, and one that is left behind stops the next.
        app.start(["--quiet", "beat", "--pidfile", ""])
