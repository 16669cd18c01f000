"""`manage.py check_backup s3://bucket/prefix`"""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes.backup import verify_backup
from mailboxes.management.backups import BackupCommand
from tenants.management.output import counted


class Command(BackupCommand):
    help = (
        "Read all of a backup, and compare it with what was written; no key is needed. Ends with status 1 when something is "
        "missing or another."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--set", default="", metavar="NAME", help="another than the newest")

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            name, bad = verify_backup(
                options["place"], by=SYSTEM, name=options["set"], tell=self.telling(options)
            )
        if options["json"]:
            self.stdout.write(json.dumps({"name": name, "damaged": bad, "ok": not bad}))
        else:
            for what in bad:
                self.say(f"DAMAGED     {what}")
            self.say(f"{name}: {'DAMAGED' if bad else 'ok'}")
        if bad:
            raise CommandError(f"{counted(len(bad), 'file')} of {name} missing or not what was written.")
