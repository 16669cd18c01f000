"""What each process of the portal is asked and asks itself before it serves anybody."""

import logging
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence

from django.core.checks import ERROR, CheckMessage, Tags, run_checks
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import RAN_DB_VERSION_CHECK

log = logging.getLogger(__name__)

# Services that are away make nothing unsafe: processes start, say so in /readyz, and go on when these are back.
AWAY = {"gatehouse.E016", "gatehouse.E017", "gatehouse.E022"}
OURS = "gatehouse"  # the tag of the checks in portal/checks/variables.py
# The exit status with which a worker of gunicorn ends all of it, instead of being started anew.
NEVER_AGAIN = 3


def refuse_unsafe_setup() -> None:
    """Run all checks, those of the database and for deployments too. Ends the process, with each complaint's id and
    hint, when one is an error.
    """
    _refuse(run_checks(include_deployment_checks=True, databases=["default"]))
    # Django asks for PostgreSQL's version at the first connection, and a thread remembers for ever what it was told by one
    # that a pooler cut, which is 0: then each of its requests fails with NotSupportedError. A check of ours has asked
    # (gatehouse.E032). The set is Django's own and in no documentation; this was seen with 5.2.
    RAN_DB_VERSION_CHECK.add(DEFAULT_DB_ALIAS)


def refuse_wrong_setup() -> None:
    """The same before the database is of this release, for a command that serves nobody: settings and database alone."""
    _refuse(run_checks(tags=[OURS, Tags.database], databases=["default"]))


def _refuse(found: Sequence[CheckMessage]) -> None:
    connections.close_all()  # or the processes that are forked from this one would share them
    errors = [message for message in found if message.level >= ERROR and not message.is_silenced()]
    for message in errors:
        log.error("%s: %s %s", message.id, message.msg, message.hint or "")
    if any(message.id not in AWAY for message in errors):
        sys.exit(NEVER_AGAIN)


def add_processes(parser: ArgumentParser, default: int) -> None:
    """The option of commands that run one kind of process: how many, that of the setting if nobody says."""
    parser.add_argument(
        "--processes",
        type=_at_least_one,
        default=default,
        metavar="N",
        help="how many processes share the work (here %(default)s)",
    )


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of processes")
    return int(text)
