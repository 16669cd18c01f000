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


@pytest.mark.parametrize("part", tour.PARTS)
def test_every_page_is_pictured(visit, stage, look_for, part):
    company = stage.company()
    visit(
        lambda visitor: tour.PARTS[part](
            visitor, stage, company, look_for(visitor.page, part.replace(" ", "-"))
        )
    )
