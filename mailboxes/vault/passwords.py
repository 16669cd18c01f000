"""Mailbox passwords: generated, never chosen, and able to tell a slip of the finger from a wrong password.

The format, with the reason for each choice, is `docs/formats/passwords.md`.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable

from .errors import MistypedPassword
from .secret import Secret

# No i, l, o (they look like 1, 1, 0) and no u (it looks like v); entry reads each of the four as its twin.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
RANDOM_SYMBOLS = 26  # x 5 bits = 130
CHECK_SYMBOLS = 2
SYMBOLS = RANDOM_SYMBOLS + CHECK_SYMBOLS
GROUP = 4

# Long enough for every way of grouping or spacing a password, short enough to cost a stranger's megabyte nothing.
MAX_ENTRY_CHARACTERS = 256

_READS_AS = str.maketrans("ilou", "110v")
_VALUE = {symbol: value for value, symbol in enumerate(ALPHABET)}
_INVISIBLE = frozenset(
    {"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"}
)  # spaces, line ends, format marks, dashes of all kinds
_MINUS = "\u2212"  # looks like a dash, and is a mathematical symbol for Unicode


def new_password() -> Secret:
    """A fresh password of 130 random bits, as people read it: seven groups of four, joined by dashes."""
    values = [secrets.randbelow(32) for _ in range(RANDOM_SYMBOLS)]
    return _secret(values + _check_values(values))


def parse_password(text: str) -> Secret:
    """The password that somebody typed, whatever their case, spaces, dashes and look-alikes (o for 0, i or l for 1).

    Raises MistypedPassword if it cannot be one. Any one or two wrong symbols, and any two swapped ones, are
    certain to be noticed; of other slips with 28 symbols, 1023 in 1024.
    """
    return _secret(_parse(text))


def password_octets(password: Secret) -> bytes:
    """What the key of a password lock is derived from: the 28 symbols, without dashes. Raises MistypedPassword."""
    return _text(_parse(password.reveal())).encode("ascii")


def _parse(text: str) -> list[int]:
    if len(text) > MAX_ENTRY_CHARACTERS:
        raise MistypedPassword
    # NFKC turns full-width letters, which Asian keyboards produce, into the plain ones.
    folded = unicodedata.normalize("NFKC", text).lower().translate(_READS_AS)
    try:
        values = [_VALUE[character] for character in folded if not _is_decoration(character)]
    except KeyError:
        raise MistypedPassword from None  # a KeyError would show a character of the password
    if len(values) != SYMBOLS or _syndromes(values) != (0, 0):
        raise MistypedPassword
    return values


def _is_decoration(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or character == _MINUS


def _check_values(values: list[int]) -> list[int]:
    """The two symbols that make both sums zero. Exactly one pair does."""
    for last in range(32):
        rest = _syndromes([*values, 0, last])[0]
        if _syndromes([*values, rest, last]) == (0, 0):
            return [rest, last]
    raise AssertionError("every 26 symbols have their two check symbols")


def _syndromes(values: Iterable[int]) -> tuple[int, int]:
    """The sum of all symbols, and the sum of each symbol times two to the power of its place, in GF(32).

    Both are zero for a password. Places differ in their power of two, so no change of one or two symbols leaves
    both sums as they were.
    """
    plain = weighted = 0
    for place, value in enumerate(values):
        plain ^= value
        weighted ^= _times_power_of_two(value, place)
    return plain, weighted


def _times_power_of_two(value: int, exponent: int) -> int:
    for _ in range(exponent):
        value <<= 1
        if value & 0x20:
            value ^= 0x25  # modulo x^5 + x^2 + 1
    return value


def _text(values: Iterable[int]) -> str:
    return "".join(ALPHABET[value] for value in values)


def _secret(values: list[int]) -> Secret:
    text = _text(values)
    return Secret("-".join(text[start : start + GROUP] for start in range(0, SYMBOLS, GROUP)))
