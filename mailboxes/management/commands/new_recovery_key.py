from typing import Any

from django.core.management.base import BaseCommand

from mailboxes.backup.keys import new_recovery_key


class Command(BaseCommand):
    help = (
        "Make the key pair of backups and print it, this once. What is sealed to the public half opens with the private one "
        "only, which is kept nowhere: write it down."
    )
    requires_system_checks = ()  # before there are settings

    def handle(self, *args: Any, **options: Any) -> None:
        public, private = new_recovery_key()
        self.stdout.write("# In the settings of the machine that takes backups:")
        self.stdout.write(f"GATEHOUSE_RECOVERY_PUBLIC_KEY={public}\n")
        self.stdout.write(
            "# On paper, twice, in two places, and on none of these machines. It is shown this once, and without it a backup "
            "is worth nothing:"
        )
        self.stdout.write(f"# {private}")
