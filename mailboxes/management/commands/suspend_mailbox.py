"""`manage.py suspend_mailbox acme mbx-…@gateway.localhost --reason "moved to Exchange Online"`"""

from typing import Any

from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.management.output import MailboxCommand


class Command(MailboxCommand):
    help = (
        "Suspend a mailbox: new mail is put off (450), what waits can still be collected. "
        "Senders try again for one to five days only, then they give up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", metavar="TEXT", default="", help="why, for those who come later")

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            customer, mailbox = self.named(options)
            mailbox = services.suspend_mailbox(customer, mailbox, by=SYSTEM, reason=options["reason"])
        facts = {"address": mailbox.address, "status": mailbox.status}
        self.report(facts, as_json=options["json"], text=f"{mailbox.name} is suspended.")
