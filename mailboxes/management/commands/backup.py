"""`manage.py backup s3://bucket/prefix --keep 14`"""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes.backup import Made, back_up
from mailboxes.management.backups import BackupCommand, megabytes
from tenants.management.output import counted


class Command(BackupCommand):
    help = (
        "Take a backup of everything while everything works. It is sealed to GATEHOUSE_RECOVERY_PUBLIC_KEY, and read back "
        "(docs/operations.md). May be killed and repeated at any time: without its end it is no backup. Ends with status 1 "
        "when messages could not be read in the store that nobody knew of, when a customer's schema is gone or can't be saved or its "
        "customer is gone, or when something is in the database that no restore would bring."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--keep",
            type=int,
            metavar="N",
            help="afterwards remove all but the N newest backups of this place",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["keep"] is not None and options["keep"] < 1:
            raise CommandError("--keep takes a number from 1 up.")
        with self.errors_as_one_line():
            made = back_up(options["place"], by=SYSTEM, keep=options["keep"], tell=self.telling(options))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(made)))
        else:
            self._say(made)
        if made.without_schema:
            raise CommandError(
                f"{counted(len(made.without_schema), 'customer')} without a schema in the database, and so in no backup from "
                f"now on: {', '.join(made.without_schema)}. All others are in this one; no earlier one is removed meanwhile. "
                "Bring each from an earlier one (docs/operations.md), or say that it is gone: manage.py give_up_customer."
            )
        if made.without_customer:
            raise CommandError(
                f"{counted(len(made.without_customer), 'schema')} with mail and without a customer, and so in no backup from now "
                f"on: {', '.join(made.without_customer)}. All customers are in this one; no earlier one is removed meanwhile. "
                "See docs/operations.md, A customer whose row is gone."
            )
        if made.left_out:
            slugs = ", ".join(one["customer"] for one in made.left_out)
            raise CommandError(
                f"{counted(len(made.left_out), 'customer')} left out, whose rows can't be saved: {slugs}. All others are in this "
                "backup; no earlier one is removed meanwhile (docs/operations.md)."
            )
        if made.not_ours or made.wrong:
            raise CommandError(
                "There is something in the database that no restore would bring. No earlier backup is removed until it is put "
                "right (docs/operations.md)."
            )
        if len(made.missing) > made.known_missing:
            raise CommandError(
                f"{counted(len(made.missing), 'message')} can't be read in the store, and so are in no backup from now on: "
                "see manage.py check_store."
            )

    def _say(self, made: Made) -> None:
        for name in made.missing:
            self.say(f"MISSING     {name}")
        for slug in made.without_schema:
            self.say(f"NO SCHEMA   {slug}")
        for schema in made.without_customer:
            self.say(f"NO CUSTOMER {schema}")
        for one in made.left_out:
            self.say(f"LEFT OUT    {one['customer']}: {one['why']}")
        self.say_strange(made)
        for name in made.without:
            self.say(f"WITHOUT     {name}, which this process does not have: keep it elsewhere.")
        if made.ended_well and not made.noted:
            self.say(
                "NOT NOTED   This role may not write to the database, so manage.py doctor does not know of this."
            )
        self.say(
            f"{made.name}: {counted(made.customers, 'customer')}, {counted(made.messages, 'message')}, "
            f"{megabytes(made.octets)}; {counted(made.copied, 'message')} of these copied now, {megabytes(made.copied_octets)}."
        )
        if made.removed_sets or made.removed_messages:
            self.say(
                f"{counted(len(made.removed_sets), 'earlier backup')} removed, and {counted(made.removed_messages, 'message')}."
            )
