"""Every page as people meet it: a machine finds no fault of WCAG 2.2 AA, it fits a phone, and none of its texts has
stayed English.

`make test` walks each part of the tour in English and in one other language, and so passes through all of them; `make
soak` walks every part in every language.
"""

import json
import os
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.conf.locale import LANG_INFO
from django.core.signals import request_started
from django.test.signals import template_rendered
from django.utils.translation import trans_real

from portal.languages.catalogs import ROOT
from tests.cast import PASSWORD
from tests.journeys import stage as names
from tests.journeys import tour
from tests.journeys.refusing import Refusing

DESK, PHONE = {"width": 1280, "height": 720}, {"width": 360, "height": 740}
ENGLISH, *OTHERS = [code for code, name in settings.LANGUAGES]
LONG = os.environ.get("GATEHOUSE_LONG") == "1"
WALKED = {part: OTHERS if LONG else [OTHERS[number % len(OTHERS)]] for number, part in enumerate(tour.PARTS)}
WALKED |= {part: [] for part in tour.IN_ENGLISH_ALONE}

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What the other colours and the other direction can change.
RULES_OF_LOOKS = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]

# Codes, addresses and passwords are no texts, and what stands in <noscript> is none to a browser with scripts.
TEXTS = """() => {
  const silent = "script, style, noscript, pre, code, .mono, .secret, .tile, [name=time_zone]";
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest(silent)) continue;
    const before = node.previousSibling?.localName === "wbr" ? texts.pop() ?? "" : "";  // it ends no text
    texts.push(before + node.textContent);
  }
  for (const element of document.querySelectorAll("*")) {
    for (const name of ["alt", "title", "placeholder", "aria-label", "aria-description", "aria-valuetext"]) {
      if (element.hasAttribute(name)) texts.push(element.getAttribute(name));
    }
  }
  return texts;
}"""

DATA = [
    names.OWNER,
    names.OPERATOR,
    names.ADMIN,
    names.VIEWER,
    names.GUEST,
    names.NAME,
    names.REASON,
    names.DESCRIPTION,
]
DATA += [names.PROVIDER, names.CUSTOMER, names.EMPTY_CUSTOMER, "contoso.example", "stage", "portal.localhost"]
DATA += ["Fabrikam Services", "Acme", "Globex", "Initech"]  # of whom platform staff read as well
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


# What the tour does not come by.
ELSEWHERE = {
    "400.html": "no link leads there; built as 404.html",
    "413.html": "no link leads there; built as 404.html",
    "429.html": "no link leads there; built as 404.html",
    "500.html": "no link leads there; built as 404.html",
    "503.html": "no link leads there; built as 404.html",
    "busy.html": "no link leads there; built as 404.html",
    "refused.html": "no link leads there; built as 404.html",
    "signin/two_sessions.html": "no link leads there; built as 404.html",
    "rosetta/base.html": "Rosetta's frame",
    "rosetta/file-list.html": "Rosetta's page",
    "rosetta/form.html": "Rosetta's page",
    "rosetta/read.html": "Rosetta's page",
    "frame/onward.html": "leads on at once, for other sites' pages alone; looked at in test_other_websites.py",
    "socialaccount/onward.html": "leads on at once; looked at in test_identity_provider.py",
}
# What is refused of a form there is told on another page.
ANSWERED_BY = {
    "mailboxes/new_password.html": "mailboxes/new_confirm.html",
    "mailboxes/reset_password.html": "mailboxes/reset_confirm.html",
}
SHOWN = Path(os.environ["GATEHOUSE_STATE_DIR"]) / "shown"  # all processes of a run share it


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


JUDGE = """async ([direction, rules]) => {
  document.documentElement.dir = direction;
  // No rule of these reads what preloading would fetch: styles as text, and media.
  const how = {runOnly: rules, resultTypes: ["violations"], preload: false};
  const judge = async (part, asked) => (await axe.run(part, how)).violations.map((found) => [asked, found]);
  const found = await judge("html", "");
  const dialog = document.querySelector("dialog");  // they are one part: a page's first stands for all
  if (dialog) {
    dialog.showModal();
    found.push(...await judge("dialog:modal", "asked"));
    dialog.close();
  }
  document.documentElement.dir = "ltr";
  return found;
}"""


def accessible(page, found):
    """Notes what axe finds, in light and from left to right, and once more as for people who like it dark and read from
    the right.
    """

    def look(step):
        if not page.evaluate("typeof axe === 'object'"):
            page.evaluate(AXE_SCRIPT)
        note(step, "light", "ltr", RULES)
        page.emulate_media(color_scheme="dark")
        note(step, "dark", "rtl", RULES_OF_LOOKS)
        page.emulate_media(color_scheme="light")

    def note(step, scheme, direction, rules):
        for asked, violation in page.evaluate(JUDGE, [direction, rules]):
            where = [node["html"][:160] for node in violation["nodes"][:3]]
            found.append((step, asked, scheme, direction, violation["id"], violation["help"], where))

    return look


# How wide a page is on a phone, in both directions, and the parts of a line whose dots, which stand before them, would
# stand behind.
FIT = """() => ["rtl", "ltr"].map((direction) => {
  document.documentElement.dir = direction;
  const astray = [...document.querySelectorAll(".dot-sep > *")]
    .filter((one) => getComputedStyle(one).direction !== getComputedStyle(one.parentElement).direction)
    .map((one) => one.outerHTML.slice(0, 120));
  return [direction, document.documentElement.scrollWidth, astray];
})"""


