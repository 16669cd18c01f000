"""Backups of an installation, taken while it works, and what is made of them. docs/formats/backup.md has the format.

The database is dumped from one snapshot, sealed to a key that no machine of ours has; then comes the mail, which is sealed
as it lies in the store. A blob never changes and no name is used twice, so one that is there is not copied again.
"""

from mailboxes.backup.alone import Progress
from mailboxes.backup.one_customer import Brought, restore_customer
from mailboxes.backup.restoring import Restored, restore, write_secrets
from mailboxes.backup.sets import verify_backup
from mailboxes.backup.taking import Made, back_up, export_customer

__all__ = [
    "Brought",
    "Made",
    "Progress",
    "Restored",
    "back_up",
    "export_customer",
    "restore",
    "restore_customer",
    "verify_backup",
    "write_secrets",
]
