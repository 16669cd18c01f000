"""Charts: the same figures as a drawing, in words, on each day and as a table."""

import re
from datetime import date, timedelta

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from lxml import html

from portal.console.frame import charts
from portal.console.frame.charts import Grade, Series
from tests.pages import text_of

FIRST = date(2026, 11, 28)
OK, BAD = Grade("in order", "out", 8), Grade("refused", "bad", 24)


def days(count):
    return [FIRST + timedelta(days=number) for number in range(count)]


def drawn(what, chart):
    return html.fragment_fromstring(
        render_to_string(f"frame/{what}.html", {what: chart}), create_parent="div"
    )


def points(path):
    return [tuple(map(float, pair.split())) for pair in path.removeprefix("M").split("L")]


def test_a_plot_shows_each_figure_at_its_height_and_its_day():
    plot = charts.plot("Mail", days(3), Series("In", [0, 50, 100]), Series("Out", [100, 0, 50], "out"))
    into, out = plot.lines
    assert points(into.path) == [(0, 160), (300, 80), (600, 0)]
    assert points(out.path) == [(0, 0), (300, 160), (600, 80)]
    assert into.area == f"{into.path}L600 160L0 160Z" and out.area == ""
    assert plot.heights == ["100", "50", "0"]


def test_a_plot_says_its_figures_in_words_on_each_day_and_as_a_table():
    page = drawn("plot", charts.plot("Mail", days(2), Series("In", [1200, 34]), Series("Out", [5, 6], "out")))
    (picture,) = page.xpath(".//svg[@role='img']")
    assert picture.get("aria-label") == "Mail: In 1,234, Out 11 in 2 days"
    titles = [text_of(title) for title in picture.xpath(".//title")]
    assert titles == ["28 Nov: In 1,200, Out 5", "29 Nov: In 34, Out 6"]
    assert text_of(page.xpath(".//details/summary")[0]) == "Show as table"
    rows = [[text_of(cell) for cell in row] for row in page.xpath(".//table//tr")]
    assert rows == [["Day", "In", "Out"], ["29 Nov", "34", "6"], ["28 Nov", "1,200", "5"]]


def test_figures_are_written_as_the_reader_does_and_places_as_browsers_do():
    with translation.override("de"):
        page = drawn("plot", charts.plot("Mail", days(7), Series("In", [1234567] * 7)))
    numbers = [page.xpath(".//svg[@role='img']//rect")[1].get(name) for name in ("x", "width")]
    assert numbers == ["85.7", "85.7"]
    assert "8.641.969" in page.xpath(".//svg[@role='img']")[0].get("aria-label")


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        ([], [(0, 160), (600, 160)]),
        ([7], [(0, 20), (600, 20)]),  # of 8
        ([0, 0, 0], [(0, 160), (300, 160), (600, 160)]),
    ],
)
def test_nothing_one_day_and_zeros_are_level_lines(figures, line):
    plot = charts.plot("Mail", days(len(figures)), Series("In", figures))
    assert points(plot.lines[0].path) == line
    assert (
        drawn("plot", plot).xpath(".//svg[@role='img']")[0].get("aria-label")
        == {
            0: "Mail: No figures yet",
            1: "Mail: In 7 in 1 day",
            3: "Mail: In 0 in 3 days",
        }[len(figures)]
    )


@pytest.mark.parametrize(
    ("highest", "top"),
    [
        (0, 2),
        (1, 2),
        (2, 2),
        (3, 4),
        (7, 8),
        (10, 10),
        (11, 12),
        (99, 100),
        (250_001, 300_000),
        (10**15 + 1, 12 * 10**14),
    ],
)
def test_an_axis_ends_at_a_round_number_whose_half_is_whole(highest, top):
    assert charts.ceiling(highest) == top


def test_large_numbers_stay_in_the_drawing():
    plot = charts.plot("Mail", days(2), Series("In", [10**15, 3]))
    assert all(0 <= y <= charts.HEIGHT for _, y in points(plot.lines[0].path))
    assert plot.heights[0] == "1,000,000,000,000,000"


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (5, 5), (6, 5), (30, 5)])
def test_a_plot_has_room_for_five_dates_the_first_and_the_last_among_them(count, shown):
    plot = charts.plot("Mail", days(count), Series("In", [1] * count))
    assert len(plot.dates) == shown
    assert plot.dates[:1] + plot.dates[-1:] == [column.day for column in plot.columns[:1] + plot.columns[-1:]]


def test_a_series_that_lacks_a_day_is_refused():
    with pytest.raises(ValueError, match="each day"):
        charts.plot("Mail", days(2), Series("In", [1]))
    with pytest.raises(ValueError, match="zip"):
        charts.strip("Acme", days(2), [OK])


@pytest.mark.parametrize(("figures", "flat"), [([], True), ([0, 0], True), ([5], False), ([1, 9], False)])
def test_a_spark_says_its_sum_and_is_flat_when_nothing_was(figures, flat):
    spark = charts.spark("Acme: mail a day", figures)
    (picture,) = drawn("spark", spark).xpath("./svg")
    assert picture.get("aria-label") == f"Acme: mail a day: {sum(figures)}"
    assert ("flat" in picture.get("class").split()) == flat
    assert all(0 <= y <= charts.SPARK_HEIGHT for _, y in points(spark.path))


def test_a_strip_has_a_block_for_each_day_as_high_as_it_was_bad():
    (picture,) = drawn("strip", charts.strip("Acme", days(3), [OK, BAD, OK])).xpath("./svg")
    assert picture.get("aria-label") == "Acme: in order 2, refused 1"
    assert picture.get("viewbox") == "0 0 27 24"
    blocks = [(one.get("x"), one.get("y"), one.get("height")) for one in picture.xpath("./rect")]
    assert blocks == [("0", "16", "8"), ("10", "0", "24"), ("20", "16", "8")]
    assert [text_of(title) for title in picture.xpath(".//title")][1] == "29 Nov: refused"


def test_a_strip_without_days_says_so():
    strip = charts.strip("Acme", [], [])
    assert strip.said == "Acme: No figures yet" and re.fullmatch(r"[1-9]\d*", str(strip.width))
