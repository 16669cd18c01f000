"""Translations that can't stand in the place of their original.

Pages print translations as they are, tags and all, and code puts values into them: a tag more is a button that
somebody else has made, a placeholder less an error page.

Mails say them, too, in our name: an address that the original has not would lead people where a translator likes.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from gettext import c2py

from babel.messages.catalog import Catalog, Message

from accounts.names import addresses_in

# %(name)s, %d and {name}, and each per cent sign or brace that is no part of one and would end the formatting.
PLACE = re.compile(r"%(?:\(\w+\))?[-#0 +]*(?:(?!0)\d+)?(?:\.\d+)?[A-Za-z]|{[^{}]*}|[%{}]")
BARE = {"%", "{", "}"}
TAG = re.compile(r"<[^<>]*>?")  # browsers take one that nobody closes for a tag, too
# A straight quotation mark ends an attribute, and a line break the subject of a mail.
BREAKING = re.compile(r'["\x00-\x1f\x7f]')


def invalid(catalog: Catalog) -> Iterator[tuple[Message, str]]:
    """Each entry that must not be shown, with the reason. What is not translated yet does no harm."""
    few = _forms_of_few_numbers(catalog)
    for message in catalog:
        if message.id and (reason := _reason(message, few)):
            yield message, reason


def _reason(message: Message, few: Collection[int]) -> str:
    originals, translations = texts_of(message.id), texts_of(message.string)
    for form, translation in enumerate(translations):
        may_omit = 1 if message.pluralizable and form in few else 0
        if translation and (reason := _difference(originals, translation, may_omit)):
            return reason
    return ""


def texts_of(text: str | Collection[str] | None) -> list[str]:
    """All forms of an entry's original or translation."""
    return list(text) if isinstance(text, (list, tuple)) else [str(text or "")]


def _difference(originals: list[str], translation: str, may_omit: int) -> str:
    places, known = _places(translation), [_places(original) for original in originals]
    if added := places.difference(*known):
        return f"has {', '.join(sorted(added))}, which its original has not"
    if len(lacking := known[-1] - places - BARE) > may_omit:
        return f"lacks the placeholder {', '.join(sorted(lacking))}"
    if _tags(translation) not in map(_tags, originals):
        return "has other tags than its original"
    if set(BREAKING.findall(translation)).difference(*map(BREAKING.findall, originals)):
        return "has a straight quotation mark or a line break, which its original has not"
    if added := _addresses(translation).difference(*map(_addresses, originals)):
        return f"has the address {', '.join(sorted(added))}, which its original has not"
    return ""


def _places(text: str) -> set[str]:
    return set(PLACE.findall(text.replace("%%", "")))


def _addresses(text: str) -> set[str]:
    """With a letter for each placeholder, which may be a part of one."""
    return addresses_in(PLACE.sub("x", text))


def _tags(text: str) -> list[str]:
    return sorted(TAG.findall(text))


def _forms_of_few_numbers(catalog: Catalog) -> set[int]:
    """The plural forms that say by themselves how many they mean, such as “one message”."""
    form_of = c2py(catalog.plural_expr)
    numbers = Counter(form_of(number) for number in range(1000))
    return {form for form, count in numbers.items() if count <= 2}
