"""`manage.py create_mailbox acme "Office 365 Journal" --json`"""

from typing import Any

from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import Mailbox
from tenants.management.output import ScriptableCommand
from tenants.services import customer_by_slug


class Command(ScriptableCommand):
    help = "Create a mailbox. Its password is printed this once and stored nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's short name, such as acme")
        parser.add_argument("name", metavar="NAME", help='such as "Office 365 Journal"')
        for detail in Mailbox.DETAILS:
            parser.add_argument(f"--{detail}", metavar="TEXT", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            customer = customer_by_slug(options["customer"], by=SYSTEM)
            mailbox, password = services.create_mailbox(
                customer, name=options["name"], by=SYSTEM, **{each: options[each] for each in Mailbox.DETAILS}
            )
        self.report(
            {"id": str(mailbox.pk), "address": mailbox.address, "password": password.reveal()},
            as_json=options["json"],
            text=f"{mailbox.name}: {mailbox.address}\nPassword: {password.reveal()}\n"
            "Keep it safe: it is shown this once, and nobody can recover it.",
        )
