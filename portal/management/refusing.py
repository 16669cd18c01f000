"""Commands of the libraries that work past our verbs: nobody is asked whether they may, and nothing writes it down.

Some destroy a customer with its keys, some make one that lacks half of what it needs; those that migrate also go back, which
drops tables, and as whoever calls them they run what the application's role may have put into a customer's schema. Each is
refused by one of the same name in `portal/management/commands/`, which Django finds first, whether it is called by
`manage.py` or by `python -m django`; and `manage.py` does not offer them. Code calls them all the same (`call_command`).
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from django.core.management import ManagementUtility, get_commands
from django.core.management.base import BaseCommand

from portal.management import offering

NO_END = "nothing ends a customer: delete its mailboxes with `manage.py delete_mailbox`."
UPGRADE = (
    "use `manage.py upgrade`, as the role that serves, and `manage.py upgrade --public` as the owner of the tables "
    "(docs/upgrades.md)."
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
    "migrate": UPGRADE,
    "migrate_schemas": UPGRADE,
    "rename_schema": "a customer's schema keeps its name.",
    "tenant_command": EACH,
}
NOBODY_READS = 128 + 13  # as shells say of SIGPIPE
NOT_OFFERED = {*INSTEAD, "changepassword"}  # the last one refuses by itself


class Refused(BaseCommand):
    """Before a library's command: whoever types it is told what to type instead."""

    def run_from_argv(self, argv: list[str]) -> NoReturn:
        _refuse(argv[1])

    def print_help(self, prog_name: str, subcommand: str) -> NoReturn:
        _refuse(subcommand)


def _refuse(name: str) -> NoReturn:
    sys.stderr.write(f"CommandError: {name} is not for Gatehouse: {INSTEAD[name]}\n")
    sys.exit(1)


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """Whoever cuts what a command says (`| head`) has read enough, and reads no traceback: it ends as one that SIGPIPE ends.
    One that crashes says so all the same. Where there is no standard output (`>&-`) nobody reads from the start.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open until the interpreter ends, as the one in its place would
    crash: BaseException | None = None
    try:
        try:
            yield
        except (BrokenPipeError, SystemExit):
            raise
        except BaseException as error:
            crash = error
            raise
        finally:
            sys.stdout.flush()  # here, or the interpreter says it at its end
    except BrokenPipeError:
        if not _nobody_reads():  # it is of another pipe than this one
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if crash:
            raise crash from None
        sys.exit(NOBODY_READS)


def _nobody_reads() -> bool:
    out = select.poll()
    out.register(sys.stdout.fileno(), 0)
    return any(state & select.POLLERR for _, state in out.poll(0))


class Commands(ManagementUtility):
    """Django's, which does not offer those."""

    def main_help_text(self, commands_only: bool = False) -> str:
        """Gatehouse's own first, unless a script asks, or the settings can't be read."""
        if commands_only or self.settings_exception is not None:
            lines = super().main_help_text(commands_only).split("\n")
            return "\n".join(line for line in lines if line.strip() not in NOT_OFFERED)
        others = get_commands().keys() - offering.OURS - NOT_OFFERED
        return offering.text(self.prog_name, sorted(others), super().fetch_command)
