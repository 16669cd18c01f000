"""What commands about one mailbox have in common."""

import sys
import time
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import Job, Mailbox
from tenants.management.output import ScriptableCommand
from tenants.models import Customer
from tenants.services import customer_by_slug

POLL_SECONDS = 0.5


class MailboxCommand(ScriptableCommand):
    """Adds CUSTOMER and ADDRESS."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's short name, such as acme")
        parser.add_argument("address", metavar="ADDRESS", help="the mailbox's address")

    def named(self, options: dict[str, Any]) -> tuple[Customer, Mailbox]:
        """Raises what errors_as_one_line() words."""
        customer = customer_by_slug(options["customer"], by=SYSTEM)
        return customer, services.mailbox_by_address(customer, options["address"], by=SYSTEM)


def password_from_stdin() -> str:
    """The first line of standard input: a password on the command line could be read by everybody on the machine."""
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("No password came on standard input.")
    return password


def job_facts(job: Job) -> dict[str, Any]:
    """A job as scripts see it."""
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "state": job.state,
        "done": job.done,
        "total": job.total,
    }


def wait_for(customer: Customer, job_id: UUID) -> Job:
    """The job, once it is over or needs a person."""
    while (job := services.job_for(SYSTEM, customer, job_id)).state in Job.WORKABLE:
        time.sleep(POLL_SECONDS)
    return job


def refuse_unfinished(job: Job) -> None:
    """A script that waited for the end gets an exit status that says whether it was the good one."""
    if job.state != Job.State.DONE:
        progress = services.progress(job)
        raise CommandError(f"{job.state}: {progress.trouble} {progress.advice}".strip())
