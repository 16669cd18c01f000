"""What Django and allauth say on our pages is in the reader's language, and as polite as our own texts."""

import re
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import override

from accounts.actors import SYSTEM
from accounts.services import reset_link
from tests.cast import PASSWORD
from tests.pages import read

OTHERS = [code for code, _name in settings.LANGUAGES if code != "en"]
FAMILIAR = {
    "de": r"\b(?:du|dich|dir|dein(?:e[mnrs]?)?)\b",
    "fr": r"\b(?:tu|te|toi|ton|ta|tes)\b",
    "es": r"\b(?:tú|tu|tus|te|ti)\b",
}
LOGIN = "/accounts/login/"


def told_by(answer):
    """What its page's notices and errors say, piece by piece."""
    page = read(answer)
    notes = [
        part
        for part in page.iter("p", "ul", "div")
        if re.search(r"\b(notice|errors)\b", part.get("class", ""))
    ]
    outer = [note for note in notes if not any(around in notes for around in note.iterancestors())]
    return [" ".join(text.split()) for note in outer for text in note.xpath(".//text()[normalize-space()]")]


@pytest.fixture
def told(cast, client_for):
    """All that goes wrong for somebody who reads that language, and what is said to it."""

    def walk(language):
        visitor = client_for(host=None, HTTP_ACCEPT_LANGUAGE=language)
        stranger = {"login": f"{language}@nowhere.example", "password": "a-wrong-guess"}
        reset = visitor.get(urlsplit(reset_link(cast.viewer, by=SYSTEM)).path, follow=True).redirect_chain[
            -1
        ][0]
        pages = [
            visitor.post(LOGIN, {"login": "nonsense", "password": ""}),
            *(visitor.post(LOGIN, stranger) for _ in range(6)),
            visitor.post("/accounts/password/reset/", {"email": "nonsense"}),
            *(
                visitor.post(reset, {"password1": chosen, "password2": chosen})
                for chosen in ("short", "qwerty123456", cast.viewer.email, "")
            ),
            visitor.post(reset, {"password1": "seven-lamps-under-water", "password2": "six-lamps"}),
            visitor.post(LOGIN, {"login": cast.owner.email, "password": PASSWORD}, follow=True),
            visitor.post("/accounts/reauthenticate/", {"password": "a-wrong-guess"}),
            visitor.post("/accounts/logout/", follow=True),
        ]
        return [told_by(page) for page in pages]

    return walk


@pytest.mark.parametrize("language", OTHERS)
def test_whatever_goes_wrong_is_told_in_the_readers_language_and_politely(told, language):
    for english, translated in zip(told("en"), told(language), strict=True):
        assert english and len(english) == len(translated)
        assert not set(english) & set(translated)
        assert not [
            text for text in translated if re.search(FAMILIAR.get(language, "$^"), text, re.IGNORECASE)
        ]


@pytest.mark.parametrize(
    ("octets", "size"),
    [(0, "0 بايت"), (1, "بايت واحد"), (2, "بايتان"), (3, "3 بايتات"), (11, "11 بايتًا"), (100, "100 بايت")],
)
def test_sizes_are_counted_as_arabic_counts(octets, size):
    with override("ar"):
        assert filesizeformat(octets).replace("\xa0", " ") == size
