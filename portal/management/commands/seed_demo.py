from typing import Any

from django.core.management.base import CommandError

from portal.onebox import demo
from tenants.management.output import OneLineCommand


class Command(OneLineCommand):
    help = "Make what is missing of the demo: people, customers, mailboxes and mail. `demo` calls it."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo.ensure()
        except demo.NotHere as error:
            raise CommandError(str(error)) from None
