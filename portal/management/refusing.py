"""Commands of the libraries that work past our verbs: nobody is asked whether they may, and nothing writes it down.

Some destroy a customer with its keys, some make one that lacks half of what it needs. `manage.py` refuses them and does
not offer them; code calls them all the same (`call_command`), as tests do.
"""

import sys
from typing import Any

from django.core.management import ManagementUtility

NO_END = "nothing ends a customer: delete its mailboxes with `manage.py delete_mailbox`."
MAKE = "use `manage.py create_customer`."
BRING = "use `manage.py restore PLACE --customer SLUG --as NEW`."
ONE_HOST = "a customer's host comes from its short name."
EACH = "commands of Gatehouse take the customer's short name (`manage.py help`)."

INSTEAD = {
    "all_tenants_command": EACH,
    "clone_tenant": BRING,
    "create_domain": ONE_HOST,
    # An empty schema in the place of a lost one: its mail would look like nobody's, and be tidied away.
    "create_missing_schemas": BRING,
    "create_tenant": MAKE,
    "create_tenant_superuser": "use `manage.py create_user`.",
    "delete_domain": ONE_HOST,
    "delete_tenant": NO_END,
    "flush": "nothing empties an installation: make a new database.",
    "rename_schema": "a customer's schema keeps its name.",
    "tenant_command": EACH,
}


class Commands(ManagementUtility):
    """Django's, without those."""

    def fetch_command(self, subcommand: str) -> Any:
        if instead := INSTEAD.get(subcommand):
            sys.stderr.write(f"CommandError: {subcommand} is not for Gatehouse: {instead}\n")
            sys.exit(1)
        return super().fetch_command(subcommand)

    def main_help_text(self, commands_only: bool = False) -> str:
        lines = super().main_help_text(commands_only).split("\n")
        return "\n".join(line for line in lines if line.strip() not in INSTEAD)
