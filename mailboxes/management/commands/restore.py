"""`manage.py restore s3://bucket/prefix`, with the recovery key on standard input"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes.backup import Restored, restore, write_secrets
from mailboxes.management.backups import OPTIONS, OneCustomerCommand, megabytes, recovery_key_from_stdin
from tenants.management.output import counted


class Command(OneCustomerCommand):
    help = (
        "Bring back an installation from a backup, or one customer of it. The whole goes onto a database and a message store "
        "that are empty, and both are compared afterwards; one customer (--customer) beside those that are there. Asks for "
        "the recovery key on standard input. May be killed and repeated (docs/operations.md)."
    )
    ONLY = "with --customer: "

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--customer", default="", metavar="SLUG", help="only this one, beside whatever is there"
        )
        parser.add_argument(
            "--secrets-to",
            metavar="FILE",
            help="only write the secrets of the backup to this new file, as lines for the environment",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["customer"] and options["secrets_to"]:
            raise CommandError("--secrets-to goes without --customer: the secrets are the installation's.")
        if options["customer"]:
            self.bring(options["customer"], options)
            return
        if given := [option for name, option in OPTIONS.items() if options[name]]:
            raise CommandError(f"{given[0]} goes with --customer only.")
        file = Path(options["secrets_to"]) if options["secrets_to"] else None
        if file and (file.exists() or not file.parent.is_dir()):
            why = "it is there already" if file.exists() else f"there is no folder {file.parent}"
            raise CommandError(f"{file} can't be made: {why}.")
        self.look_first(options, whole=not file)
        if not file:
            self.look_at_the_store()
        key = recovery_key_from_stdin()
        with self.errors_as_one_line():
            if file:
                names = write_secrets(options["place"], key, file, by=SYSTEM, name=options["set"])
                self.report({"written": names}, as_json=options["json"], text=f"Written: {', '.join(names)}.")
                return
            done = restore(options["place"], key, by=SYSTEM, name=options["set"], tell=self.telling(options))
        if options["json"]:
            self.stdout.write(json.dumps(asdict(done)))
        else:
            self.tell_all(done)
        self._require_whole(done)

    def _require_whole(self, done: Restored) -> None:
        """Raises CommandError."""
        if done.not_brought:
            raise CommandError(
                f"{counted(len(done.not_brought), 'customer')} not brought, and all others are there: an earlier backup may have "
                "other rows (restore PLACE --customer SLUG --set NAME)."
            )
        if done.missing:
            raise CommandError(f"{counted(len(done.missing), 'message')} of the backup missing or altered.")
        if done.rows_left_out:
            raise CommandError(
                f"{counted(sum(out.rows for out in done.rows_left_out.values()), 'row')} left out: see the lines above. Keep "
                "this backup, for no later one has them."
            )
        if done.without_rows:
            raise CommandError(
                f"{counted(sum(done.without_rows.values()), 'message')} of the backup without a row."
            )
        self.require_locks(sum(done.without_locks.values()))
        self.require_nothing_strange(done.strange)
        self.require_nothing_lacked(done.lacked)

    def tell_all(self, done: Restored) -> None:
        for name in done.missing:
            self.say(f"MISSING     {name}")
        self.say(
            f"{done.name}, taken {done.made_at}: {counted(done.customers, 'customer')}, "
            f"{counted(done.messages, 'message')}, {megabytes(done.octets)}."
        )
        for one in done.not_brought:
            self.say(f"NOT BROUGHT {one['customer']}: {one['why']}")
        self.say_not_ours(done.not_ours)
        self.say_lacked(done.lacked, done.not_ours)
        for table, out in done.rows_left_out.items():
            some = ", ".join(map(repr, out.names))
            self.say(
                f"ROWS OUT    {out.rows} of {table} ({some}): they fit no table of a release, or belong to a row that doesn't"
            )
        for customer, number in done.without_rows.items():
            self.say(
                f"NO ROW      {customer}: {counted(number, 'message')} of the backup that nothing tells of"
            )
        for customer, number in done.without_locks.items():
            self.say_without_locks(customer, number)
        for act in done.deleted_since:
            self.say(f"DELETED     {act['mailbox']!r} of {act['customer']} since, on {act['at']}: it is back")
        if done.since_is_unknown:
            self.say(f"UNKNOWN     what was deleted since: {done.since_is_unknown}")
        self.say(
            "What came or was done after that time is not in it: mail, new mailboxes and passwords, and deletions, too. "
            "Mailboxes that were deleted since are back. Everybody signs in once more."
        )
        try:
            call_command("check_store", stdout=self.stdout, stderr=self.stderr)
        except CommandError as error:
            if not (done.not_brought or done.lacked):
                raise
            self.say(str(error))
