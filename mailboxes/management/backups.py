"""What commands about backups have in common."""

import getpass
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError, CommandParser

from mailboxes.backup import Progress
from mailboxes.backup.errors import BackupError
from tenants.management.output import ScriptableCommand, counted

TELL_SECONDS = 2.0


class BackupCommand(ScriptableCommand):
    """Adds PLACE, and tells how far it is."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("place", metavar="PLACE", help="file:///folder or s3://bucket/prefix")

    @contextmanager
    def errors_as_one_line(self) -> Iterator[None]:
        with super().errors_as_one_line():
            try:
                yield
            except BackupError as error:
                raise CommandError(str(error)) from error

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


def megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB"


def recovery_key_from_stdin() -> str:
    """Its first line, or what is typed unseen at a terminal. Raises CommandError."""
    typed = getpass.getpass("Recovery key: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise CommandError("No recovery key came on standard input.")
    return typed
