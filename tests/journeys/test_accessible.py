"""What a machine can find of WCAG 2.2 AA, on every page: in light and dark, from left to right and from right to left."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.journeys import tour

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def looking(page, found):
    """Notes what axe finds, each page in both colour schemes and, once more, as for people who read from the right."""
    axe = Axe()

    def look(step):
        for closed in page.query_selector_all("details:not([open]):not(.menu)"):
            closed.evaluate("part => { part.open = true }")
        for scheme, direction in (("light", "ltr"), ("dark", "rtl")):
            page.emulate_media(color_scheme=scheme)
            page.evaluate("to => { document.documentElement.dir = to }", direction)
            for violation in axe.run(page, options=RULES).response["violations"]:
                where = [node["html"][:160] for node in violation["nodes"][:3]]
                found.append((step, scheme, direction, violation["id"], violation["help"], where))
        page.emulate_media(color_scheme="light")

    return look


@pytest.mark.parametrize("part", tour.PARTS.values(), ids=tour.PARTS)
def test_axe_finds_nothing(visit, stage, part):
    company = stage.company()

    def story(visitor):
        found = []
        part(visitor, stage, company, looking(visitor.page, found))
        return found

    found = visit(story, reduced_motion="reduce")
    assert found == [], "\n".join(map(str, found))
