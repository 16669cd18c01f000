"""A text that hides itself wherever objects are printed, logged, compared or stored."""

import hmac
from typing import NoReturn, final

KEPT_OUT = "A secret is neither copied nor stored."
MASK = "••••••••"


@final
class Secret:
    """A password in memory. Only `reveal` gives it away; everything else shows a mask or refuses.

    Equality takes the same time wherever two secrets differ. There is no hash, so that it can't become a key
    of a cache, and no way into pickle, copies or JSON (TypeError).
    """

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Pass it on, never keep it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_octets(self), _octets(other))

    def __repr__(self) -> str:
        return f"<Secret {MASK}>"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(KEPT_OUT)


def _octets(secret: Secret) -> bytes:
    """Also of what is no Unicode: a client may send anything as a password."""
    return secret.reveal().encode(errors="surrogatepass")
