"""`manage.py jobs --failed --json`"""

from typing import Any

from django.core.management.base import CommandParser

from tenants.management.output import ScriptableCommand
from tenants.models import OpenJob


class Command(ScriptableCommand):
    help = (
        "The jobs of all customers that are not over. One goes on by `job CUSTOMER JOB --retry` once what is wrong is "
        "mended."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--failed",
            action="store_true",
            help="only those that need somebody: they failed, or wait for a password",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = OpenJob.objects.select_related("customer").order_by("customer__slug", "since", "pk")
        if options["failed"]:
            found = found.filter(state__in=OpenJob.STOPPED)
        jobs = [_plain(job) for job in found]
        lines = [
            f"{job['customer']} {job['id']} {job['kind']} of “{job['mailbox']}”: {job['state']} since "
            f"{job['since']} {job['trouble']}".rstrip()
            for job in jobs
        ]
        none = "No job needs anybody." if options["failed"] else "No job is open."
        self.report({"jobs": jobs}, as_json=options["json"], text="\n".join(lines) or none)


def _plain(job: OpenJob) -> dict[str, str]:
    return {
        "customer": job.customer.slug,
        "id": str(job.job_id),
        "kind": job.kind,
        "mailbox": job.mailbox_name,
        "state": job.state,
        "trouble": job.trouble,
        "since": job.since.isoformat(timespec="seconds"),
    }
