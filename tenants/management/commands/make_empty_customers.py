"""`manage.py make_empty_customers 2000`, and `--remove`."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from tenants import measuring
from tenants.management.output import ScriptableCommand, counted

TOLD_EACH = 100


class Command(ScriptableCommand):
    help = (
        "Make empty customers, to measure what an installation bears. Or take them away again (--remove). Only where "
        "GATEHOUSE_MEASURING is set and nobody else has a mailbox."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("number", metavar="N", nargs="?", type=int, help="how many to add")
        what.add_argument(
            "--remove",
            action="store_true",
            help="take away all those that were made so and have neither had a mailbox nor have people",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        done = kept = 0

        def tell(so_far: int) -> None:
            nonlocal done
            done = so_far
            if so_far % TOLD_EACH == 0 and not options["json"]:
                self.stdout.write(f"{so_far} …")

        number = options["number"]
        if number is not None and number < 1:
            raise CommandError("Type a number from 1 up.")
        try:
            with self.errors_as_one_line():
                if options["remove"]:
                    kept = measuring.remove_empty_customers(by=SYSTEM, tell=tell)
                else:
                    measuring.make_empty_customers(number, by=SYSTEM, tell=tell)
        except measuring.NotForMeasuring as refused:
            raise CommandError(str(refused)) from None
        facts, text = {"made": done}, f"{counted(done, 'empty customer')} made."
        if options["remove"]:
            facts = {"removed": done, "kept": kept}
            text = f"{counted(done, 'empty customer')} removed." + (
                f" {kept} stayed: they have had mailboxes or have people." if kept else ""
            )
        self.report(facts, as_json=options["json"], text=text)
