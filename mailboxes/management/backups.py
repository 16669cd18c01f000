"""What commands about backups have in common."""

import getpass
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from accounts.actors import SYSTEM
from mailboxes.backup import Brought, Progress, restore_customer
from mailboxes.backup.errors import BackupError, NoSuchBackup
from mailboxes.backup.place import WHOLE, Place
from mailboxes.backup.sets import find
from mailboxes.backup.tools import no_answer
from mailboxes.store import NoFolder, store
from tenants.management.output import ScriptableCommand, counted, harmless
from tenants.pooling import ThroughAPooler
from tenants.whose import LesserOwner

TELL_SECONDS = 2.0


class BackupCommand(ScriptableCommand):
    """Adds PLACE, and tells how far it is."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("place", metavar="PLACE", help="file:///folder or s3://bucket/prefix")

    def say(self, line: str) -> None:
        """What a backup or its place says is in it, so it is shown and not obeyed."""
        self.stdout.write(harmless(line))

    def look_first(self, options: dict[str, Any], *, whole: bool = False) -> None:
        """At what there is, before anybody is asked for a key that is on paper in a safe. Raises CommandError."""
        with self.errors_as_one_line():
            place = Place(options["place"])
            name, manifest = find(place, options["set"])
            if whole and manifest["format"] != WHOLE:
                raise NoSuchBackup(
                    f"{name} in {place.url} is an export of one customer, for manage.py import_customer."
                )

    def look_at_the_store(self) -> None:
        """Before a backup is read for long, whose mail could be put nowhere. Raises CommandError."""
        with self.errors_as_one_line():
            try:
                store().require_ready()
            except NoFolder as missing:
                raise CommandError(f"The message store: {missing}") from missing
            except OSError as error:
                raise CommandError(
                    f"The message store {error.filename} can't be used: {error.strerror}."
                ) from error

    def say_lacks(self, lacks: dict[str, list[Any]]) -> None:
        """What whoever takes a backup hears that no restore would bring, and whoever restores it hears again."""
        for slug in lacks.get("without_schema", []):
            self.say(f"NO SCHEMA   {slug}")
        for schema in lacks.get("without_customer", []):
            self.say(f"NO CUSTOMER {schema}")
        for one in lacks.get("left_out", []):
            self.say(f"LEFT OUT    {one['customer']}: {one['why']}")
        for what in lacks.get("not_ours", []):
            self.say(f"NOT OURS    {what}: no release has made it, and no restore brings it")
        for what in lacks.get("wrong", []):
            self.say(f"WRONG       {what}")

    @contextmanager
    def errors_as_one_line(self) -> Iterator[None]:
        with super().errors_as_one_line():
            try:
                yield
            except (BackupError, ThroughAPooler) as error:
                raise CommandError(harmless(str(error))) from error
            except LesserOwner:
                raise
            except DatabaseError as error:
                raise CommandError(harmless(no_answer(error))) from error

    def telling(self, options: dict[str, Any]) -> Callable[[Progress], None]:
        """Every few seconds, unless a script reads."""
        told = time.monotonic()

        def tell(progress: Progress) -> None:
            nonlocal told
            if not options["json"] and time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                of = (
                    f"{progress.customers_done} of {counted(progress.customers, 'customer')}, "
                    if progress.customers
                    else ""
                )
                self.stdout.write(
                    f"{progress.step}: {of}{counted(progress.copied, 'message')}, {megabytes(progress.copied_octets)}"
                )
                self.stdout.flush()

        return tell


class OneCustomerCommand(BackupCommand):
    """Adds how one customer is brought from a backup, and tells what came of it."""

    ONLY = ""  # of help: when these options count

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--set", default="", metavar="NAME", help="another than the newest")
        only = self.ONLY
        parser.add_argument(
            "--as", dest="as_slug", default="", metavar="NEW", help=f"{only}under this short name"
        )
        parser.add_argument(
            "--name",
            dest="as_name",
            default="",
            metavar="NAME",
            help=f"{only}what people call it, if not as before",
        )
        parser.add_argument(
            "--provider",
            default="",
            metavar="SLUG",
            help=f"{only}whose customer it becomes, if that can't be known",
        )
        parser.add_argument(
            "--active",
            action="store_true",
            help=f"{only}mailboxes that were active take mail at once; without it all are suspended",
        )
        parser.add_argument(
            "--with-deleted",
            action="store_true",
            help=f"{only}also the mailboxes that were deleted after the backup was taken",
        )
        parser.add_argument(
            "--despite-damage",
            action="store_true",
            help=f"{only}leave out messages that are missing or altered in the backup",
        )

    def bring(self, slug: str, options: dict[str, Any]) -> None:
        """Raises CommandError."""
        self.look_first(options)
        self.look_at_the_store()
        key = recovery_key_from_stdin()
        with self.errors_as_one_line():
            done = restore_customer(
                options["place"],
                key,
                slug,
                by=SYSTEM,
                name=options["set"],
                **{name: options[name] for name in OPTIONS},
                tell=self.telling(options),
            )
        if options["json"]:
            self.stdout.write(json.dumps(asdict(done)))
        else:
            self._say(done)
            call_command("check_store", done.customer, stdout=self.stdout, stderr=self.stderr)
        if done.missing:
            raise CommandError(f"{counted(len(done.missing), 'message')} of the backup missing or altered.")
        self.require_locks(done.without_locks)
        self.require_nothing_strange(len(done.not_ours))
        self.require_nothing_lacked(done.lacked)

    def say_not_ours(self, tables: list[str]) -> None:
        for table in tables:
            self.say(f"NOT OURS    {table}: a table that no release has made; its rows stay in the backup")

    def say_without_locks(self, customer: str, number: int) -> None:
        self.say(f"NO LOCK     {customer}: {counted(number, 'key')} of mailboxes that no password opens")

    def require_locks(self, number: int) -> None:
        """Raises CommandError."""
        if number:
            raise CommandError(
                f"{counted(number, 'key')} of mailboxes that no password opens: an earlier backup may have the "
                "locks (restore PLACE --customer SLUG --set NAME)."
            )

    def require_nothing_strange(self, number: int) -> None:
        """Raises CommandError."""
        if number:
            raise CommandError(
                f"{counted(number, 'thing')} that no release has made: see the lines above. Somebody may have moved rows there. "
                "Keep this backup, for no later one has them."
            )

    def say_lacked(self, lacked: dict[str, list[Any]], not_ours: list[str]) -> None:
        """Of a backup that was restored; without those tables that were `not_ours` in what it has."""
        self.say_lacks(
            {**lacked, "not_ours": [one for one in lacked.get("not_ours", []) if one not in not_ours]}
        )

    def require_nothing_lacked(self, lacked: dict[str, list[Any]]) -> None:
        """Raises CommandError."""
        if number := sum(map(len, lacked.values())):
            raise CommandError(
                f"{counted(number, 'thing')} that the backup lacks or a restore does not bring as it was, and said so when it "
                "was taken: see the lines above. An earlier one may have what is gone (restore PLACE --customer SLUG --set NAME)."
            )

    def _say(self, done: Brought) -> None:
        for name in done.missing:
            self.say(f"MISSING     {name}")
        self.say_not_ours(done.not_ours)
        self.say_lacked(done.lacked, done.not_ours)
        if done.without_locks:
            self.say_without_locks(done.customer, done.without_locks)
        for act in done.since:
            self.say(f"SINCE       {act['at']} {act['action']} {act['mailbox']!r}")
        for address in done.lost:
            self.say(
                f"LOST        {address}: made after the backup; its mail is refused for good from now on"
            )
        for box in done.left_out:
            self.say(f"LEFT OUT    {box['address']} {box['name']!r}: {LEFT_OUT[box['why']]}")
        for box in done.mailboxes:
            was = f", was {box['was']}" if box["was"] != box["address"] else ""
            self.say(f"MAILBOX     {box['address']} {box['name']!r}: {box['status']}{was}")
        if done.waiting_jobs:
            self.say(
                f"{counted(done.waiting_jobs, 'job')} under way then: each waits for its mailbox's password."
            )
        if not done.trail_is_known:
            self.say("What was done after the backup, deletions too, is not known here.")
        self.say(
            f"{done.customer} at {done.host}, of {done.provider}: {done.was} as of {done.made_at}, "
            f"{len(done.mailboxes)} mailbox{'' if len(done.mailboxes) == 1 else 'es'}, "
            f"{counted(done.messages, 'message')}, {megabytes(done.octets)}. Passwords are those of then; mail that was "
            "collected since is in it once more. "
            + (
                "Whoever had a role there has it still."
                if done.in_its_place
                else "Nobody but the provider's people has a role there."
            )
        )


LEFT_OUT = {
    "being-deleted": "it was being deleted, and its keys were gone",
    "deleted-since": "deleted since; --with-deleted brings it",
}
OPTIONS = {
    "as_slug": "--as",
    "as_name": "--name",
    "provider": "--provider",
    "active": "--active",
    "with_deleted": "--with-deleted",
    "despite_damage": "--despite-damage",
}


def megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB"


def recovery_key_from_stdin() -> str:
    """Its first line, or what is typed unseen at a terminal. Raises CommandError."""
    typed = getpass.getpass("Recovery key: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise CommandError("No recovery key came on standard input.")
    return typed
