"""`manage.py give_up_customer acme`, with the short name once more on standard input"""

import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from tenants import schemas, services
from tenants.management.output import ScriptableCommand, counted


class Command(ScriptableCommand):
    help = (
        "Say that a customer whose schema is gone won't come back in its place. What is left of it goes: its host, its lines "
        "of the directory, its people's roles. Backups are whole again without it, and earlier ones, which have the last of "
        "it, are removed again as --keep says. Asks for the short name once more, on standard input (docs/operations.md)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", metavar="CUSTOMER", help="the customer's short name, such as acme")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        with self.errors_as_one_line():
            customer = services.customer_by_slug(slug, by=SYSTEM)
            # Whose customer is alive has mistyped the name, and is frightened by no question.
            schemas.require_gone(customer.schema_name, slug=slug)
            schemas.require_room(customer.schema_name, slug=slug)
            self.stderr.write(
                f"Once you confirm, mail to the addresses of {slug} is refused for good (550), and senders bounce it. To bring it back "
                f"instead, give nothing up: `manage.py restore PLACE --customer {slug}`. Meanwhile senders keep its mail."
            )
            if _typed(f"This can't be taken back. Type {slug} to give it up: ") != slug:
                raise CommandError("Nothing was done: what was typed is not the short name.")
            given_up = services.give_up_customer(customer, by=SYSTEM)
        self.report(
            {"customer": slug, **asdict(given_up)},
            as_json=options["json"],
            text=f"{slug} is given up: {counted(given_up.mailboxes, 'line')} of the directory and "
            f"{counted(given_up.people, 'role')} went with it. Its sealed messages stay below {given_up.folder} of the "
            "message store, and `manage.py check_store` names them.",
        )


def _typed(question: str) -> str:
    """At a terminal it is asked for; a script sends it."""
    if sys.stdin.isatty():
        sys.stderr.write(question)
        sys.stderr.flush()
    return sys.stdin.readline().strip()
