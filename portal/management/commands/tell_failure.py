"""`manage.py tell_failure`"""

import logging
import socket
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.management.base import BaseCommand, CommandError, CommandParser

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Tell that a unit failed, in the log and by mail to GATEHOUSE_ALARMS_TO: gatehouse-failed@.service does. "
        "It asks no database, which may be what failed."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("unit", help="such as gatehouse-backup.service")

    def handle(self, *args: Any, unit: str, **options: Any) -> None:
        log.critical("a unit failed unit=%s", unit)
        if not settings.ALARMS_TO:
            self.stderr.write("Nobody is told by mail: set GATEHOUSE_ALARMS_TO.")
            return
        mail = EmailMessage(
            f"Gatehouse: {unit} failed on {socket.gethostname()}",
            f"{unit}, of the portal at {settings.BASE_DOMAIN}, has failed. There\n\n"
            f"    journalctl --unit {unit} --lines 50\n\n"
            "says why, and docs/operations.md what to do: At three in the morning.\n",
            to=settings.ALARMS_TO,
        )
        try:
            mail.send()
        except (OSError, ValueError) as error:  # smtplib's and ssl's own are the former
            raise CommandError(f"The mail to GATEHOUSE_ALARMS_TO did not get out: {error}") from error
