"""`manage.py make_busy_customers 1000`"""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes import measuring
from tenants.figures.keeping import KEPT_DAYS
from tenants.management.output import ScriptableCommand, counted
from tenants.measuring import NotForMeasuring

TOLD_EACH = 100


class Command(ScriptableCommand):
    help = (
        "Make customers with mailboxes and figures, to measure lists and charts. There is no mail behind the "
        "figures. Only where GATEHOUSE_MEASURING is set and nobody else has a mailbox. Give it a database of its own: what was "
        "made goes with that."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "number", metavar="N", type=int, help="how many there are to be; 1000 take some minutes"
        )
        parser.add_argument("--mailboxes", metavar="M", type=int, default=5, help="of each (default: 5)")
        parser.add_argument(
            "--days", metavar="D", type=int, default=90, help="of figures, up to yesterday (default: 90)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        number, mailboxes, days = options["number"], options["mailboxes"], options["days"]
        if min(number, mailboxes, days) < 1 or days > KEPT_DAYS:
            raise CommandError(f"Type numbers from 1 up, and at most {KEPT_DAYS} days.")

        def tell(so_far: int) -> None:
            if so_far % TOLD_EACH == 0 and not options["json"]:
                self.stdout.write(f"{so_far} …")

        try:
            with self.errors_as_one_line():
                measuring.make_busy_customers(number, mailboxes=mailboxes, days=days, by=SYSTEM, tell=tell)
        except NotForMeasuring as refused:
            raise CommandError(str(refused)) from None
        self.report(
            {"customers": number, "mailboxes": number * mailboxes, "days": days},
            as_json=options["json"],
            text=f"{counted(number, 'customer')}, mailboxes of each: {mailboxes}, days of figures: {days}.",
        )
