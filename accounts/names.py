"""What may stand as a name: in lists, on pages, and at the beginning of our mails."""

import re
from collections.abc import Callable
from unicodedata import category, normalize

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.errors import TooManyMarks

# Unicode's categories: controls, ends of lines and of paragraphs, halves of characters. What is merely invisible may
# stay: Persian, Arabic and Hebrew names and many emojis are not written without it.
NO_LINE = {"Cc", "Zl", "Zp", "Cs"}
# Embeddings and overrides of direction: what stands behind the name on the page would be turned around with it.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e")
# Isolates do that only until they are closed, and keyboards for both directions write them.
OPENING, CLOSING = frozenset("\u2066\u2067\u2068"), "\u2069"
MARKS = {"Mn", "Me"}  # accents, vowel signs, circles around a letter
MARKS_IN_A_ROW = 8  # upon one letter. No script needs as many, and more would paint over the lines around
# What nobody sees: one of the categories, and what Unicode calls Default_Ignorable_Code_Point. That is all for which
# programs are to draw nothing, also where no character is assigned yet, which no category tells. The ranges are those of
# DerivedCoreProperties.txt, https://www.unicode.org/Public/UCD/latest/ucd/.
INVISIBLE = "Cf"
_DEFAULT_IGNORABLE = (
    "00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8 "
    "1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
)
# And what no property of Unicode's tells from letters and signs, but is drawn as nothing for what it means: the blank of
# Braille, the place of an object, what joins hieroglyphs (to Python's tables before Unicode 15 nothing at all) and their
# blanks, the filler of Khitan, the note without a head.
_DRAWN_AS_NOTHING = "2800 FFFC 13430-13442 16FE4 1D159"
BLANK = frozenset(
    chr(point)
    for first, _to, last in (
        each.partition("-") for each in f"{_DEFAULT_IGNORABLE} {_DRAWN_AS_NOTHING}".split()
    )
    for point in range(int(first, 16), int(last or first, 16) + 1)
)
# Those of them that take the place of a letter all the same: people see a space.
WIDE_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0\ufffc\U00013441\U00013442\U0001d159")

# Twice the longest that is kept of what is judged here, and what is longer is refused where it would be kept. A normal form
# may have 18 letters for one: of a form full of these it took seconds, with all threads waiting.
LONGEST = 1000

# Whatever a program that shows mail makes a link of, or a reader types or calls: URLs, shares of Windows, email
# addresses, names of hosts with any of the dots that browsers read as one, hosts with a port, numbers of hosts, telephone
# numbers. In NFKC, which leaves one more dot beside the full stop.
_DOT = r"[.\u3002]"
_SCHEMES = (
    "bitcoin|callto|data|facetime|facetime-audio|file|geo|im|javascript|magnet|mailto|maps|market|news|nntp|sips?|skype|"
    "sms|smsto|tel|urn|view-source|webcal|whatsapp|xmpp"
)
_ADDRESS = re.compile(
    rf"(?<![a-z0-9+.-])[a-z0-9+.-]+://\S*|\b(?:{_SCHEMES}):\S+|\\\\\w\S*|(?<!\S)[^\s@]*@\S*|\bwww{_DOT}"
    rf"|(?<![\w.\u3002-])[\w.\u3002-]*[\w-]{_DOT}[^\W\d_]{{2,}}|(?<![\w-])(?=[\d_-]*[^\W\d_])[\w-]+:\d{{2,5}}(?!\w)"
    rf"|(?<!\d)\d+(?:{_DOT}\d+){{3}}|\d(?:[\s().\u2010-\u2015/-]{{0,3}}\d){{6,}}",
    re.IGNORECASE,
)
# What stands in the place of an accent or vowel sign without a letter of its own, and of a picture, for `re` takes none
# for a letter, and hosts have them.
_MARK = "\u02bc"
_EDGES = re.compile(r"^[\W_]+|(?<![\W_])[\W_]+$")


def is_a_line(text: str) -> bool:
    """Whether it stays in its line, and leaves what stands around it as it is."""
    open_isolates = 0
    for char in text:
        if char in TURNING or category(char) in NO_LINE:
            return False
        open_isolates += (char in OPENING) - (char == CLOSING)
        if open_isolates < 0:  # it would close one that stands around the text
            return False
    return open_isolates == 0 and not has_too_many_marks(text)


def has_too_many_marks(text: str) -> bool:
    """Whether more marks stand upon one letter than any script needs."""
    run = 0
    for char in normalize("NFKC", visible(text[:LONGEST])):
        run = run + 1 if category(char) in MARKS else 0
        if run > MARKS_IN_A_ROW:
            return True
    return False


def addresses_in(text: str) -> set[str]:
    """Addresses of websites, people and hosts, and telephone numbers, that stand in a text, also behind invisible letters
    and in letters and digits that programs read as others (circled, full-width, mathematical).
    """
    read = visible(normalize("NFKC", visible(text[:LONGEST])))
    read = "".join(_MARK if category(char)[0] == "M" or category(char) == "So" else char for char in read)
    return {_EDGES.sub("", found).casefold() for found in _ADDRESS.findall(read)}


def visible(text: str) -> str:
    """Without the characters that nobody sees."""
    return "".join(char for char in text if category(char) != INVISIBLE and char not in BLANK)


def is_seen(text: str) -> bool:
    """Whether there is anything in it that a reader sees: a letter, digit or sign that needs no other to stand upon."""
    return any(category(char)[0] not in "MZ" for char in visible(text))


def unless_kept(text: str, kept: str | None, judge: Callable[[str], str | None]) -> str:
    """Of names, addresses, reasons and networks: as `judge` leaves it, by the rule of today; but what is kept as it is
    stored is not judged anew: an earlier rule took it, and who changes something beside it would be refused for what they
    did not touch. Raises what `judge` does.
    """
    if text == kept:
        return text
    judged = judge(text)
    return text if judged is None else judged


def refuse_too_many_marks(name: str) -> None:
    """Of whatever. Raises TooManyMarks."""
    if has_too_many_marks(name):
        raise TooManyMarks


def validate_name(name: str) -> None:
    """Of a person or a passkey, for forms and models. Raises ValidationError for line breaks, which in a mail of ours
    would begin paragraphs that we did not write, for addresses and telephone numbers, to which such a mail would lead
    people in our name, for marks that would paint over the lines around, and if there is nothing to see in it: who has
    no name has "".
    """
    try:
        refuse_too_many_marks(name)
    except TooManyMarks as refusal:
        raise ValidationError(refusal.message, code=refusal.code) from None
    if not is_a_line(name):
        raise ValidationError(_("The name must not have line breaks or control characters."), code="name")
    if name and not is_seen(name):
        raise ValidationError(_("The name needs a letter, digit or sign that people can see."), code="name")
    if addresses_in(name):
        raise ValidationError(
            _(
                "The name must not have an address or a telephone number in it. Type a space after each full stop."
            ),
            code="name",
        )
