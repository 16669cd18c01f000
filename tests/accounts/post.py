"""The post: what workers mail of what a block does, as the recipients get it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accounts.tasks import send_mails


class Post:
    """Sends what has to be sent, as workers do, and keeps it."""

    def __init__(self, outbox: list[Any], on_commit: Any) -> None:
        self._outbox, self._on_commit = outbox, on_commit

    @contextmanager
    def of(self) -> Iterator[list[Any]]:
        """The mails of what is done inside; complete when the block has ended."""
        send_mails()  # of what was done before
        before, sent = len(self._outbox), []
        with self._on_commit(execute=True):
            yield sent
        send_mails()
        sent += self._outbox[before:]
