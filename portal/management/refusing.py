"""Commands of the libraries that work past our verbs: nobody is asked whether they may, and nothing writes it down.

Some destroy a customer with its keys, some make one that lacks half of what it needs. `manage.py` refuses them and does
not offer them; code calls them all the same (`call_command`), as tests do. Others destroy when they are told to go back.
"""

import sys
from typing import Any, NoReturn

from django.core.management import ManagementUtility, get_commands

from portal.management import offering

NO_END = "nothing ends a customer: delete its mailboxes with `manage.py delete_mailbox`."
FORWARD = (
    "to name a migration can be to go back, which drops tables with all that is in them, customers' keys, too. "
    "`manage.py upgrade` goes forward; --plan says what this would do."
)
MAKE = "use `manage.py create_customer`."
BRING = "use `manage.py restore PLACE --customer SLUG --as NEW`."
ONE_HOST = "a customer's host comes from its short name."
EACH = "commands of Gatehouse take the customer's short name (`manage.py help`)."

INSTEAD = {
    "all_tenants_command": EACH,
    "clone_tenant": BRING,
    "create_domain": ONE_HOST,
    # An empty schema in the place of a lost one: its mail would look like nobody's, and be tidied away.
    "create_missing_schemas": "use `manage.py restore PLACE --customer SLUG`.",
    "create_tenant": MAKE,
    "create_tenant_superuser": "use `manage.py create_user`.",
    "delete_domain": ONE_HOST,
    "delete_tenant": NO_END,
    "flush": "nothing empties an installation: make a new database.",
    "rename_schema": "a customer's schema keeps its name.",
    "tenant_command": EACH,
}
MIGRATING = {"migrate", "migrate_schemas"}
NOT_OFFERED = {*INSTEAD, "changepassword"}  # the last one refuses by itself


class Commands(ManagementUtility):
    """Django's, without those, and without the way back of a migration."""

    def fetch_command(self, subcommand: str) -> Any:
        if instead := INSTEAD.get(subcommand):
            _refuse(subcommand, instead)
        command = super().fetch_command(subcommand)
        if subcommand in MIGRATING:
            parser = command.create_parser(self.prog_name, subcommand)
            parser.called_from_command_line = True  # what is typed wrong is said in a line
            told, _ = parser.parse_known_args(self.argv[2:])
            if told.migration_name and not told.plan:
                _refuse(f"{subcommand} {told.app_label} {told.migration_name}", FORWARD)
        return command

    def main_help_text(self, commands_only: bool = False) -> str:
        """Gatehouse's own first, unless a script asks, or the settings can't be read."""
        if commands_only or self.settings_exception is not None:
            lines = super().main_help_text(commands_only).split("\n")
            return "\n".join(line for line in lines if line.strip() not in NOT_OFFERED)
        others = get_commands().keys() - offering.OURS - NOT_OFFERED
        return offering.text(self.prog_name, sorted(others), super().fetch_command)


def _refuse(what: str, why: str) -> NoReturn:
    sys.stderr.write(f"CommandError: {what} is not for Gatehouse: {why}\n")
    sys.exit(1)
