"""`manage.py check_store acme`"""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from accounts.actors import SYSTEM
from mailboxes.backup.tools import first_line
from mailboxes.errors import StoreFailed
from mailboxes.services.damage import try_all_again
from mailboxes.services.janitor import NobodysFolder, StoreReport, check_store, nobodys_folders
from tenants.management.output import ScriptableCommand, counted, harmless
from tenants.models import Customer
from tenants.schemas import between_customers, is_there, require_the_role_that_serves
from tenants.services import customer_by_slug
from tenants.whose import LesserOwner

NO_SCHEMA = (
    "it has no schema in the database any more, or one without its keys. Bring it from a backup, in its own place: manage.py restore "
    "PLACE --customer {slug} (docs/operations.md). Remove no backup until then. If nobody wants it back: manage.py give_up_customer {slug}."
)


class Command(ScriptableCommand):
    help = (
        "Compare messages and blobs and change nothing (but with --again). Ends with status 1 when a blob is missing, has the wrong "
        "size or was found altered; files that no message needs are told too, but are no error: they are removed once "
        "a day; those of no customer at all are not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--again",
            action="store_true",
            help="first take the marks off all messages that could not be read: who reads them next finds out anew",
        )
        parser.add_argument(
            "customer",
            metavar="CUSTOMER",
            nargs="?",
            help="the customer's short name, such as acme; without it, all",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with self.errors_as_one_line():
            require_the_role_that_serves()
            slug = options["customer"]
            customers = (
                Customer.objects.order_by("slug") if slug is None else [customer_by_slug(slug, by=SYSTEM)]
            )
        reports, unchecked, nobodys = [], [], []
        for customer in customers:
            between_customers()
            try:
                if not is_there(customer.schema_name):
                    unchecked.append(customer.slug)
                    self.stderr.write(
                        f"{customer.slug} can't be checked: {NO_SCHEMA.format(slug=customer.slug)}"
                    )
                    continue
                if options["again"]:
                    try_all_again(customer, by=SYSTEM)
                report = check_store(customer, by=SYSTEM)
            except (StoreFailed, DatabaseError) as error:  # the others are still worth knowing
                unchecked.append(customer.slug)
                self.stderr.write(f"{customer.slug} can't be checked: {_told(error)}")
                continue
            reports.append(report)
            if not options["json"]:
                self._print(report)
        if slug is None:
            try:
                nobodys = nobodys_folders(by=SYSTEM)
            except StoreFailed as error:  # so have those of customers
                self.stderr.write(f"What else lies in the store can't be told: {error.message}")
        ok = not unchecked and all(report.ok for report in reports)
        if options["json"]:
            found = {
                "customers": [_plain(report) for report in reports],
                "nobodys": [asdict(folder) for folder in nobodys],
                "unchecked": unchecked,
                "ok": ok,
            }
            self.stdout.write(json.dumps(found))
        else:
            self._print_nobodys(nobodys)
        broken = sum(report.unreadable for report in reports)
        said = []
        if unchecked:
            said.append(f"{len(unchecked)} of the customers can't be checked: {', '.join(unchecked)}.")
        if broken or not unchecked:
            said.append(
                "1 message can't be read: its blob is missing, has the wrong size or was altered."
                if broken == 1
                else f"{broken} messages can't be read: their blobs are missing, have the wrong size or were altered."
            )
        if not ok:
            raise CommandError(" ".join(said))

    def _print_nobodys(self, folders: list[NobodysFolder]) -> None:
        for found in folders:
            age = counted(found.newest_age_seconds // 3600, "hour")
            self.stdout.write(
                f"NOBODY'S    {found.folder}: {counted(found.files, 'file')}, {counted(found.octets, 'octet')}, the newest {age} old"
            )

    def _print(self, report: StoreReport) -> None:
        for missing in report.missing:
            self.stdout.write(f"MISSING     {missing.mailbox_address} {missing.uid.hex} {missing.blob}")
        for wrong in report.wrong_size:
            size = f"{counted(wrong.octets, 'octet')} instead of {wrong.expected}"
            self.stdout.write(f"WRONG SIZE  {wrong.mailbox_address} {wrong.uid.hex} {wrong.blob}: {size}")
        for altered in report.altered:
            self.stdout.write(f"ALTERED     {altered.mailbox_address} {altered.uid.hex} {altered.blob}")
        for orphan in report.orphans:
            age = counted(orphan.age_seconds // 3600, "hour")
            self.stdout.write(
                f"ORPHAN      {harmless(orphan.name)}: {counted(orphan.octets, 'octet')}, {age} old"
            )
        counts = (
            f"{counted(report.messages, 'message')}, {counted(report.blobs, 'file')}, {len(report.missing)} missing, "
            f"{len(report.wrong_size)} of the wrong size, {len(report.altered)} altered, "
            f"{counted(len(report.orphans), 'orphan')}, {report.young} too young to tell"
        )
        self.stdout.write(f"{report.customer}: {'ok' if report.ok else 'DAMAGED'}: {counts}")


def _told(error: Exception) -> str:
    if isinstance(error, LesserOwner):
        return harmless(str(error))
    what = error.message if isinstance(error, StoreFailed) else type(error).__name__
    return f"{what} ({harmless(first_line(error.__cause__))})" if error.__cause__ else what


def _plain(report: StoreReport) -> dict[str, Any]:
    return {
        "customer": report.customer,
        "ok": report.ok,
        "messages": report.messages,
        "blobs": report.blobs,
        "missing": [
            {"mailbox": missing.mailbox_address, "uid": missing.uid.hex, "blob": missing.blob}
            for missing in report.missing
        ],
        "wrong_size": [
            {
                "mailbox": wrong.mailbox_address,
                "uid": wrong.uid.hex,
                "blob": wrong.blob,
                "octets": wrong.octets,
                "expected": wrong.expected,
            }
            for wrong in report.wrong_size
        ],
        "altered": [
            {"mailbox": altered.mailbox_address, "uid": altered.uid.hex, "blob": altered.blob}
            for altered in report.altered
        ],
        "orphans": [
            {"name": orphan.name, "age_seconds": orphan.age_seconds, "octets": orphan.octets}
            for orphan in report.orphans
        ],
        "young": report.young,
    }
