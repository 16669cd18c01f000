"""In each language every page fits a phone, and none of its texts has stayed English.

`make test` walks each part of the tour in English and in one other language, and so passes through all of them; `make
soak` walks every part in every language.
"""

import os
import re

import pytest
from django.conf import settings
from django.conf.locale import LANG_INFO
from django.utils.translation import trans_real

from tests.cast import PASSWORD
from tests.journeys import stage as names
from tests.journeys import tour

PHONE = {"width": 360, "height": 740}
ENGLISH, *OTHERS = [code for code, name in settings.LANGUAGES]
LONG = os.environ.get("GATEHOUSE_LONG") == "1"
WALKED = {part: OTHERS if LONG else [OTHERS[number % len(OTHERS)]] for number, part in enumerate(tour.PARTS)}
WALKED |= {part: [] for part in tour.IN_ENGLISH_ALONE}

# Codes, addresses and passwords are no texts, and what stands in <noscript> is none to a browser with scripts.
TEXTS = """() => {
  const silent = "script, style, noscript, pre, code, .mono, .secret, .tile, [name=time_zone]";
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    if (!walker.currentNode.parentElement.closest(silent)) texts.push(walker.currentNode.textContent);
  }
  for (const element of document.querySelectorAll("*")) {
    for (const name of ["alt", "title", "placeholder", "aria-label", "aria-description", "aria-valuetext"]) {
      if (element.hasAttribute(name)) texts.push(element.getAttribute(name));
    }
  }
  return texts;
}"""

DATA = [names.OWNER, names.ADMIN, names.VIEWER, names.GUEST, names.NAME, names.REASON, names.DESCRIPTION]
DATA += [names.PROVIDER, names.CUSTOMER, names.EMPTY_CUSTOMER, "contoso.example"]
NAMES = [
    "Gatehouse",
    "Office 365 Journal",
    "Office 365",
    "Nokia 3310",
    "UTC",
    "OpenID Connect",
    "Microsoft Entra ID",
]
NAMES += [LANG_INFO[code]["name_local"] for code, name in settings.LANGUAGES]
NO_TEXT = re.compile(
    "|".join(rf"\b{re.escape(text.strip(' -'))}\b" for text in sorted(DATA + NAMES, key=len, reverse=True))
    + r"|\S+@\S+|%\(\w+\)[sd]|{\w*}|[^\w]|[\d_]",
    re.IGNORECASE,
)
# The polite form is the only one, also in the texts that come with Django and allauth.
FAMILIAR = {
    "de": re.compile(r"\b(du|dich|dir|dein\w*)\b", re.IGNORECASE),
    "fr": re.compile(r"\b(tu|te|toi|ton|ta|tes)\b", re.IGNORECASE),
    "es": re.compile(r"\b(tú|ti|tus?|tienes|puedes|debes)\b", re.IGNORECASE),
}


def words(text):
    """What of a text could be in one language or another."""
    return " ".join(word for word in NO_TEXT.sub(" ", text).split() if len(word) > 1)


def parts(text):
    """As a page shows a text: what stands between its tags, each by itself."""
    return {words(part) for part in re.split(r"<[^>]+>", text)}


def alike(language):
    """The texts that translators found to be right as they are, ours or those of Django and allauth."""
    found = {""}
    for key, text in trans_real.translation(language)._catalog.items():
        english, number = key if isinstance(key, tuple) else (key, 0)
        english = english.rpartition("\x04")[2]  # what stands before it is the context
        found |= parts(english + "s" * bool(number)) & parts(text)
    return found


def looking(page, language, too_wide, texts):
    """Notes how wide a page is if that is too much, as it stands and as it would be for people who read from the right."""

    def look(step):
        assert page.get_attribute("html", "lang") == language
        texts.update({words(text): step for text in page.evaluate(TEXTS)})
        for closed in page.query_selector_all("details:not([open]):not(.menu)"):
            closed.evaluate("card => { card.open = true }")
        for direction in ("rtl", "ltr"):
            page.evaluate("to => { document.documentElement.dir = to }", direction)
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                too_wide.append((language, step, direction, width))

    return look


@pytest.mark.parametrize("name", tour.PARTS)
def test_every_page_fits_a_phone_and_is_in_the_language(visit, stage, name):
    part, others = tour.PARTS[name], WALKED[name]
    texts = {language: {} for language in (ENGLISH, *others)}
    too_wide = []

    def story(language):
        company = stage.company()

        def walk(visitor):
            part(visitor, stage, company, looking(visitor.page, language, too_wide, texts[language]))

        visit(walk, viewport=PHONE, locale=language)

    for language in texts:
        story(language)
    assert too_wide == []
    english = {
        language: {text: step for text, step in texts[language].items() if text in texts[ENGLISH]}
        for language in others
    }
    for language, left in english.items():
        for text in alike(language) & left.keys():
            del left[text]
    assert english == {language: {} for language in others}
    assert [
        text
        for language in others
        if language in FAMILIAR
        for text in texts[language]
        if FAMILIAR[language].search(text)
    ] == []


@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("en", "ltr")])
def test_a_time_reads_in_the_direction_of_its_language(visit, stage, language, direction):
    company = stage.company()

    def story(visitor):
        visitor.signs_in(company.owner.email, PASSWORD)
        visitor.page.goto(visitor.url("/settings/sessions/"))
        return visitor.page.locator("time").first.evaluate("time => getComputedStyle(time).direction")

    assert visit(story, locale=language) == direction
