"""`manage.py help`: our commands first, by what somebody wants at three in the morning; the libraries' below them."""

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from django.core.management.color import color_style

WIDTH = 100
GROUPS = {
    "Something is wrong": ("doctor", "check_store", "jobs", "job", "let_in"),
    "Backups, and what is brought back": (
        "backup",
        "check_backup",
        "restore",
        "give_up_customer",
        "export_customer",
        "import_customer",
        "new_recovery_key",
    ),
    "Mailboxes": (
        "create_mailbox",
        "reset_mailbox_password",
        "unlock_mailbox",
        "suspend_mailbox",
        "activate_mailbox",
        "delete_mailbox",
        "verify_certificate",
    ),
    "People, providers and customers": ("create_user", "create_provider", "create_customer"),
    "The installation": (
        "setup",
        "upgrade",
        "move_store",
        "worker_public_key",
        "distribute_customers",
        "make_empty_customers",
        "make_busy_customers",
    ),
    "What units and containers run": (
        "web",
        "worker",
        "beat",
        "gateway",
        "copy_certificate",
        "tell_failure",
    ),
    "A trial on this machine": ("demo", "prepare_demo", "seed_demo", "retire_demo"),
}
OURS = frozenset(name for names in GROUPS.values() for name in names)
OTHERS = "Of Django and of libraries, which know nothing of customers and ask nobody's rights"
_CLAUSE = re.compile(r"[.:;](?=\s|$)")


def text(prog: str, others: Sequence[str], load: Callable[[str], Any]) -> str:
    """`others` are those that are offered besides ours."""
    style = color_style()
    width = max(map(len, OURS))
    lines = ["", f"Type '{prog} help COMMAND' for all that one of these takes."]
    for heading, names in GROUPS.items():
        lines += ["", style.NOTICE(heading)]
        lines += [f"  {name:<{width}}  {_help_of(name, load)}".rstrip() for name in names]
    lines += ["", style.NOTICE(OTHERS)]
    lines += textwrap.wrap(
        " ".join(others), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
    return "\n".join(lines)


def _help_of(name: str, load: Callable[[str], Any]) -> str:
    """The first clause of it. Whoever asks for help has trouble already: one that can't be loaded is named all the same."""
    try:
        whole = " ".join(load(name).help.split())
    except Exception as error:
        return f"(can't be loaded: {type(error).__name__})"
    return first_clause(whole)


def first_clause(whole: str) -> str:
    found = _CLAUSE.search(whole)
    return whole[: found.start()] if found else whole
