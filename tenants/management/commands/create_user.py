"""`manage.py create_user operator@northwind.example --provider northwind --role operator`"""

import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from tenants import services
from tenants.errors import InvalidRole
from tenants.management.output import ScriptableCommand
from tenants.models import Membership

STAFF = "staff"  # what --role may say with --staff: there are no roles among platform staff


class Command(ScriptableCommand):
    help = (
        "Create a person with a role at a provider or customer, or platform staff. "
        "Without --password-stdin a random password is printed, this once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email", metavar="EMAIL")
        place = parser.add_mutually_exclusive_group(required=True)
        place.add_argument(
            "--provider", metavar="SLUG", help="short name of the provider where the person works"
        )
        place.add_argument(
            "--customer", metavar="SLUG", help="short name of the customer where the person works"
        )
        place.add_argument(
            "--staff", action="store_true", help="platform staff: the administration, no console"
        )
        parser.add_argument(
            "--role",
            help=f"at a provider one of {', '.join(Membership.PROVIDER_ROLES)}; "
            f"at a customer one of {', '.join(Membership.CUSTOMER_ROLES)}",
        )
        parser.add_argument("--name", default="", help="the person's name")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from the first line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        role, staff = options["role"], options["staff"]
        if staff and role not in (None, STAFF):
            raise CommandError("Platform staff has no role; leave --role out.")
        if not staff and not role:
            raise CommandError("Say with --role what the person may do there.")
        password = _password_from_stdin() if options["password_stdin"] else None
        with self.errors_as_one_line():
            provider = (
                None
                if options["provider"] is None
                else services.provider_by_slug(options["provider"], by=SYSTEM)
            )
            customer = (
                None
                if options["customer"] is None
                else services.customer_by_slug(options["customer"], by=SYSTEM)
            )
            try:
                user, generated = services.create_member(
                    options["email"],
                    role="" if staff else role,
                    provider=provider,
                    customer=customer,
                    staff=staff,
                    name=options["name"],
                    password=password,
                    by=SYSTEM,
                )
            except InvalidRole as error:
                raise CommandError(
                    f"“{role}” is no role there. Choose one of: {error.details['codes']}."
                ) from error
        self.report(
            {
                "email": user.email,
                "role": STAFF if staff else role,
                "provider": provider.slug if provider else None,
                "customer": customer.slug if customer else None,
                "password": generated,
            },
            as_json=options["json"],
            text=f"{user.email} created." + (f" Password, shown this once: {generated}" if generated else ""),
        )


def _password_from_stdin() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("No password came on standard input.")
    return password
