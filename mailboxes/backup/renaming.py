"""Which ids a customer that is brought has here, and what its mailboxes, jobs and messages are called by them.

Its own, unless somebody here has them. Else new ones, to which each attempt comes alike.
"""

from uuid import UUID, uuid5

from mailboxes.backup import judging
from mailboxes.backup.errors import BackupDamaged
from mailboxes.backup.index import NAME

FOLDER_LENGTH = 2 * 32 + 1  # of a mailbox's: two ids


class Ids:
    """Those of one customer: `former` is what the backup calls it by, `customer` what it is here."""

    def __init__(self, former: UUID, slug: str) -> None:
        self.former, self.customer, self.are_new = former, former, False
        self._slug = slug

    def become_new(self, slug: str) -> None:
        """Those of the customer that gets this short name."""
        self.customer, self.are_new = uuid5(self.former, f"restored as {slug}"), True

    def mailbox(self, former: str) -> UUID:
        """Of a job, too. Raises ValueError for what is no id."""
        return uuid5(self.customer, UUID(former).hex) if self.are_new else UUID(former)

    def former_folder(self, mailbox: str) -> str:
        """A mailbox's, by its former id."""
        return f"{self.former.hex}/{UUID(mailbox).hex}"

    def folder(self, name: str) -> str:
        """A mailbox's. Raises BackupDamaged for what is none of this customer's."""
        customer, _, mailbox = name.partition("/")
        if customer != self.former.hex or not judging.HEX_ID.fullmatch(mailbox):
            raise BackupDamaged(f"{name!r} is no folder of {self._slug}.")
        return f"{self.customer.hex}/{self.mailbox(mailbox).hex}"

    def blob(self, name: str) -> str:
        """A message's, and never what holds it: who deletes the message removes what its row names. Raises BackupDamaged."""
        if not NAME.fullmatch(name):
            raise BackupDamaged(f"{name!r} is no message of {self._slug}.")
        return self.folder(name[:FOLDER_LENGTH]) + name[FOLDER_LENGTH:]
