"""`manage.py let_in owner@northwind.example --remove-second-factor`"""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from tenants import services
from tenants.management.output import ScriptableCommand

HOUR = 3600  # seconds


class Command(ScriptableCommand):
    help = (
        "The way back in for who is locked out: prints a link that sets a new password, this once. "
        "Whoever has the link has the account, so hand it over in a way that only that person reads."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument(
            "--remove-second-factor",
            action="store_true",
            help="also remove the person's authenticator app, passkeys and recovery codes",
        )
        parser.add_argument(
            "--owner-of", metavar="PROVIDER", help="also make the person an owner of this provider"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["owner_of"]
        with self.errors_as_one_line():
            provider = None if slug is None else services.provider_by_slug(slug, by=SYSTEM)
            way = services.let_in(
                options["email"],
                remove_second_factor=options["remove_second_factor"],
                owner_of=provider,
                by=SYSTEM,
            )
        hours = settings.PASSWORD_RESET_TIMEOUT / HOUR
        within = "an hour" if hours == 1 else f"{hours:g} hours"
        lines = [f"Set a new password here, once, within {within}:"]
        lines.append(way.link)
        if options["remove_second_factor"]:
            lines.append(
                "Second factor removed." if way.factors_removed else "There was no second factor to remove."
            )
        if provider:
            lines.append(f"{way.user.email} is an owner of {provider.slug}.")
        self.report(
            {
                "email": way.user.email,
                "link": way.link,
                "second_factors_removed": way.factors_removed,
                "owner_of": provider.slug if provider else None,
            },
            as_json=options["json"],
            text="\n".join(lines),
        )
