"""The bell: Redis tells workers that there is something to do. What that is stands in PostgreSQL, and beat rings again.

So nothing that people do fails with Redis, no promise depends on the bell, and as good as nobody waits for it: after one
that was not heard this process rings for nothing for some seconds, however many mails and transactions an act makes.
What it would have rung for, beat finds.

This is for what people do. Where tasks ring for each other (`.delay`, and `ring` in mailboxes.services.jobs) nobody
waits, so there Celery tries again, and a bell that is not heard fails the task.
"""

import logging
import time

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

PAUSE_SECONDS = 10.0


class _Pause:
    """Of all threads: written and read whole, so it takes no lock."""

    ends = 0.0  # by the monotonic clock


def ring_after_commit(task: str, *arguments: str, times: int = 1) -> None:
    """Have workers take up the task once the caller's transaction is committed, as many as `times` side by side."""

    def ring_for_workers() -> None:  # with a name, by which Django logs what else may fail
        _ring(task, arguments, times)

    transaction.on_commit(ring_for_workers, robust=True)


def _ring(task: str, arguments: tuple[str, ...], times: int) -> None:
    if time.monotonic() < _Pause.ends:
        return
    try:
        for _number in range(times):
            # By default Celery tries again, and somebody waits for the answer to what they did.
            current_app.send_task(task, args=arguments, retry_policy={"max_retries": 0})
    except OperationalError as error:
        _Pause.ends = time.monotonic() + PAUSE_SECONDS
        log.error(
            "Redis does not answer, so beat will have to ring for %s, and for whatever else this process has to do "
            "within %d seconds: %s",
            task,
            PAUSE_SECONDS,
            error,
        )
