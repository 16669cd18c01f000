import logging
import signal
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.errors import CannotServe
from gateway.renewal import copy_pair
from tenants.management.output import harmless

log = logging.getLogger("gateway.renewal")

LOOK_SECONDS = 10.0


class Command(BaseCommand):
    help = (
        "Copy the gateway's certificate and key from Caddy's storage. They become cert.pem and key.pem in a folder that the "
        "gateway reads. It needs neither database nor secrets."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "storage",
            type=Path,
            help="where Caddy keeps certificates/, such as /var/lib/caddy/.local/share/caddy",
        )
        parser.add_argument("folder", type=Path, help="where the pair goes, for the gateway's group to read")
        parser.add_argument(
            "--host", default=settings.MAIL_DOMAIN, help="whose certificate it is (here %(default)s)"
        )
        parser.add_argument(
            "--watch",
            action="store_true",
            help="go on, and copy whenever Caddy has renewed it, until SIGTERM",
        )

    def handle(self, *args: Any, storage: Path, folder: Path, host: str, watch: bool, **options: Any) -> None:
        if watch:
            self._watch(storage, host, folder)
            return
        try:
            copied = copy_pair(storage, host, folder)
        except (CannotServe, OSError) as error:
            raise CommandError(harmless(str(error))) from error
        if copied is None:
            raise CommandError(f"Caddy has no certificate of {host} below {storage} yet.")
        self.stdout.write(f"{host}: {'copied' if copied else 'up to date'}")

    def _watch(self, storage: Path, host: str, folder: Path) -> None:
        told_to_end = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told_to_end.set())
        told = ""
        while True:
            try:
                copied = copy_pair(storage, host, folder)
                state = "there is none yet" if copied is None else "copied" if copied else "up to date"
            except (CannotServe, OSError) as error:
                state = str(error)
            if state != told and not (told == "copied" and state == "up to date"):
                log.info("certificate of %s: %s", host, state)
            told = state
            if told_to_end.wait(LOOK_SECONDS):
                return
