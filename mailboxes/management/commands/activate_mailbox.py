"""`manage.py activate_mailbox acme mbx-…@gateway.localhost`"""

from typing import Any

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.management.output import MailboxCommand


class Command(MailboxCommand):
    help = "Let a suspended mailbox take mail again."

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            customer, mailbox = self.named(options)
            mailbox = services.activate_mailbox(customer, mailbox, by=SYSTEM)
        facts = {"address": mailbox.address, "status": mailbox.status}
        self.report(facts, as_json=options["json"], text=f"{mailbox.name} is active.")
