"""Two stores, while an installation moves from one to the other: a blob lies in either, or for a moment in both."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from uuid import UUID

from mailboxes.errors import MessageGone, StoreFailed

from .interface import Blob, BlobStore, Draft


class BothStores(BlobStore):
    """New blobs go to `main`; what lies in `other` is as good.

    A blob moves by being put into one store, durably, before it is removed from the other
    (`mailboxes.services.moving`), in either direction. So who finds it in neither looks into the first once more, and who
    removes it removes it from the first once more: whichever of the two it came from, it is met.
    """

    def __init__(self, main: BlobStore, other: BlobStore) -> None:
        self.main = main
        self.other = other
        self.location = f"{main.location} and {other.location}"
        self._ways = (main, other, main)

    def draft(self, name: str, *, again: bool = False) -> Draft:
        return self.main.draft(name, again=again)

    def put_in_place(self, drafts: Sequence[Draft]) -> None:
        self.main.put_in_place(drafts)

    def chunks(self, name: str) -> Iterator[bytes]:
        return self._to_the_end(name, self._open(name))

    def _open(self, name: str) -> Iterator[bytes]:
        for each in self._ways:
            with suppress(MessageGone):
                return each.chunks(name)
        raise MessageGone

    def _to_the_end(self, name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Where a blob moves away between two pieces, the rest of it lies in the other store."""
        given = 0
        try:
            for piece in pieces:
                given += len(piece)
                yield piece
        except StoreFailed as error:
            try:
                rest = self._open(name)
            except MessageGone:
                raise error from None
            for piece in rest:
                if more := piece[given:]:
                    yield more
                given = max(0, given - len(piece))

    def look_at(self, name: str) -> Blob | None:
        return next((found for each in self._ways if (found := each.look_at(name))), None)

    def remove(self, name: str) -> None:
        for each in self._ways:
            each.remove(name)

    def remove_mailbox(self, customer_id: UUID, mailbox_id: UUID) -> None:
        for each in self._ways:
            each.remove_mailbox(customer_id, mailbox_id)

    def folders(self, within: str = "") -> list[str]:
        return sorted({*self.main.folders(within), *self.other.folders(within)})

    def holds_anything(self, folder: str) -> bool:
        return self.main.holds_anything(folder) or self.other.holds_anything(folder)

    def lacks_a_place(self, folder: str) -> bool:
        return not (self.main.holds_anything(folder) and self.other.holds_anything(folder))

    def are_one(self, folder: str = "") -> bool:
        """Whether both are the same place, whatever they are called: what is put into one is seen in the other. A blob that
        was moved would be removed where it lies. Raises StoreFull, StoreFailed.

        `folder` is the one of a blob: it may be the same although the stores are not. What a kill leaves there the janitor
        takes for what it is, a file that no message names.
        """
        sign = f"{folder}/{secrets.token_hex(15)}" if folder else f"sign-{secrets.token_hex(15)}"
        try:
            self.main.show_sign(sign)
            return self.other.shows_sign(sign)
        finally:
            self.main.remove(sign)

    def show_sign(self, sign: str) -> None:
        self.main.show_sign(sign)

    def shows_sign(self, sign: str) -> bool:
        return self.main.shows_sign(sign) or self.other.shows_sign(sign)

    def shards(self, folder: str, first: int = 0) -> Iterator[tuple[int, dict[str, Blob]]]:
        pairs = zip(self.main.shards(folder, first), self.other.shards(folder, first), strict=True)
        for (number, here), (_, there) in pairs:
            yield number, there | here

    def remove_empty_folders(self, folder: str) -> None:
        self.main.remove_empty_folders(folder)
        self.other.remove_empty_folders(folder)

    def require_ready(self) -> None:
        self.main.require_ready()
        self.other.require_ready()
