"""`manage.py create_customer acme --provider northwind --name "Acme"`"""

from typing import Any

from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from tenants import services
from tenants.management.output import ScriptableCommand


class Command(ScriptableCommand):
    help = "Create a customer of a provider. It has a schema of its own, and the host SLUG.<base domain>."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", metavar="SLUG", help="short name and first label of the host")
        parser.add_argument("--provider", required=True, metavar="SLUG", help="the provider's short name")
        parser.add_argument("--name", required=True, help='as people know it, such as "Acme"')

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            provider = services.provider_by_slug(options["provider"], by=SYSTEM)
            customer = services.create_customer(
                options["slug"], options["name"], provider=provider, by=SYSTEM
            )
        self.report(
            {
                "id": str(customer.pk),
                "slug": customer.slug,
                "name": customer.name,
                "provider": provider.slug,
                "host": customer.host,
            },
            as_json=options["json"],
            text=f"Customer {customer.name} created: {customer.host}",
        )
