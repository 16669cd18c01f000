"""Every word on a page passes gettext: nothing that people read stands in a template as it is."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(path.relative_to(ROOT) for path in ROOT.glob("*/templates/**/*.html"))

# Names stay what they are in every language.
NAMES = {"Gatehouse", "Office 365", "UTC"}
READ_ALOUD_OR_SHOWN = {"alt", "title", "placeholder", "aria-label", "aria-description"}

TRANSLATED = re.compile(
    r"{%-?\s*(blocktrans(?:late)?|comment)\b.*?%}.*?{%\s*end\1\s*%}|{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL
)
WORD = re.compile(r"[^\W\d_]{2,}")


class Texts(HTMLParser):
    """The texts that a browser would show or a screen reader would read."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag in {"script", "style"}
        self.found += [value or "" for name, value in attrs if name in READ_ALOUD_OR_SHOWN]

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)


def unmarked(template: str) -> Iterator[str]:
    for text in Texts(TRANSLATED.sub(" ", template)).found:
        rest = text
        for name in NAMES:
            rest = rest.replace(name, "")
        if WORD.search(rest):
            yield " ".join(text.split())


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_word_of_a_page_can_be_translated(page: Path) -> None:
    assert list(unmarked((ROOT / page).read_text())) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello</p>",
        "{% if x %}Hello{% endif %}",
        '<img alt="Hello">',
        '<input placeholder="Hello {{ name }}">',
        '{% translate "Hello" %}, Hello',
        "{% blocktranslate %}Hello{% endblocktranslate %} Hello {% blocktranslate %}Hello{% endblocktranslate %}",
    ],
)
def test_an_unmarked_word_is_found(template: str) -> None:
    assert [text for text in unmarked(template) if "Hello" in text]


@pytest.mark.parametrize(
    "template",
    [
        '<p class="Hello">{% translate "Hello" %}</p>',
        "{% blocktranslate trimmed %}\n Hello <b>you</b>\n{% endblocktranslate %}",
        '<th scope="col" {% if x %}class="num"{% endif %}>{{ Hello|default:"Hello" }} UTC 1</th>',
        "{# Hello #}<!-- Hello --><script>Hello()</script>",
        "{% comment %}Hello{% endcomment %}",
    ],
)
def test_what_is_marked_or_unseen_is_not(template: str) -> None:
    assert list(unmarked(template)) == []
