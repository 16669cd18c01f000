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
        unread = len(made.missing) if len(made.missing) > made.known_missing else 0
        troubles = [
            *_if_any(len(made.without_schema), "customer", " without a schema"),
            *_if_any(len(made.without_customer), "schema", " without a customer"),
            *_if_any(len(made.left_out), "customer", " left out"),
            *_if_any(len(made.not_ours) + len(made.wrong), "thing", " that no restore would bring"),
            *_if_any(unread, "message", " that the store can't give"),
        ]
        if troubles:
            raise CommandError(
                f"The backup was taken, and not all is well: {', '.join(troubles)}. See what it said above and docs/operations.md."
                + ("" if made.brings_all_back else " No earlier backup is removed meanwhile.")
            )

    def _say(self, made: Made) -> None:
        for name in made.missing:
            self.say(f"MISSING     {name}")
        self.say_lacks(made.lacks)
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


def _if_any(number: int, what: str, which: str) -> list[str]:
    return [counted(number, what) + which] if number else []
