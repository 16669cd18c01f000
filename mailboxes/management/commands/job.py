"""`manage.py job acme 3f0c… --json --wait`"""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.management.output import job_facts, password_from_stdin, refuse_unfinished, wait_for
from tenants.management.output import ScriptableCommand
from tenants.services import customer_by_slug


class Command(ScriptableCommand):
    help = "How a job gets on. With --wait the exit status says whether it ended well."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="CUSTOMER", help="the customer's short name, such as acme")
        parser.add_argument("job", metavar="JOB", help="the job's id")
        parser.add_argument("--wait", action="store_true", help="until it is over or waits for a person")
        parser.add_argument("--retry", action="store_true", help="let it go on, if it failed or pauses")
        parser.add_argument(
            "--password-stdin",
            action="store_true",
            help="with --retry: read the mailbox's password, for a job that waits for it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        password = password_from_stdin() if options["password_stdin"] else ""
        with self.errors_as_one_line():
            customer = customer_by_slug(options["customer"], by=SYSTEM)
            job = services.job_for(SYSTEM, customer, _id(options["job"]))
            if options["retry"]:
                job = services.retry(customer, job, by=SYSTEM, password=password)
        if options["wait"]:
            job = wait_for(customer, job.pk)
        progress = services.progress(job)
        self.report(
            job_facts(job),
            as_json=options["json"],
            text=f"{job.kind} of {job.mailbox_address}: {job.state}, {job.done} of {job.total}\n"
            f"{progress.trouble} {progress.advice}".rstrip(),
        )
        if options["wait"]:
            refuse_unfinished(job)


def _id(typed: str) -> UUID:
    """What is no id is no job's: one line and status 1, and not argparse's page of usage."""
    try:
        return UUID(typed)
    except ValueError:
        raise errors.NoSuchJob from None
