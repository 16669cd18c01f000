"""Pictures of every page for people to look at, by width, light and dark, and as for who reads from the right:
`make screenshots` writes docs/screenshots/.
"""

import re
from pathlib import Path

import pytest

from tests.journeys import tour

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
WIDTHS = (360, 768, 1440)
HEIGHT = 900
LOOKS = {"light": ("light", "ltr"), "dark": ("dark", "ltr"), "rtl": ("light", "rtl")}


@pytest.fixture
def look_for():
    """Each step of a tour becomes a file for each width and look, numbered in the order of the tour."""

    def make(page, part):
        steps = iter(range(1, 1000))

        def look_at(step):
            name = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", step)
            name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            number = next(steps)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": HEIGHT})
                for look, (scheme, direction) in LOOKS.items():
                    page.emulate_media(color_scheme=scheme)
                    page.evaluate("to => { document.documentElement.dir = to }", direction)
                    folder = FOLDER / f"{width}-{look}"
                    folder.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=folder / f"{part}-{number:02d}-{name}.png", full_page=True)
            page.emulate_media(color_scheme="light")
            page.evaluate("() => { document.documentElement.dir = 'ltr' }")

        return look_at

    return make


@pytest.mark.parametrize("part", tour.PARTS)
def test_every_page_is_pictured(visit, stage, look_for, part):
    company = stage.company()
    visit(
        lambda visitor: tour.PARTS[part](
            visitor, stage, company, look_for(visitor.page, part.replace(" ", "-"))
        ),
        reduced_motion="reduce",  # or colours would be pictured half-way
    )
