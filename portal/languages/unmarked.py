"""Texts of templates that no translator would see, because no `{% translate %}` stands around them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

# Names stay what they are in every language.
NAMES = {"Gatehouse", "Office 365", "Rosetta", "UTC"}
READ_ALOUD_OR_SHOWN = {"alt", "title", "placeholder", "aria-label", "aria-description"}

# Pages in English alone, by the reason.
FOR_DEVELOPERS = {
    "portal/console/templates/gallery/gallery.html": "shows the parts of pages to who builds them, in the demo only",
}

TAGS = re.compile(
    r"{%-?\s*(blocktrans(?:late)?|comment)\b.*?%}.*?{%\s*end\1\s*%}|{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL
)
# Words, and the signs that not every language writes as English does: “33 %”, “Art :”, “،”.
TEXT = re.compile(r"[^\W\d_]{2,}|[%:;,?!]")


class _Texts(HTMLParser):
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
    """The texts of a page or an email that stay English in every language."""
    for text in _Texts(TAGS.sub(" ", template)).found:
        rest = text
        for name in NAMES:
            rest = rest.replace(name, "")
        if TEXT.search(rest):
            yield " ".join(text.split())


def unmarked_in(root: Path) -> Iterator[str]:
    """The unmarked texts of every page and email below `root`, a line each."""
    paths = [*root.glob("*/templates/**/*"), *root.glob("*/*/templates/**/*")]
    for path in sorted(path for path in paths if path.suffix in {".html", ".txt"}):
        if path.suffix == ".txt" and path.parent.name == "setup":
            continue  # commands for mail servers, the same in every language
        if str(path.relative_to(root)) in FOR_DEVELOPERS:
            continue
        for text in unmarked(path.read_text()):
            yield f"{path.relative_to(root)}: {text!r} is not marked for translation"