# Scripts hear of another width before the next frame is drawn, and put what is open (a list of people) in its place.
DRAWN = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


def fitting(page, language, unfit):
    """Notes how wide a page is on a phone if that is too much, in both directions, and what its dots don't part."""

    def look(step):
        for direction, width, astray in page.evaluate(FIT):
            if width > PHONE["width"]:
                unfit.append((language, step, direction, width))
            unfit.extend((language, step, direction, part) for part in astray)

    return look


# What browsers would refuse or cut in words of their own, in their own language, if in any. A code is as long as it is.
UNASKED = """() => [...document.querySelectorAll("main form[method=post]")]
  .flatMap((form) => [...form.elements].filter((one) =>
    (one.willValidate && !one.matches("button, fieldset, [type=hidden]") && !form.noValidate)
    || (one.hasAttribute("maxlength") && one.autocomplete !== "one-time-code")))
  .map((one) => one.name)"""


def left_to_the_server(page, unasked):
    """Notes the fields of ours that the browser would refuse itself: the server says it beside the field."""

    def look(step):
        if "/admin/" not in page.url:
            unasked.extend((step, name) for name in page.evaluate(UNASKED))

    return look


def worded(page, language, texts):
    """Notes the texts of a page, and where they were seen last."""

    def look(step):
        named, found = page.evaluate(f"() => [document.documentElement.lang, ({TEXTS})()]")
        assert named == language
        texts.update({words(text): step for text in found})

    return look


@contextmanager
def standing():
    """The templates of the page that stands there, with those of the parts that were swapped in since it came."""
    templates = set()

    def comes(sender, environ, **rest):
        if environ.get("HTTP_SEC_FETCH_DEST") == "document":
            templates.clear()

    def note(sender, template, **rest):
        templates.add(template.name)

    request_started.connect(comes)
    template_rendered.connect(note)
    try:
        yield templates
    finally:
        request_started.disconnect(comes)
        template_rendered.disconnect(note)


def _open(page):
    page.evaluate(
        "document.querySelectorAll('details:not([open], .menu)').forEach((part) => { part.open = true })"
    )


@pytest.mark.parametrize("name", tour.PARTS)
def test_every_page_is_accessible_fits_a_phone_and_is_in_the_language(visit, stage, name):
    others = WALKED[name]
    texts = {language: {} for language in (ENGLISH, *others)}
    found, unfit, unasked, shown = [], [], [], set()

    def at_the_desk(visitor, templates):
        page = visitor.page
        page.add_init_script(AXE_SCRIPT)  # sent once, while at each page it would be sent anew
        read, seen = worded(page, ENGLISH, texts[ENGLISH]), accessible(page, found)
        held, left = fitting(page, ENGLISH, unfit), left_to_the_server(page, unasked)

        def look(step):
            shown.update(templates)
            read(step)
            left(step)
            _open(page)
            seen(step)
            page.set_viewport_size(PHONE)
            page.evaluate(DRAWN)
            held(step)
            page.set_viewport_size(DESK)

        tour.PARTS[name](visitor, stage, stage.company(), look)

    def on_the_phone(visitor, language):
        page = visitor.page
        read, held = worded(page, language, texts[language]), fitting(page, language, unfit)

        def look(step):
            read(step)
            _open(page)
            held(step)

        tour.PARTS[name](visitor, stage, stage.company(), look)

    refusing = Refusing()
    template_rendered.connect(refusing)
    with standing() as templates:
        visit(
            lambda visitor: at_the_desk(visitor, templates),
            viewport=DESK,
            locale=ENGLISH,
            reduced_motion="reduce",
        )
    template_rendered.disconnect(refusing)
    for language in others:
        visit(lambda visitor, code=language: on_the_phone(visitor, code), viewport=PHONE, locale=language)
    assert found == [], "\n".join(map(str, found))
    assert unfit == []
    assert unasked == []
    silent = {(page, form) for page, form in refusing.silent if page not in ANSWERED_BY}
    assert silent == set(), "forms whose refusal as a whole nobody would see"
    assert {language: untranslated(language, texts) for language in others} == {
        language: {} for language in others
    }
    assert [
        text
        for language in others
        if language in FAMILIAR
        for text in texts[language]
        if FAMILIAR[language].search(text)
    ] == []
    _leaves_no_page_out(name, shown)


def untranslated(language, texts):
    """Texts that stand on the English page too, and that no translator found to be right as they are, with their step."""
    allowed = alike(language)
    return {
        text: step for text, step in texts[language].items() if text in texts[ENGLISH] and text not in allowed
    }


def _leaves_no_page_out(name, shown):
    """The last part to be walked sees whether the tour has passed every page."""
    SHOWN.mkdir(exist_ok=True)
    (SHOWN / name).write_text(json.dumps(sorted(filter(None, shown))))
    walked = [SHOWN / part for part in tour.PARTS]
    if all(part.exists() for part in walked):
        pages = _pages().difference(*(json.loads(part.read_text()) for part in walked))
        assert sorted(pages) == sorted(ELSEWHERE)


def _pages():
    folder = ROOT / "portal/console/templates"
    return {str(path.relative_to(folder)) for path in folder.rglob("*.html")}


@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("en", "ltr")])
def test_a_time_reads_in_the_direction_of_its_language(visit, stage, language, direction):
    company = stage.company()

    def story(visitor):
        visitor.signs_in(company.owner.email, PASSWORD)
        visitor.page.goto(visitor.url("/settings/sessions/"))
        return visitor.page.locator("time").first.evaluate("time => getComputedStyle(time).direction")

    assert visit(story, locale=language) == direction
