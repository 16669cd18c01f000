"""`manage.py move_store file:///srv/gatehouse/store s3://bucket/prefix`"""

import json
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes.services.moving import Progress, move_store
from tenants.management.output import ScriptableCommand, counted

TELL_SECONDS = 2.0


class Command(ScriptableCommand):
    help = (
        "Move all messages from one store to another while mail comes and goes. First have every process know "
        "both (docs/settings.md, Moving the message store). May be stopped or killed, and repeated, at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", metavar="FROM", help="file:///folder or s3://bucket/prefix")
        parser.add_argument("target", metavar="TO", help="the other kind, or another place")

    def handle(self, *args: Any, **options: Any) -> None:
        self._told = 0.0
        with self.errors_as_one_line():
            moved = move_store(
                options["source"],
                options["target"],
                by=SYSTEM,
                tell=lambda progress: None if options["json"] else self._tell(progress),
            )
        facts = {
            "messages": moved.messages,
            "octets": moved.octets,
            "unnamed": moved.unnamed,
            "unreadable": moved.unreadable,
            "missing": moved.missing,
        }
        if options["json"]:
            self.stdout.write(json.dumps(facts))
        else:
            self._say(moved)
        if moved.missing:
            raise CommandError(
                f"{counted(moved.missing, 'message')} lie in neither place; check_store names them. See that "
                f"{options['source']} is the right place, mounted and whole, keep GATEHOUSE_STORE_OTHER_URL set, and repeat "
                "this."
            )
        if moved.unreadable:
            raise CommandError(
                f"{counted(len(moved.unreadable), 'message')} can't be read in {options['source']} and stay there."
            )

    def _tell(self, progress: Progress) -> None:
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self.stdout.write(
                f"{_moved(progress)}, {progress.customers_done} of {counted(progress.customers, 'customer')} done"
            )
            self.stdout.flush()

    def _say(self, moved: Progress) -> None:
        for name in moved.unreadable:
            self.stdout.write(f"UNREADABLE  {name}")
        self.stdout.write(f"{_moved(moved)}.")
        if moved.unnamed:
            self.stdout.write(
                f"{counted(moved.unnamed, 'file')} that no message names stay; the janitor removes what is a day old."
            )
        if not moved.unreadable and not moved.missing:
            self.stdout.write("Now unset GATEHOUSE_STORE_OTHER_URL and start all processes again.")


def _moved(progress: Progress) -> str:
    return f"{counted(progress.messages, 'message')} moved, {progress.octets / 1_000_000:.1f} MB"
