"""What our commands have in common: one JSON object on demand, errors as one line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from accounts.errors import Refusal
from tenants.away import is_away
from tenants.pooling import LockLost
from tenants.whose import LesserOwner


def counted(number: int, one: str) -> str:
    """How many, as people say it: `1 message`, `2 messages`. Commands speak English only."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def harmless(text: str) -> str:
    """What others wrote, for a terminal: no character in it moves the cursor, begins a line or turns what follows around."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


class OneLineCommand(BaseCommand):
    """Ends in one line where the database is away: who reads a traceback at night looks for a fault of ours."""

    def execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except (Error, psycopg.Error) as error:
            if not is_away(error):
                raise
            raise CommandError(f"The database is away: {harmless(_first_line(error))}") from error


def _first_line(error: Exception) -> str:
    """What a database says in further lines quotes rows."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


class ScriptableCommand(OneLineCommand):
    """Adds --json and report(); a Refusal inside errors_as_one_line() ends the command with status 1, and so does what no
    terminal of today types.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")

    def execute(self, *args: Any, **options: Any) -> Any:
        for typed in options.values():
            # Python hides octets that are no UTF-8 in lone surrogates, which neither database nor terminal takes.
            if isinstance(typed, str) and typed.encode(errors="ignore").decode() != typed:
                raise CommandError("One of the arguments is not UTF-8.")
        return super().execute(*args, **options)

    def report(self, facts: dict[str, Any], *, as_json: bool, text: str) -> None:
        self.stdout.write(json.dumps(facts) if as_json else text)

    @contextmanager
    def errors_as_one_line(self) -> Iterator[None]:
        try:
            yield
        except Refusal as error:
            raise CommandError(error.message) from error
        except (LockLost, LesserOwner) as error:
            raise CommandError(harmless(str(error))) from error
