"""`manage.py tell_failure`"""

import logging
import socket
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.doctor.parts import SMTP_BACKEND

log = logging.getLogger(__name__)

OF_SYSTEMD = (".service", ".timer", ".target")


class Command(BaseCommand):
    help = (
        "Tell that a unit failed, in the log and by mail to GATEHOUSE_ALARMS_TO: gatehouse-failed@.service does, and cron with "
        "Compose. It asks no database, which may be what failed. Ends with status 1 when nobody could be mailed."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("unit", help="such as gatehouse-backup.service")

    def handle(self, *args: Any, unit: str, **options: Any) -> None:
        log.critical("a unit failed unit=%s", unit)
        if not settings.ALARMS_TO:
            raise CommandError("Nobody is told by mail: set GATEHOUSE_ALARMS_TO.")
        if settings.EMAIL_BACKEND != SMTP_BACKEND:
            raise CommandError("Nobody is told by mail: there is no mail server. Set GATEHOUSE_SMTP_URL.")
        says_why = "What it printed says why,"
        if unit.endswith(OF_SYSTEMD):
            says_why = f"There\n\n    journalctl --unit {unit} --lines 50\n\nsays why,"
        mail = EmailMessage(
            f"Gatehouse: {unit} failed on {socket.gethostname()}",
            f"{unit}, of the portal at {settings.BASE_DOMAIN}, has failed. {says_why} and docs/operations.md what to do: "
            "At three in the morning.\n",
            to=settings.ALARMS_TO,
        )
        try:
            mail.send()
        except (OSError, ValueError) as error:  # smtplib's and ssl's own are the former
            raise CommandError(f"The mail to GATEHOUSE_ALARMS_TO did not get out: {error}") from error
