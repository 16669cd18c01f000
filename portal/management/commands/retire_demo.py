from typing import Any

from accounts.actors import SYSTEM
from portal.onebox import demo
from tenants.management.output import OneLineCommand
from tenants.services import switch_off


class Command(OneLineCommand):
    help = "Switch the demo's people off, for a trial whose database goes into use. Their customers and mail stay."

    def handle(self, *args: Any, **options: Any) -> None:
        for user in demo.people():
            switch_off(user, by=SYSTEM)
            self.stdout.write(f"{user.email} is switched off.")
        self.stdout.write("\n".join(["None of the demo's people can sign in any more.", *demo.WAYS_IN]))
