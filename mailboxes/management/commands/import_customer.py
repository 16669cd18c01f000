"""`manage.py import_customer file:///mnt/acme --provider northwind`, with the recovery key on standard input"""

from typing import Any

from mailboxes.management.backups import OneCustomerCommand


class Command(OneCustomerCommand):
    help = (
        "Bring the customer that export_customer has put there: of this installation or of another one, with mailboxes, keys "
        "and mail, and with the passwords of then. Asks for the recovery key on standard input. May be killed and repeated: "
        "the customer is to be seen once it is whole (docs/operations.md)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.bring("", options)
