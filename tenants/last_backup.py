"""Of which moment the backup is that last ended well: who takes one says so in PostgreSQL, and `manage.py doctor` reads it.

What is in the place of the backups is known to nobody else: its keys belong to the machine that takes them.
"""

from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django_tenants.utils import schema_context

from tenants.models import LastBackup

LATE_AFTER = timedelta(hours=26)  # one each night, and two hours in which it may take its time
MAY_ONLY_READ = ("42501", "25006")  # no right to write, and a transaction that only reads
ONLY = 1  # the primary key of the one row


def note(name: str, at: datetime) -> bool:
    """False, where the role that takes backups may only read: then nobody but its own machine knows. Raises DatabaseError."""
    try:
        with schema_context("public"), transaction.atomic(durable=True):
            LastBackup.objects.update_or_create(pk=ONLY, defaults={"name": name, "at": at})
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) not in MAY_ONLY_READ:
            raise
        return False
    return True


def known() -> LastBackup | None:
    """None: none yet."""
    with schema_context("public"):
        return LastBackup.objects.first()
