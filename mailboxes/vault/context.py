"""What a lock or a sealed message was made for. Bound into each, so that nothing opens in another's place."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from .errors import WrongCustomer, WrongMailbox, WrongMessage

ID_OCTETS = 16


@dataclass(frozen=True, slots=True)
class LockContext:
    """Whose key it is. The id of the locked key itself is always bound as well."""

    customer: UUID
    mailbox: UUID

    def to_bytes(self) -> bytes:
        return self.customer.bytes + self.mailbox.bytes

    def expect(self, found: bytes) -> None:
        """Raises WrongCustomer or WrongMailbox unless `found`, read from an authentic lock, is this context."""
        if found[:ID_OCTETS] != self.customer.bytes:
            raise WrongCustomer
        if found[ID_OCTETS:] != self.mailbox.bytes:
            raise WrongMailbox


@dataclass(frozen=True, slots=True)
class MessageContext:
    """Which message it is, in whose mailbox."""

    customer: UUID
    mailbox: UUID
    message: UUID

    def to_bytes(self) -> bytes:
        return self.customer.bytes + self.mailbox.bytes + self.message.bytes

    def expect(self, found: bytes) -> None:
        """Raises WrongCustomer, WrongMailbox or WrongMessage unless `found`, read from an authentic header, is this."""
        if found[:ID_OCTETS] != self.customer.bytes:
            raise WrongCustomer
        if found[ID_OCTETS : 2 * ID_OCTETS] != self.mailbox.bytes:
            raise WrongMailbox
        if found[2 * ID_OCTETS :] != self.message.bytes:
            raise WrongMessage
