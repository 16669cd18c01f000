"""What a process could not ask at its start, since somebody was away, is asked before the first work that relies on it.

Processes start without a database or a bucket (tenants/starting.py), and what is there when these are back may be another
one: behind a pooler that mixes customers up, of an earlier release, a bucket that keeps what is deleted. So each new
connection of the database (tenants/database) and each use of a bucket (mailboxes/store/s3.py) come by here first. As long as
the answer is no, or there is none, it is as if they were still away: pages answer 503, senders and archivers are put off,
jobs wait, and the log says why. What is wrong may be mended meanwhile, as by `manage.py upgrade`: so it is asked again.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.core.checks import CheckMessage
from django.db import OperationalError, connections

log = logging.getLogger(__name__)

# The complaints that the one or the other is away (portal/checks).
DATABASE, BUCKET = "gatehouse.E016", "gatehouse.E022"
# With these processes start. Redis is asked nothing that matters, and a bucket that is full has answered: it is collected
# from. A trail without its guards is said loudly; whoever switched them off would also keep mail out, if nothing started.
STARTS_ALL_THE_SAME = {DATABASE, BUCKET, "gatehouse.E017", "gatehouse.E035", "gatehouse.E037"}
AGAIN_SECONDS = 5.0
PATIENCE_SECONDS = 10.0  # of who comes while somebody else asks
SAME_AGAIN_SECONDS = 60.0


class NotFit(OperationalError):
    """The database, or the bucket, is not to be used: why is in its text."""


class _Doubts:
    def __init__(self) -> None:
        self.about: set[str] = set()
        self.ask: Callable[[], Sequence[CheckMessage]] = list
        self.turn = threading.Lock()
        self.asker = 0
        self.why, self.not_before = "", 0.0
        self.told_at: dict[str, float] = {}


_doubts = _Doubts()


def begin(about: Collection[str], ask: Callable[[], Sequence[CheckMessage]]) -> None:
    """From here on DATABASE or BUCKET, whichever is among these, is used only once `ask` has no errors to tell."""
    global _doubts  # noqa: PLW0603 - a process has one, and starts once
    _doubts = _Doubts()
    _doubts.about, _doubts.ask = {DATABASE, BUCKET}.intersection(about), ask


def is_anything() -> bool:
    return bool(_doubts.about)


def settle(about: str) -> None:
    """Go on if there is no doubt about it, or none any more. Raises NotFit."""
    doubts = _doubts
    if about not in doubts.about or threading.get_ident() == doubts.asker:
        return
    if not doubts.turn.acquire(timeout=PATIENCE_SECONDS):
        raise NotFit("It is still being asked whether it is fit.")
    try:
        if about not in doubts.about:
            return
        if time.monotonic() >= doubts.not_before:
            _ask(doubts)
        if about in doubts.about:
            raise NotFit(doubts.why)
    finally:
        doubts.turn.release()


def _ask(doubts: _Doubts) -> None:
    try:
        # On a thread of its own, which has connections of its own: the one at hand is just being made.
        with ThreadPoolExecutor(1) as thread:
            errors = thread.submit(_answers, doubts).result()
    except Exception as error:  # whatever it is, it is no answer
        doubts.why = f"It could not be asked whether it is fit: {type(error).__name__}"
        if _is_news(doubts, type(error).__name__):
            log.exception("asking what could not be asked at the start failed")
    else:
        doubts.why = " ".join(f"{message.id}: {message.msg} {message.hint or ''}" for message in errors)
        if all(message.id in STARTS_ALL_THE_SAME for message in errors):
            doubts.about.intersection_update(str(message.id) for message in errors)
        if errors and _is_news(doubts, " ".join(sorted(str(message.id) for message in errors))):
            log.error("was away at the start and is not fit now: %s", doubts.why)
    doubts.not_before = time.monotonic() + AGAIN_SECONDS


def _is_news(doubts: _Doubts, what: str) -> bool:
    """Whether to say it, or it was said within the last minute. By its kind: ports and processes in the words may change
    each time.
    """
    now = time.monotonic()
    if what in doubts.told_at and now < doubts.told_at[what] + SAME_AGAIN_SECONDS:
        return False
    doubts.told_at[what] = now
    return True


def _answers(doubts: _Doubts) -> Sequence[CheckMessage]:
    doubts.asker = threading.get_ident()
    try:
        return doubts.ask()
    finally:
        doubts.asker = 0
        connections.close_all()
