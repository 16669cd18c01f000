"""`manage.py unlock_mailbox acme mbx-…@gateway.localhost --password-stdin`"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.management.output import MailboxCommand, password_from_stdin


class Command(MailboxCommand):
    help = (
        "Bring locked mail back with an earlier password. Or let a re-encryption that waits for the password go on "
        "with the current one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from the first line (required)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["password_stdin"]:
            raise CommandError("Give the password on standard input, with --password-stdin.")
        password = password_from_stdin()
        with self.errors_as_one_line():
            customer, mailbox = self.named(options)
            job = services.unlock(customer, mailbox, password, by=SYSTEM)
        job_id = str(job.pk) if job else None
        self.report(
            {"address": mailbox.address, "job": job_id},
            as_json=options["json"],
            text=f"{mailbox.name} is unlocked." + (f"\nJob: {job_id}" if job_id else ""),
        )
