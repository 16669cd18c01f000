"""Backups of an installation, taken while it works, and what is made of them. docs/formats/backup.md has the format.

The database is dumped from one snapshot, sealed to a key that no machine of ours has; then comes the mail, which is sealed
as it lies in the store. A blob never changes and no name is used twice, so one that is there is not copied again.

Taking one
    taking        from the first message that is copied to the manifest
    examining     what of the database can't be saved, or would not come back
    asking        what the rows of one schema are asked for that
    relations     what has rows in a schema, and whether a dump may read it
    tables        which tables a schema with a list of migrations has
    constraints   what tables take: of customers and of `public`, compared with what migrations and models make
    unseen        tables that somebody wrote anew while the backup read
Bringing it back
    restoring     a whole installation: its messages and secrets
    rebuilding    its database, by the owner
    one_customer  one customer, beside the living or from an export
    loading       rows into tables that were just made
    renaming      what gets other ids where the customer's are in use
    judging       what a backup or a row says, before anything is made of it
    since         what was done after the backup was taken
What lies there
    place         a folder or a bucket, and its files
    sets          whole backups in it: reading, verifying and thinning them out
    index         the list of a backup's messages
    keys          the recovery key, sealing and unsealing
    rows          what a dump of the database has, table by table
What all of them need
    alone         one at a time, and how far it is
    tools         pg_dump, pg_restore, and connections beside Django's
    errors        what ends one
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
