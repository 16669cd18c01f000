"""Charts as drawings that need no script: figures in, places in an SVG and words out.

A chart is drawn in a box of its own units and stretched by the stylesheet, so axis words are HTML beside it. What it
shows is said in words as well: in one sentence for the whole, in a title for each day, and in a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

WIDTH, HEIGHT = 600, 160  # of a plot
SPARK_WIDTH, SPARK_HEIGHT = 104, 24
STEP, BLOCK = 10, 7  # of a strip: from a day to the next, and how much of that is drawn
STRIP_HEIGHT = 24
DATES = 5  # below a plot
TOPS = (2, 4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 50, 60, 80, 100)  # half of each is a whole number, too


@dataclass(frozen=True)
class Series:
    """A line's name and a figure for each day. `look` is the class of its line: "in" or "out"."""

    name: str
    figures: Sequence[int]
    look: str = "in"

    @property
    def total(self) -> str:
        return number_format(sum(self.figures))


@dataclass(frozen=True)
class Column:
    """A day of a plot: where a pointer meets it, and what is said there."""

    x: str
    width: str
    title: str
    day: str
    figures: list[str]  # of each series


@dataclass(frozen=True)
class Line:
    """A series, drawn. `area` is what lies below the line, for the first one."""

    series: Series
    path: str
    area: str


@dataclass(frozen=True)
class Plot:
    """Lines over days."""

    title: str
    said: str
    lines: list[Line]
    columns: list[Column]
    heights: list[str]  # what stands beside it, from above
    dates: list[str]  # what stands below it

    @property
    def newest_first(self) -> list[Column]:
        """As tables of days begin."""
        return self.columns[::-1]


@dataclass(frozen=True)
class Spark:
    """A line without axes, for a table's row."""

    said: str
    path: str
    area: str
    flat: bool  # nothing but zeros


@dataclass(frozen=True)
class Grade:
    """How a day was, in a word; the height says how bad, and the colour only supports it."""

    word: str
    look: str
    height: int  # of STRIP_HEIGHT


@dataclass(frozen=True)
class Block:
    """A day of a strip."""

    x: int
    y: int
    grade: Grade
    title: str


@dataclass(frozen=True)
class Strip:
    """A block for each day."""

    said: str
    width: int
    blocks: list[Block]


def plot(title: str, days: Sequence[date], *series: Series) -> Plot:
    """Each series has a figure for each day, the oldest first. Raises ValueError if one has not."""
    if any(len(one.figures) != len(days) for one in series):
        raise ValueError("Each series needs a figure for each day.")
    top = ceiling(max((figure for one in series for figure in one.figures), default=0))
    lines: list[Line] = []
    for one in series:
        drawn = path(one.figures, top, WIDTH, HEIGHT)
        lines.append(Line(one, drawn, "" if lines else below(drawn, WIDTH, HEIGHT)))
    return Plot(
        title=title,
        said=_label(title, _in_words(days, series)),
        lines=lines,
        columns=_columns(days, series),
        heights=[number_format(height) for height in (top, top // 2, 0)],
        dates=[_short(days[place]) for place in _spread(len(days))],
    )


def spark(name: str, figures: Sequence[int]) -> Spark:
    """A line for figures of days, the oldest first."""
    drawn = path(figures, max(figures, default=0), SPARK_WIDTH, SPARK_HEIGHT)
    said = _label(name, number_format(sum(figures)))
    return Spark(said, drawn, below(drawn, SPARK_WIDTH, SPARK_HEIGHT), flat=not any(figures))


def strip(name: str, days: Sequence[date], grades: Sequence[Grade]) -> Strip:
    """A block for each day, the oldest first. Raises ValueError if a day has no grade."""
    blocks = [
        Block(place * STEP, STRIP_HEIGHT - grade.height, grade, _label(_short(day), grade.word))
        for place, (day, grade) in enumerate(zip(days, grades, strict=True))
    ]
    counts: dict[str, int] = {}
    for grade in grades:
        counts[grade.word] = counts.get(grade.word, 0) + 1
    said = _(", ").join(f"{word} {number_format(count)}" for word, count in counts.items())
    return Strip(
        _label(name, said or _("No figures yet")), max(len(blocks) * STEP - (STEP - BLOCK), 1), blocks
    )


def ceiling(highest: int) -> int:
    """The upper end of an axis that reaches `highest`: one of TOPS, with as many zeros as it takes."""
    power = 1
    while TOPS[-1] * power < highest:
        power *= 10
    return next(top * power for top in TOPS if top * power >= highest)


def path(figures: Sequence[int], top: int, width: int, height: int) -> str:
    """An SVG path over the whole width. A single figure is a level line; without any, and for zeros, it lies below."""
    points = list(figures) or [0]
    points = points * 2 if len(points) == 1 else points
    scale = height / max(top, 1)
    places = zip(_across(len(points), width), points, strict=True)
    return "M" + "L".join(f"{x} {height - scale * figure:.1f}" for x, figure in places)


@cache
def _across(count: int, width: int) -> tuple[str, ...]:
    """So many places at even distances: the same for each line of a list."""
    step = width / (count - 1)
    return tuple(f"{place * step:.1f}" for place in range(count))


def below(line: str, width: int, height: int) -> str:
    """The area between a line over the whole width and the ground."""
    return f"{line}L{width} {height}L0 {height}Z"


def _columns(days: Sequence[date], series: Sequence[Series]) -> list[Column]:
    wide = WIDTH / max(len(days), 1)
    columns = []
    for place, day in enumerate(days):
        figures = [number_format(one.figures[place]) for one in series]
        said = [f"{one.name} {figure}" for one, figure in zip(series, figures, strict=True)]
        title = _label(_short(day), _(", ").join(said))
        columns.append(Column(f"{place * wide:.1f}", f"{wide:.1f}", title, _short(day), figures))
    return columns


def _in_words(days: Sequence[date], series: Sequence[Series]) -> str:
    if not days:
        return _("No figures yet")
    sums = _(", ").join(f"{one.name} {one.total}" for one in series)
    return ngettext("%(figures)s in %(count)d day", "%(figures)s in %(count)d days", len(days)) % {
        "figures": sums,
        "count": len(days),
    }


def _spread(count: int) -> list[int]:
    """Places at even distances, first and last among them, as many as there is room for."""
    if count <= DATES:
        return list(range(count))
    return [round(number * (count - 1) / (DATES - 1)) for number in range(DATES)]


def _short(day: date) -> str:
    return date_format(day, "MONTH_DAY_FORMAT")


def _label(label: str, value: str) -> str:
    return _("%(label)s: %(value)s") % {"label": label, "value": value}
