"""Sizes as people type them: "10 GB", "1,5 Go", "512 MiB". A KB is 1024 octets, as on all our pages (Django's filesizeformat)."""

import re
import unicodedata

from django.core.exceptions import ValidationError
from django.utils.formats import get_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

STEP = 1024
# What each language calls them, in Django's own catalogs; by variables, so that they are no texts of ours.
_OF_DJANGO = ("%s KB", "%s MB", "%s GB", "%s TB", "%s PB")
# A letter alone, octets as the French say, and the binary units by their full names.
_SPELLINGS = [(letter, f"{letter}b", f"{letter}ib", f"{letter}o", f"{letter}io") for letter in "kmgtp"]
_BYTES = {"b", "o", "octet", "octets"}
LEAST_BARE = STEP**2  # a number without a unit is none of bytes, unless it is this long
LONGEST = 10_000  # of a unit; what is more and exact in no other is told in bytes
MANY = 100
_AS_MANY_FORMS = (0, 1, 2, 3, 11, MANY)  # as a language may have plurals, Arabic for one
# The Arabic decimal and thousands separators, and the apostrophe by which the Swiss part thousands.
_ARABIC_POINT, _ARABIC_GROUP, _APOSTROPHE = "\u066b", "\u066c", "\u2019"
_PARTS = f".,'{_ARABIC_POINT}{_ARABIC_GROUP}{_APOSTROPHE}"
_TYPED = re.compile(rf"(?P<number>\d[\d\s{_PARTS}]*?)\s*(?P<unit>[^\d\s{_PARTS}][^\d]*)?")
_GROUPS = re.compile(rf"\d{{1,3}}(?:[.,' {_ARABIC_GROUP}{_APOSTROPHE}]\d{{3}})+")
_DECIMAL = re.compile(rf"(\d+)[.,{_ARABIC_POINT}](\d+)")


def parse_size(text: str) -> int:
    """How many octets that is. Raises ValidationError for what is no size, or is short and has no unit: nobody means ten bytes
    by “10”.
    """
    typed = _TYPED.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if typed is None:
        raise _no_size()
    whole, fraction = _number(typed["number"].strip())
    bare = not typed["unit"] and not fraction and int(whole) >= LEAST_BARE
    factor = 1 if bare else _factor(typed["unit"] or "")
    # In whole numbers: a size that was written by written() comes back to the octet.
    return int(whole) * factor + int(fraction or 0) * factor // 10 ** len(fraction)


def written(octets: int) -> str:
    """For a field in which people change it: in the largest unit in which it is exact with at most two digits behind the point,
    and no longer than people read.
    """
    for unit in range(len(_OF_DJANGO), 0, -1):
        hundredths, rest = divmod(octets * 100, STEP**unit)
        if STEP**unit <= octets < LONGEST * STEP**unit and not rest:
            whole, part = divmod(hundredths, 100)
            digits = f"{part:02}".rstrip("0")
            number = f"{whole}{get_format('DECIMAL_SEPARATOR')}{digits}" if digits else str(whole)
            return gettext(_OF_DJANGO[unit - 1]) % number
    return _bytes(MANY, str(octets))  # one and two have a word instead of a number in some languages


def _bytes(count: int, shown: str) -> str:
    return ngettext("%(bytes)s byte", "%(bytes)s bytes", count) % {"bytes": shown}


def _factor(unit: str) -> int:
    unit = unit.strip().casefold()
    if unit in _BYTES | {_bytes(count, "").strip().casefold() for count in _AS_MANY_FORMS}:
        return 1
    for power, spellings in enumerate(_SPELLINGS, 1):
        if unit in spellings or unit == (gettext(_OF_DJANGO[power - 1]) % "").strip().casefold():
            return int(STEP**power)
    raise _no_size()


def _number(text: str) -> tuple[str, str]:
    """The digits before and behind the point. In “1,500” the sign is what it is in the reader's language."""
    text = re.sub(r"\s", " ", text)
    decimal, separator = _DECIMAL.fullmatch(text), get_format("DECIMAL_SEPARATOR")
    if decimal and (separator in text or _ARABIC_POINT in text or not _GROUPS.fullmatch(text)):
        return decimal[1], decimal[2]
    if text.isdecimal() or _GROUPS.fullmatch(text):
        return re.sub(r"\D", "", text), ""
    raise _no_size()


def _no_size() -> ValidationError:
    return ValidationError(_("Type a size with its unit, such as 500 MB or 10 GB."), code="size")
