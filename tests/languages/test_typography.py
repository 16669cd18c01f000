"""Each language's own signs in the texts that we ship, as docs/glossary.md has them."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.conf import settings

from portal.languages.validation import texts_of

LOCALE = Path(__file__).resolve().parents[2] / "locale"
MARKUP = re.compile(r"<[^>]*>")
NO_BREAK = "\N{NO-BREAK SPACE}"
# A colon within an address, a time or a code has no space after it.
FRENCH_SPACE = rf"(?<!{NO_BREAK})(?:[;?!»]|:(?=\s|$))|«(?!{NO_BREAK})"


def texts(language):
    """What is read in that language, without markup."""
    catalog = "de" if language == "en" else language
    with (LOCALE / catalog / "LC_MESSAGES/django.po").open("rb") as file:
        messages = [message for message in read_po(file, locale=catalog) if message.id]
    for message in messages:
        for text in texts_of(message.id if language == "en" else message.string):
            yield MARKUP.sub("", text)


@pytest.mark.parametrize(
    ("language", "never"),
    [
        ("en", "[\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}]"),
        *((language, r"\w'\w") for language in ("de", "fr", "es", "ar")),
        *((language, r"\.\.\.") for language in dict(settings.LANGUAGES)),
        ("fr", FRENCH_SPACE),
        # Lines break after a hyphen, and one letter alone at the end of a line is read as a slip.
        *((language, r"\b[eE]-[mM]ail") for language in ("en", "de", "fr")),
    ],
)
def test_no_text_has_a_sign_that_its_language_does_not_write(language, never):
    assert [text for text in texts(language) if re.search(never, text)] == []
