import base64
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mailboxes.services import worker_keys
from mailboxes.vault import BadKey


class Command(BaseCommand):
    help = (
        "Print the public half of GATEHOUSE_WORKER_KEY, in base64. Web and gateway processes that get it as "
        "GATEHOUSE_WORKER_PUBLIC_KEY need not have the private half."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self.stdout.write(base64.b64encode(worker_keys.private_key().public).decode())
        except BadKey:
            raise CommandError("Set GATEHOUSE_WORKER_KEY first.") from None
