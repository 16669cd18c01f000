"""The bell: Redis tells workers that there is something to do. What that is stands in PostgreSQL, and beat rings again.

So nothing that people do fails with Redis, and as good as nobody waits for it: one that takes a connection and says
nothing is asked once for an act, however many mails that writes.
"""

import logging
import threading

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


class _Thread(threading.local):
    """What was rung for at the end of the last transaction, or of the one that is under way."""

    def __init__(self) -> None:
        self.rung: set[tuple[str, ...]] = set()


_thread = _Thread()


def ring_after_commit(task: str, *arguments: str, times: int = 1) -> None:
    """Have workers take up the task once the caller's transaction is committed: as many as `times` side by side, however
    often it is asked for in that transaction.
    """
    if _thread.rung:  # it is over
        _thread.rung = set()
    rung, bell = _thread.rung, (task, *arguments)

    def ring_for_workers() -> None:  # with a name, by which Django logs what else may fail
        if bell not in rung:
            rung.add(bell)
            _ring(task, arguments, times)

    transaction.on_commit(ring_for_workers, robust=True)


def _ring(task: str, arguments: tuple[str, ...], times: int) -> None:
    try:
        for _number in range(times):
            # By default Celery tries again, and somebody waits for the answer to what they did.
            current_app.send_task(task, args=arguments, retry_policy={"max_retries": 0})
    except OperationalError as error:
        log.error("Redis does not answer, so beat will have to ring for %s: %s", task, error)
