"""`manage.py create_customer acme --provider northwind --name "Acme"`"""

from argparse import ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from tenants import services
from tenants.management.output import ScriptableCommand
from tenants.models import Customer
from tenants.sizes import parse_size

SIZES = (
    ("--waiting", "waiting_quota_octets", "limit for all waiting mail"),
    ("--mailbox-size", "mailbox_quota_octets", "limit for the waiting mail of each mailbox"),
    ("--message-size", "message_limit_octets", "limit for each message"),
)


class Command(ScriptableCommand):
    help = "Create a customer of a provider. It has a schema of its own, and the host SLUG.<base domain>."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", metavar="SLUG", help="short name and first label of the host")
        parser.add_argument("--provider", required=True, metavar="SLUG", help="the provider's short name")
        parser.add_argument("--name", required=True, help='as people know it, such as "Acme"')
        parser.add_argument("--language", metavar="CODE", help="of its new people and sheets, such as de")
        parser.add_argument("--time-zone", metavar="ZONE", help="of its new people, such as Europe/Berlin")
        parser.add_argument(
            "--group", metavar="TEXT", help="the provider's own, by which it sorts its customers"
        )
        parser.add_argument(
            "--tag", action="append", dest="tags", metavar="TEXT", help="likewise; may be repeated"
        )
        parser.add_argument(
            "--mailboxes", type=int, dest="mailbox_limit", metavar="N", help="that there may be"
        )
        for limit, name, of in SIZES:
            parser.add_argument(limit, type=_size, dest=name, metavar="SIZE", help=f"{of}, such as 10GB")
        parser.add_argument(
            "--network",
            action="append",
            dest="allowed_networks",
            metavar="NETWORK",
            help="from which alone mail is taken, such as 192.0.2.0/24; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            provider = services.provider_by_slug(options["provider"], by=SYSTEM)
            customer = services.create_customer(
                options["slug"], options["name"], provider=provider, by=SYSTEM, **_facts(options)
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


def _facts(options: dict[str, Any]) -> Any:
    """What was named; the rest is as for everybody."""
    return {name: options[name] for name in Customer.FACTS if options.get(name) is not None}


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValidationError as error:
        raise ArgumentTypeError(" ".join(error.messages)) from None
