"""`manage.py export_customer acme file:///mnt/acme`"""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes.backup import export_customer
from mailboxes.management.backups import BackupCommand, megabytes
from tenants.management.output import counted
from tenants.services import customer_by_slug


class Command(BackupCommand):
    help = (
        "Write one customer with its mail, for import_customer elsewhere: its mailboxes, keys and mail, a backup of one, "
        "sealed to GATEHOUSE_RECOVERY_PUBLIC_KEY, while everything works. Into a place of its own; repeated, it copies what is new."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's short name, such as acme")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            customer = customer_by_slug(options["customer"], by=SYSTEM)
            made = export_customer(options["place"], customer, by=SYSTEM, tell=self.telling(options))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(made)))
        else:
            for name in made.missing:
                self.say(f"MISSING     {name}")
            self.say_lacks(made.lacks)
            self.say(
                f"{made.name}: {customer.slug}, {counted(made.messages, 'message')}, {megabytes(made.octets)}; "
                f"{counted(made.copied, 'message')} of these copied now, {megabytes(made.copied_octets)}. "
                "Its people and its activity are not in it."
            )
        if made.wrong:
            raise CommandError("The export has something that no import would bring: see WRONG.")
        if len(made.missing) > made.known_missing:
            raise CommandError(f"{counted(len(made.missing), 'message')} can't be read in the store.")
