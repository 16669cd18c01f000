"""What somebody changed on a list that a page showed, where others may have changed it since."""

from collections.abc import Collection
from typing import TypeVar

T = TypeVar("T")


def merged(now: Collection[T], *, shown: Collection[T], wanted: Collection[T]) -> list[T]:
    """What there is by now, without what was taken out of what was shown, and with what was put to it."""
    kept = [one for one in now if one in wanted or one not in shown]
    return kept + [one for one in wanted if one not in shown and one not in kept]
