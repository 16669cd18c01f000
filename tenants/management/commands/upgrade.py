"""`manage.py upgrade`"""

import logging
import shutil
import sys
import time
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from psycopg.errors import InsufficientPrivilege

from tenants import upgrading
from tenants.management.output import ScriptableCommand, counted
from tenants.pooling import LockLost, ThroughAPooler
from tenants.starting import add_processes, refuse_wrong_setup
from tenants.upgrading.migrating import Outcome

log = logging.getLogger("tenants.upgrading")

FEW = 5  # migrations are named, more are counted


class Command(ScriptableCommand):
    help = (
        "Bring the database to this release: what all customers share, then each customer, while the release before serves "
        "on. Whatever ends it, run it again and it goes on; with nothing to do it takes a moment."
    )

    requires_system_checks = ()  # refuse_wrong_setup() runs those that matter, and tells them as the log is

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_processes(parser, settings.UPGRADE_PROCESSES)
        parser.add_argument(
            "--public",
            action="store_true",
            help="only what all customers share; for a role that owns that alone",
        )
        parser.add_argument(
            "--hold",
            type=_seconds,
            default=1.0,
            metavar="SECONDS",
            help="for how long a migration may keep mail waiting (%(default)g); more when nobody works",
        )
        parser.add_argument(
            "--no-wait",
            action="store_true",
            help="end with status 1 when another upgrade, or a backup, is at work",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_wrong_setup()
        progress = Bar() if sys.stderr.isatty() and settings.LOG_FORMAT == "text" else Lines()
        try:
            report = upgrading.upgrade(
                progress,
                by=options["processes"],
                hold=options["hold"],
                public_only=options["public"],
                wait=not options["no_wait"],
            )
        except upgrading.AnotherIsAtWork:
            raise CommandError("Another upgrade of this database, or a backup, is at work.") from None
        except (LockLost, ThroughAPooler, upgrading.WrongRole, upgrading.BeingRestored) as error:
            raise CommandError(str(error)) from error
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
            raise CommandError(upgrading.what_is_not_allowed(error)) from error
        except OperationalError as error:  # at its beginning or end, where no customer is to blame
            raise CommandError(f"The database is away: {str(error).splitlines()[0]}") from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Run it again, and it goes on.", returncode=130) from None
        facts = {
            "customers": report.customers,
            "upgraded": len(report.upgraded),
            "failed": [
                {"schema": each.schema, "trouble": each.trouble, "applied": each.applied}
                for each in report.failed.values()
            ],
            "seconds": round(report.seconds, 1),
        }
        done = counted(len(report.upgraded), "schema")
        if options["json"] or options["verbosity"]:
            something = report.upgraded or report.failed
            text = f"{done} upgraded in {report.seconds:.1f} s." if something else "Nothing to do."
            self.report(facts, as_json=options["json"], text=text)
        if report.failed:
            raise CommandError(
                "\n".join(
                    [
                        f"{counted(len(report.failed), 'schema')} could not be upgraded:",
                        *(f"  {each.schema}: {each.trouble}" for each in report.failed.values()),
                        "Mend that and run it again; what is done is not done twice.",
                    ]
                )
            )


class Lines:
    """A line of the log for each schema."""

    def __init__(self) -> None:
        self._count = self._of = 0

    def waiting(self) -> None:
        log.info("Another upgrade, or a backup, is at work. Waiting for its end.")

    def begun(self, left: int, customers: int) -> None:
        self._count, self._of = 0, left
        log.info("%d of %d customers are to be upgraded.", left, customers)

    def done(self, outcome: Outcome) -> None:
        self._count += bool(self._of)
        count = f"{self._count} of {self._of}: " if self._of else ""
        if outcome.trouble:
            log.error("%s%s could not be upgraded: %s", count, outcome.schema, outcome.trouble)
        else:
            applied = ", ".join(outcome.applied) or "nothing left to do"
            if len(outcome.applied) > FEW:
                applied = counted(len(outcome.applied), "migration")
            log.info("%s%s upgraded in %.1f s: %s", count, outcome.schema, outcome.seconds, applied)


class Bar(Lines):
    """The same on a terminal: one line that fills, and a line for each that failed."""

    def begun(self, left: int, customers: int) -> None:
        self._count, self._of = 0, left
        self._began = time.monotonic()
        self._draw("")

    def done(self, outcome: Outcome) -> None:
        if not self._of or outcome.trouble:
            self._erase()
            super().done(outcome)
        else:
            self._count += 1
        if self._of:
            self._draw(outcome.schema)
        if self._of and self._count == self._of:
            self._erase()

    def _draw(self, schema: str) -> None:
        columns = shutil.get_terminal_size().columns
        spent = time.monotonic() - self._began
        left = f"{spent / self._count * (self._of - self._count):.0f} s left" if self._count else ""
        filled = 30 * self._count // self._of
        line = f"[{'#' * filled}{'.' * (30 - filled)}] {self._count} of {self._of}  {left}  {schema}"
        sys.stderr.write(f"\r{line[: columns - 1]:<{columns - 1}}")
        sys.stderr.flush()

    def _erase(self) -> None:
        sys.stderr.write(f"\r{'':<{shutil.get_terminal_size().columns - 1}}\r")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise ArgumentTypeError(f"{text!r} is no number of seconds up to an hour")
    return seconds
