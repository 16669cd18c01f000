"""What a message store promises, wherever it lies. Names say nothing, contents are sealed."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

SHARDS = tuple(f"{number:02x}" for number in range(256))


class Blob(NamedTuple):
    """What a store knows of a blob without reading it. Times are seconds since 1970 by the store's own clock.

    `placed_at` is when these octets came to lie there, whatever date they bear.
    """

    octets: int
    written_at: float
    placed_at: float


class Draft(ABC):
    """A blob in the making: `write`, then `keep` (durable when it returns) or `discard`."""

    name: str

    @abstractmethod
    def write(self, octets: bytes) -> None:
        """Raises StoreFull, StoreFailed."""

    @abstractmethod
    def flush(self) -> None:
        """Make its octets durable. Raises StoreFull, StoreFailed."""

    @abstractmethod
    def keep(self) -> None:
        """`flush` it and put it in place. Raises StoreFull, StoreFailed: then discard it."""

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written, kept or not; as often as you like."""


class BlobStore(ABC):
    """Blobs by name. A name is `<customer>/<mailbox>/<shard>/<random>`; what ends in a `/` less is called a folder, whether
    or not the store has such things.
    """

    location: str  # for people

    def new_name(self, customer_id: UUID, mailbox_id: UUID, shard: str = "") -> str:
        """A name that tells nothing about the message and is never used twice.

        Blobs that are kept together may share a shard (`new_shard`), so that one folder has to be flushed.
        """
        return f"{customer_id.hex}/{mailbox_id.hex}/{shard or self.new_shard()}/{secrets.token_hex(15)}"

    def new_shard(self) -> str:
        return secrets.choice(SHARDS)

    @abstractmethod
    def draft(self, name: str, *, again: bool = False) -> Draft:
        """Begin a blob; `again`: over what an earlier attempt may have left of it. Raises StoreFull, StoreFailed."""

    @abstractmethod
    def put_in_place(self, drafts: Sequence[Draft]) -> None:
        """Put flushed drafts in place, durably. Raises StoreFull, StoreFailed: then discard them."""

    @abstractmethod
    def chunks(self, name: str) -> Iterator[bytes]:
        """A blob's octets, piece by piece. Raises MessageGone at once when there is none, StoreFailed when it can't be read."""

    @abstractmethod
    def look_at(self, name: str) -> Blob | None:
        """What the store knows of a blob; None when there is none. Raises StoreFailed."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove whatever lies in a blob's place; nothing is no error. Raises StoreFailed."""

    @abstractmethod
    def remove_mailbox(self, customer_id: UUID, mailbox_id: UUID) -> None:
        """Remove all that lies in a mailbox's folder. Raises StoreFailed."""

    @abstractmethod
    def folders(self, within: str = "") -> list[str]:
        """The names of the folders in a folder, sorted; none when it is not there. Raises StoreFailed."""

    @abstractmethod
    def holds_anything(self, folder: str) -> bool:
        """Whether a customer's folder is there at all; one that isn't may only not be mounted. Raises StoreFailed."""

    @abstractmethod
    def shards(self, folder: str, first: int = 0) -> Iterator[tuple[int, dict[str, Blob]]]:
        """A mailbox's blobs by their names, for each shard from `first` on, empty ones too. Raises StoreFailed."""

    @abstractmethod
    def remove_empty_folders(self, folder: str) -> None:
        """Remove a mailbox's folder and those in it as far as nothing lies there. Raises StoreFailed."""

    def lacks_a_place(self, folder: str) -> bool:
        """Whether one of two places where a customer's blobs may lie has nothing of them: it is empty, as at the beginning
        and the end of a move, or not mounted. Raises StoreFailed.
        """
        return False

    @abstractmethod
    def show_sign(self, sign: str) -> None:
        """Put something empty there that is no blob; `remove` takes it away. Raises StoreFull, StoreFailed."""

    @abstractmethod
    def shows_sign(self, sign: str) -> bool:
        """Whether it lies there, by whatever way this place is reached. Raises StoreFailed."""

    @abstractmethod
    def require_ready(self) -> None:
        """Raises OSError or StoreFailed when it can't be used now, at once and without writing anything: anybody may ask."""
