"""Several processes for many schemas."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from django.db import connections

from accounts.children import die_with
from tenants.upgrading.migrating import Outcome, migrate


def migrate_all(schemas: Sequence[str], *, by: int, hold: float) -> Iterator[Outcome]:
    """The outcomes as they come, from so many processes. When one of these is killed, those that are missing do not come."""
    by = min(by, len(schemas))
    if by == 1:
        for schema in schemas:
            yield migrate(schema, hold=hold)
        return
    connections.close_all()  # or the processes would share them
    # Forked, for each has all of Django and its migrations ready then.
    with ProcessPoolExecutor(
        by, mp_context=get_context("fork"), initializer=_begin, initargs=(os.getpid(),)
    ) as pool:
        waiting = [pool.submit(migrate, schema, hold=hold) for schema in schemas]
        try:
            for one in as_completed(waiting):
                yield one.result()
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(cancel_futures=True)  # what has begun is done, when somebody presses Ctrl-C


def _begin(parent: int) -> None:
    """Ctrl-C is the parent's to hear; and nobody lives on when it has been killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent, signal.SIGKILL)
