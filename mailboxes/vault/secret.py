"""A secret hides itself: whoever prints, logs, formats or serialises it gets a mask or an error, never the text."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, final

MASK = "********"


@final
class Secret:
    """A text that is shown only where somebody asks for it by name, with `reveal`.

    Python can neither wipe a `str` nor say where copies of it lie, so this keeps a secret out of logs, error pages
    and queues; it does not keep it out of the memory of a running process.
    """

    __slots__ = ("__text",)
    __text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_Secret__text", text)

    def reveal(self) -> str:
        """The text itself. Every call is a place to look at in a review."""
        return self.__text

    def __eq__(self, other: object) -> bool:
        """Compare in constant time for texts of one length. A plain `str` never equals a secret."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self), _octets(other))

    # A hash would make secrets keys of dictionaries, whose look-up compares in its own time.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not to be serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not to be serialised")


def _octets(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
