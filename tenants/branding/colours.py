"""A provider's colour on our pages: as it was chosen where it can be read there, else the nearest that can.

Contrast by WCAG 2.2: 4.5 to 1 for text (1.4.3), 3 to 1 for the edges of what is pressed (1.4.11).
"""

import colorsys
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

TEXT, EDGE = 4.5, 3.0
HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
STEPS = 500  # of lightness, from black to white: fine enough for the narrowest band that is looked for
PRESSED = 0.04  # of lightness: how far what the pointer is over differs from what lies there

Judge = Callable[[str], bool]


@dataclass(frozen=True)
class Theme:
    """What lies behind the colour in light or in dark: values of tokens, which a test holds to the stylesheet."""

    grounds: tuple[str, ...]  # behind links and other text
    papers: tuple[str, ...]  # behind buttons, boxes and tabs
    ink: str  # on a button
    towards: int  # in which direction a pressed button's lightness goes


# Of the tokens ground, paper, raised, sunken, hover, press, selected and accent-wash; then of ground, paper and raised.
LIGHT = Theme(
    ("#f4f6f8", "#ffffff", "#fafbfc", "#eaeef2", "#edf5fb"), ("#f4f6f8", "#ffffff"), "#ffffff", towards=-1
)
DARK = Theme(
    ("#0d1217", "#141b22", "#1b232b", "#10171d", "#1a222a", "#232d36", "#1d262e", "#12242f"),
    ("#0d1217", "#141b22", "#1b232b"),
    "#ffffff",
    towards=1,
)


@dataclass(frozen=True)
class Tones:
    """The three tokens that a provider's colour takes the place of, in one theme."""

    accent: str
    fill: str
    fill_2: str


@dataclass(frozen=True)
class Palette:
    """Of a colour, what stands for it in each theme."""

    chosen: str
    light: Tones
    dark: Tones

    @property
    def stands_in_light(self) -> bool:
        """Whether it is there as it was chosen, on buttons and as text."""
        return self.light.accent == self.light.fill == self.chosen

    @property
    def stands_in_dark(self) -> bool:
        return self.dark.accent == self.dark.fill == self.chosen


def canonical(typed: str) -> str | None:
    """A colour as `#rrggbb`; None for what is none."""
    found = HEX.fullmatch(typed.strip())
    if found is None:
        return None
    digits = found[1].lower()
    return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))


@lru_cache(maxsize=1024)  # each page asks, and it takes some milliseconds
def palette_of(colour: str) -> Palette:
    """Of a canonical colour."""
    return Palette(colour, _tones(colour, LIGHT), _tones(colour, DARK))


def contrast(one: str, other: str) -> float:
    """From 1 to 21, by WCAG's formula."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _tones(colour: str, theme: Theme) -> Tones:
    def is_read(tone: str) -> bool:
        return all(contrast(tone, ground) >= TEXT for ground in theme.grounds)

    def carries_text(tone: str) -> bool:
        edges = all(contrast(tone, paper) >= EDGE for paper in theme.papers)
        return edges and contrast(tone, theme.ink) >= TEXT

    fill = _nearest(colour, carries_text)
    pressed = _nearest(_lighter(fill, theme.towards * PRESSED), carries_text)
    return Tones(_nearest(colour, is_read), fill, pressed)


def _nearest(colour: str, passes: Judge) -> str:
    """Of the same hue and saturation, and as little lighter or darker as will do."""
    if passes(colour):
        return colour
    steps = (_lighter(colour, sign * step / STEPS) for step in range(1, STEPS + 1) for sign in (1, -1))
    return next(tone for tone in steps if passes(tone))


def _lighter(colour: str, by: float) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(colour))
    tone = colorsys.hls_to_rgb(hue, min(1.0, max(0.0, lightness + by)), saturation)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in tone)


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    """Relative luminance, from 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _channels(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
