"""What may stand as a name: in lists, on pages, and at the beginning of our mails."""

import re
from unicodedata import category

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Unicode's categories: controls, ends of lines and of paragraphs, halves of characters. What is merely invisible may
# stay: Persian, Arabic and Hebrew names and many emojis are not written without it.
NO_LINE = {"Cc", "Zl", "Zp", "Cs"}
# Embeddings and overrides of direction: what stands behind the name on the page would be turned around with it.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e")
# What nobody sees: one of the categories, and whatever theirs is joiners and fillers, selectors of a letter's form, tags
# and the blank of Braille.
INVISIBLE = "Cf"
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(point) for start, end in ((0xFE00, 0xFE0F), (0xE0000, 0xE0FFF)) for point in range(start, end + 1)
}

# Whatever a program that shows mail makes a link of, or a reader types: URLs, e-mail addresses, names of hosts with any
# of the dots that browsers read as one, numbers of hosts.
_DOT = r"[.\u3002\uff0e\uff61]"
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*|\b(?:mailto|tel|sms|data|javascript):\S*|\S*@\S*|\bwww\."
    rf"|[^\W_][\w-]*(?:{_DOT}[\w-]+)*{_DOT}[^\W\d_]{{2,}}|\d+(?:\.\d+){{3}}",
    re.IGNORECASE,
)
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


def is_a_line(text: str) -> bool:
    """Whether it stays in its line, and leaves what stands around it as it is."""
    return not any(char in TURNING or category(char) in NO_LINE for char in text)


def addresses_in(text: str) -> set[str]:
    """Addresses of websites, people and hosts that stand in a text, also behind invisible letters."""
    return {_EDGES.sub("", found).casefold() for found in _ADDRESS.findall(visible(text))}


def visible(text: str) -> str:
    """Without the characters that nobody sees."""
    return "".join(char for char in text if category(char) != INVISIBLE and char not in BLANK)


def validate_name(name: str) -> None:
    """Of a person. Raises ValidationError for line breaks, which in a mail of ours would begin paragraphs that we did not
    write, and for addresses, to which such a mail would lead people in our name.
    """
    if not is_a_line(name):
        raise ValidationError(_("The name must not have line breaks or control characters."), code="name")
    if addresses_in(name):
        raise ValidationError(
            _(
                "The name must not have an address in it, of a website or for e-mail. Type a space after each full stop."
            ),
            code="name",
        )
