"""`manage.py prepare_demo`: what has to be up to date before the demo's processes start."""

import time
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.management import call_command

from tenants.management.output import OneLineCommand


class Command(OneLineCommand):
    # One process for all of it: each that starts Django anew costs a second or two, and the demo should start in few.
    help = (
        "Get the demo ready: check the settings, upgrade the database, collect static files, and seed it in its own "
        "database. `demo` calls it."
    )
    requires_system_checks = ()  # made below, with the database's own

    def handle(self, *args: Any, **options: Any) -> None:
        self._timed("Settings checked", "check", databases=["default"])
        self._timed("Database up to date", "upgrade", verbosity=0)
        if isinstance(staticfiles_storage, ManifestFilesMixin):  # pages name files by what was collected
            self._timed("Static files collected", "collectstatic", interactive=False, verbosity=0)
        if settings.DATABASE_IS_EMBEDDED:
            self._timed("Demo data in place", "seed_demo")

    def _timed(self, what: str, command: str, **options: Any) -> None:
        began = time.monotonic()
        call_command(command, **options)
        self.stdout.write(f"{what}: {time.monotonic() - began:.1f} s")
