"""`manage.py delete_mailbox acme mbx-…@gateway.localhost --wait`"""

from typing import Any

from django.core.management.base import CommandParser

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.management.output import MailboxCommand, job_facts, refuse_unfinished, wait_for


class Command(MailboxCommand):
    help = (
        "Delete a suspended mailbox. Its keys are destroyed at once: nobody can read the waiting mail any more, "
        "whatever happens next. Storage is freed by a job, at whose end there is a deletion certificate."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--wait", action="store_true", help="wait until the storage is free")

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            customer, mailbox = self.named(options)
            job = services.start_deletion(customer, mailbox, by=SYSTEM)
        if options["wait"]:
            job = wait_for(customer, job.pk)
        facts = job_facts(job)
        self.report(
            {"address": mailbox.address, "job": facts["id"], "state": job.state},
            as_json=options["json"],
            text=f"The keys of “{mailbox.name}” are destroyed. Job: {facts['id']} ({job.state})",
        )
        if options["wait"]:
            refuse_unfinished(job)
