"""`manage.py create_provider northwind --name "Northwind IT"`"""

from typing import Any

from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from tenants import services
from tenants.management.output import ScriptableCommand


class Command(ScriptableCommand):
    help = "Create a provider."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "slug", metavar="SLUG", help="short name: lower-case letters, digits, inner dashes"
        )
        parser.add_argument("--name", required=True, help='as people know it, such as "Northwind IT"')

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            provider = services.create_provider(options["slug"], options["name"], by=SYSTEM)
        self.report(
            {"slug": provider.slug, "name": provider.name},
            as_json=options["json"],
            text=f"Provider {provider.name} created.",
        )
