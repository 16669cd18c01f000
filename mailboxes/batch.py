"""Many blobs at once: each is flushed while the next one is being made, all are put in place together, or none."""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from uuid import UUID

from mailboxes.holding import removal_is_held
from mailboxes.store import BlobStore, Draft, store

# Waiting for the disk, not computing: flushes that come together share one write of the file system's journal.
HANDS = 8


class Batch:
    """Drafts of one mailbox that become durable together: `draft`, fill and `finish` each, then `keep` or `discard` all."""

    def __init__(self, customer_id: UUID, mailbox_id: UUID) -> None:
        self._store: BlobStore = store()
        self._customer_id, self._mailbox_id = customer_id, mailbox_id
        self._shard = self._store.new_shard()  # one folder, which is flushed once
        self._drafts: list[Draft] = []
        self._flushes: list[Future[None]] = []

    def draft(self) -> Draft:
        """The next blob. Raises StoreFull, StoreFailed."""
        draft = self._store.draft(self._store.new_name(self._customer_id, self._mailbox_id, self._shard))
        self._drafts.append(draft)
        return draft

    def finish(self, draft: Draft) -> None:
        """It is written; flush it while others are being made."""
        self._flushes.append(_hands().submit(draft.flush))

    def drop(self, draft: Draft) -> None:
        """This one is not to be kept after all; it must not be finished."""
        self._drafts.remove(draft)
        draft.discard()

    def keep(self) -> None:
        """When this returns all are durable. Raises StoreFull, StoreFailed: then discard."""
        for flush in self._flushes:
            flush.result()
        self._store.put_in_place(self._drafts)

    def discard(self) -> None:
        """Leave nothing of what was begun."""
        for flush in self._flushes:
            flush.exception()
        for draft in self._drafts:
            draft.discard()


def remove_all(names: Iterable[str]) -> None:
    """Remove blobs whose rows are gone, or whose keys are; those that are gone already are no error. While a backup is taken
    they stay, for the janitor. Raises StoreFailed when one could not be removed.
    """
    some = list(names)
    if some and not removal_is_held():
        for _ in _hands().map(store().remove, some):
            pass


@lru_cache(maxsize=1)
def _hands() -> ThreadPoolExecutor:
    """Begun in the process that needs it, since threads don't survive a fork."""
    return ThreadPoolExecutor(HANDS, thread_name_prefix="store")
