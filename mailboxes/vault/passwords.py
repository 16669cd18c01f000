"""Passwords of mailboxes: generated, checked, read aloud. Format: docs/formats/passwords.md."""

import secrets
import unicodedata
from typing import Final

from mailboxes.vault.errors import MistypedPassword
from mailboxes.vault.secret import Secret

# Digits and capitals without I, L, O (read as 1, 1, 0) and U (read as V). A symbol's place is its value.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOK_ALIKES: Final = str.maketrans("ILOU", "110V")
GROUP: Final = 4
RANDOM_SYMBOLS: Final = 26  # 5 bits each: 130 bits
SYMBOLS: Final = RANDOM_SYMBOLS + 2

# The field with 32 elements, by x^5 + x^2 + 1. All 31 powers of 2 differ in it, so a code of up to 31 symbols
# with the roots 2 and 4 tells any two wrong symbols, two swapped ones included (Reed-Solomon, distance 3).
_MODULUS: Final = 0b100101
_ROOTS: Final = (2, 4)


def new_password() -> Secret:
    """A password of 130 random bits and two check characters, as it is shown: seven groups of four."""
    values = [secrets.randbelow(32) for _ in range(RANDOM_SYMBOLS)]
    return _canonical(values + _check_symbols(values))


def parse_password(text: str) -> Secret:
    """What a person typed, as it was shown to them. Forgives case, spaces, dashes and look-alikes.

    Raises MistypedPassword if it can't be any password: always for one or two wrong characters or two swapped
    ones, and for all but one in 1024 of other mistakes.
    """
    values = [ALPHABET.find(symbol) for symbol in _symbols_of(text).translate(LOOK_ALIKES)]
    if len(values) != SYMBOLS or -1 in values or any(_evaluate(values, root) for root in _ROOTS):
        raise MistypedPassword
    return _canonical(values)


def count_symbols(text: str) -> int:
    """How many of what a person typed count, of whatever alphabet: a password has SYMBOLS of them."""
    return len(_symbols_of(text))


def _symbols_of(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(sign for sign in plain if not sign.isspace() and unicodedata.category(sign) != "Pd")


def _canonical(values: list[int]) -> Secret:
    symbols = "".join(ALPHABET[value] for value in values)
    return Secret("-".join(symbols[at : at + GROUP] for at in range(0, SYMBOLS, GROUP)))


def _check_symbols(values: list[int]) -> list[int]:
    """The two symbols that make both roots evaluate to zero: the remainder by (x + 2)(x + 4)."""
    linear, constant = _ROOTS[0] ^ _ROOTS[1], _multiply(*_ROOTS)
    high = low = 0
    for value in values:
        lead = high ^ value
        high, low = low ^ _multiply(lead, linear), _multiply(lead, constant)
    return [high, low]


def _evaluate(values: list[int], root: int) -> int:
    total = 0
    for value in values:
        total = _multiply(total, root) ^ value
    return total


def _multiply(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 32:
            left ^= _MODULUS
        right >>= 1
    return product
