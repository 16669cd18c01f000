from typing import Any

from django.core.management.base import BaseCommand

from accounts.actors import SYSTEM
from portal.onebox import demo
from tenants.services import switch_off


class Command(BaseCommand):
    help = "Switch the demo's people off, for a trial whose database goes into use. Their customers and mail stay."

    def handle(self, *args: Any, **options: Any) -> None:
        for user in demo.people():
            switch_off(user, by=SYSTEM)
            self.stdout.write(f"{user.email} is switched off.")
        self.stdout.write("\n".join(["None of the demo's people can sign in any more.", *demo.WAYS_IN]))
