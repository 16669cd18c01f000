"""A picture of every page at three widths, for people to look at: `make screenshots` writes docs/screenshots/."""

import re
from pathlib import Path

import pytest

from tests.journeys import tour

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDTHS = (360, 768, 1440)
HEIGHT = 900


@pytest.fixture
def look_for():
    """Each step of a tour becomes a file for each width, numbered in the order of the tour."""

    def make(page, part):
        steps = iter(range(1, 1000))

        def look(step):
            name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", step)
            name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            number = next(steps)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": HEIGHT})
                folder = FOLDER / str(width)
                folder.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=folder / f"{part}-{number:02d}-{name}.png", full_page=True)

        return look

    return make


def test_first_steps(visit, gateway, cast, look_for):
    visit(lambda visitor: tour.first_steps(visitor, cast, look_for(visitor.page, "first")))


def test_whole_life(visit, cast, life, look_for):
    visit(lambda visitor: tour.whole_life(visitor, cast, life, look_for(visitor.page, "life")))


def test_people(visit, gateway, cast, look_for):
    visit(lambda visitor: tour.people(visitor, cast, look_for(visitor.page, "people")))
