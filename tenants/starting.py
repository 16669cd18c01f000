"""What each process of the portal is asked and asks itself before it serves anybody."""

import logging
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence

from django.core.checks import ERROR, CheckMessage, Tags, run_checks
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import RAN_DB_VERSION_CHECK

from tenants import unasked

log = logging.getLogger(__name__)

OURS = "gatehouse"  # the tag of the checks in portal/checks/variables.py
# The exit status with which a worker of gunicorn ends all of it, instead of being started anew.
NEVER_AGAIN = 3


def refuse_unsafe_setup() -> None:
    """Run all checks, those of the database and for deployments too. Ends the process, with each complaint's id and
    hint, when one is an error; but who is only away makes nothing unsafe: the process says so in /readyz, and goes on when
    they are back and have answered what they could not be asked.
    """
    _refuse(run_checks(include_deployment_checks=True, databases=["default"]), _asked_of_services)
    # Django asks for PostgreSQL's version at the first connection, and a thread remembers for ever what it was told by one
    # that a pooler cut, which is 0: then each of its requests fails with NotSupportedError. A check of ours has asked
    # (gatehouse.E032). The set is Django's own and in no documentation; this was seen with 5.2.
    RAN_DB_VERSION_CHECK.add(DEFAULT_DB_ALIAS)


def refuse_wrong_setup() -> None:
    """The same before the database is of this release, for a command that serves nobody: settings and database alone."""

    def ask() -> list[CheckMessage]:
        return _errors(run_checks(tags=[Tags.database], databases=["default"]))

    _refuse(run_checks(tags=[OURS, Tags.database], databases=["default"]), ask)


def ask_before_work() -> None:
    """For a process whose parent has asked all that while somebody was away."""
    unasked.begin(unasked.STARTS_ALL_THE_SAME, _asked_of_services)


def _asked_of_services() -> list[CheckMessage]:
    """What is wrong with the database and the bucket, of all that refuse_unsafe_setup() asks."""
    return _errors(run_checks(tags=[Tags.database], include_deployment_checks=True, databases=["default"]))


def _refuse(found: Sequence[CheckMessage], ask: Callable[[], Sequence[CheckMessage]]) -> None:
    connections.close_all()  # or the processes that are forked from this one would share them
    errors = _errors(found)
    # Each that could not ask the database says so, in the same words.
    for said in dict.fromkeys((message.id, message.msg, message.hint or "") for message in errors):
        log.error("%s: %s %s", *said)
    if any(message.id not in unasked.STARTS_ALL_THE_SAME for message in errors):
        sys.exit(NEVER_AGAIN)
    unasked.begin({str(message.id) for message in errors}, ask)


def _errors(found: Sequence[CheckMessage]) -> list[CheckMessage]:
    return [message for message in found if message.level >= ERROR and not message.is_silenced()]


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
