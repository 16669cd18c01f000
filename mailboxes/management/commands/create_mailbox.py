import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mailboxes import services
from mailboxes.errors import MailboxError
from tenants.models import Customer


class Command(BaseCommand):
    help = "Create a mailbox. Its password is printed this once and stored nowhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's slug, such as acme")
        parser.add_argument("name", metavar="NAME", help='such as "Office 365 Journal"')
        parser.add_argument("--description", metavar="TEXT", default="")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            customer = Customer.objects.get(slug=options["customer"])
            mailbox, password = services.create_mailbox(
                customer, name=options["name"], description=options["description"]
            )
        except Customer.DoesNotExist:
            raise CommandError(f"There is no customer {options['customer']!r}.") from None
        except MailboxError as error:
            raise CommandError(error.message) from None
        made = {
            "id": str(mailbox.pk),
            "address": mailbox.address,
            "password": password.reveal(),
        }
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        self.stdout.write(f"{mailbox.name}: {made['address']}\nPassword: {made['password']}")
        self.stdout.write("Keep it safe: it is shown this once, and nobody can recover it.")
