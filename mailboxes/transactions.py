"""Transactions on which something outside the database relies."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def on_disk() -> Iterator[None]:
    """A transaction of its own that is on the disk when the block has ended, whatever the server's default is.

    For what can't be done again or taken back: a sender is told 250, a blob is removed, keys are said to be destroyed.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = on")
        yield
