"""In the place of Django's own: nobody types somebody else's password."""

from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Refused here: `let_in EMAIL` prints a link with which the person sets a new password, and tells them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", nargs="?", metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> NoReturn:
        raise CommandError("Nobody sets somebody else's password. Use `manage.py let_in EMAIL`.")
