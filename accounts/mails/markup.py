"""A mail's text as HTML: the same words in the look of the pages, so that no sentence is written twice."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import get_language_bidi

from accounts.mails.colours import DARK, LIGHT
from accounts.mails.letterhead import Letterhead

LOGO = "logo@gatehouse"  # the Content-ID of the picture in a letterhead
ADDRESS = re.compile(r"https?://\S+")
FACT = re.compile(r"([^:]{1,40}:) (\S.*)")
ENTRY = "- "


@dataclass(frozen=True)
class Block:
    """A paragraph, a link on a line of its own, a list, or facts with their names."""

    kind: str  # text, link, list, facts
    lines: list[str]
    verb: str = ""  # on a link's button

    @property
    def facts(self) -> list[tuple[str, str]]:
        found = (FACT.fullmatch(line) for line in self.lines)
        return [(fact[1], fact[2]) for fact in found if fact]


@dataclass
class Parts:
    """What the template of all mails shows one below the other."""

    blocks: list[Block]
    foot: list[Block] = field(default_factory=list)


def html_of(
    text: str, *, subject: str, home: str, verbs: Mapping[str, str], letterhead: Letterhead | None = None
) -> SafeString:
    """The HTML part for a mail's text as it is before its lines are broken, in the language that is active.

    It has what the text has and nothing else: no address that isn't in the text, and no picture but the letterhead's logo,
    which comes with the mail. `home` is the address
    with which texts end that say where a mail comes from; that paragraph is the foot. Any other link on a line of its
    own is a button, with its address readable below it; `verbs` say by address what the button does.
    """
    parts = _parts(text, home)
    parts.blocks = [
        replace(one, verb=verbs.get(one.lines[0], "")) if one.kind == "link" else one for one in parts.blocks
    ]
    return render_to_string(
        "accounts/email/mail.html",
        {
            "subject": subject,
            "parts": parts,
            "direction": "rtl" if get_language_bidi() else "ltr",
            "letterhead": letterhead,
            "logo": LOGO,
            "light": LIGHT | dict(letterhead.light if letterhead else {}),
            "dark": DARK | dict(letterhead.dark if letterhead else {}),
        },
    )


def _parts(text: str, home: str) -> Parts:
    paragraphs = [list(_blocks(paragraph)) for paragraph in re.split(r"\n\s*\n", text.strip())]
    has_foot = len(paragraphs) > 1 and paragraphs[-1][-1] == Block("link", [home])
    foot = paragraphs.pop() if has_foot else []
    return Parts([block for blocks in paragraphs for block in blocks], foot)


def _blocks(paragraph: str) -> Iterator[Block]:
    lines = [line.strip() for line in paragraph.splitlines()]
    for kind, found in groupby(lines, _kind):
        run = list(found)
        if kind == "list":
            yield Block(kind, [line.removeprefix(ENTRY) for line in run])
        elif kind == "text" and len(run) > 1 and all(map(FACT.fullmatch, run)):
            yield Block("facts", run)
        else:
            yield from (Block(kind, [line]) for line in run)


def _kind(line: str) -> str:
    if ADDRESS.fullmatch(line):
        return "link"
    return "list" if line.startswith(ENTRY) else "text"
