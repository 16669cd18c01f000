"""What a machine can find of WCAG 2.2 AA, on every page: in light and dark, from left to right and from right to left."""

import json
import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test.signals import template_rendered

from portal.languages.catalogs import ROOT
from tests.journeys import tour

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}

# What the tour does not come by.
ELSEWHERE = {
    "400.html": "no link leads there; built as 404.html",
    "413.html": "no link leads there; built as 404.html",
    "429.html": "no link leads there; built as 404.html",
    "500.html": "no link leads there; built as 404.html",
    "503.html": "no link leads there; built as 404.html",
    "busy.html": "no link leads there; built as 404.html",
    "refused.html": "no link leads there; built as 404.html",
    "signin/two_sessions.html": "no link leads there; built as 404.html",
    "admin/base_site.html": "Django's administration",
    "rosetta/base.html": "Rosetta's frame",
    "rosetta/file-list.html": "Rosetta's page",
    "frame/administration.html": "of both",
    "socialaccount/onward.html": "leads on at once; looked at in test_identity_provider.py",
}
SHOWN = Path(os.environ["GATEHOUSE_STATE_DIR"]) / "shown"  # all processes of a run share it


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


@pytest.mark.parametrize("name", tour.PARTS)
def test_axe_finds_nothing_and_no_page_is_left_out(visit, stage, name):
    """The last part to be walked sees whether the tour has passed every page: so nobody who looks at each (this test,
    the narrow screen, each language) leaves one out.
    """
    company, shown = stage.company(), set()

    def note(sender, template, **rest):
        shown.add(template.name)

    def story(visitor):
        found = []
        tour.PARTS[name](visitor, stage, company, looking(visitor.page, found))
        return found

    template_rendered.connect(note)
    try:
        found = visit(story, reduced_motion="reduce")
    finally:
        template_rendered.disconnect(note)
    assert found == [], "\n".join(map(str, found))
    SHOWN.mkdir(exist_ok=True)
    (SHOWN / name).write_text(json.dumps(sorted(filter(None, shown))))
    walked = [SHOWN / part for part in tour.PARTS]
    if all(part.exists() for part in walked):
        assert sorted(_pages().difference(*(json.loads(part.read_text()) for part in walked))) == sorted(
            ELSEWHERE
        )


def _pages():
    return {
        str(path.relative_to(folder))
        for folder in [ROOT / "portal/console/templates"]
        for path in folder.rglob("*.html")
    }
