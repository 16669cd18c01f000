"""`manage.py reset_mailbox_password acme mbx-…@gateway.localhost --current-password-stdin --json`"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.errors import LockedMailUndecided
from mailboxes.management.output import MailboxCommand, password_from_stdin


class Command(MailboxCommand):
    help = (
        "Give a mailbox another password. It is printed this once and stored nowhere. With the current one all "
        "waiting mail stays readable; without it, --locked-mail says what becomes of that mail."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--current-password-stdin",
            action="store_true",
            help="read the current password from the first line",
        )
        parser.add_argument(
            "--locked-mail",
            choices=["keep", "delete"],
            default="",
            help="without the current password: keep waiting mail locked until unlock_mailbox, or delete it for good",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["current_password_stdin"] and options["locked_mail"]:
            raise CommandError("With the current password no mail is locked; leave --locked-mail out.")
        current = password_from_stdin() if options["current_password_stdin"] else ""
        with self.errors_as_one_line():
            customer, mailbox = self.named(options)
            try:
                password, job = services.reset_password(
                    customer, mailbox, by=SYSTEM, current_password=current, locked_mail=options["locked_mail"]
                )
            except LockedMailUndecided as error:
                raise CommandError(
                    f"{error.message} Use --locked-mail keep, --locked-mail delete or, if you have the password, "
                    "--current-password-stdin."
                ) from error
        job_id = str(job.pk) if job else None
        self.report(
            {"address": mailbox.address, "password": password.reveal(), "job": job_id},
            as_json=options["json"],
            text=f"{mailbox.name}: {mailbox.address}\nPassword: {password.reveal()}\n"
            "Keep it safe: it is shown this once, and nobody can recover it."
            + (f"\nJob: {job_id}" if job_id else ""),
        )
