"""The tour passes every page, so that whoever looks at each (axe, the narrow screen, each language) leaves none out."""

from django.test.signals import template_rendered

from portal.catalogs import ROOT
from tests.journeys import tour

ELSEWHERE = {
    "400.html": "no link leads there; built as 404.html",
    "413.html": "no link leads there; built as 404.html",
    "429.html": "no link leads there; built as 404.html",
    "500.html": "no link leads there; built as 404.html",
    "503.html": "no link leads there; built as 404.html",
    "busy.html": "no link leads there; built as 404.html",
    "accounts/two_sessions.html": "no link leads there; built as 404.html",
    "admin/base_site.html": "Django's administration",
    "rosetta/file-list.html": "Rosetta's page",
    "socialaccount/onward.html": "leads on at once; looked at in test_identity_provider.py",
}


def test_the_tour_passes_every_page(visit, stage):
    seen = set()

    def note(sender, template, **rest):
        seen.add(template.name)

    template_rendered.connect(note)
    try:
        for part in tour.PARTS.values():
            company = stage.company()
            visit(
                lambda visitor, part=part, company=company: part(visitor, stage, company, lambda step: None)
            )
    finally:
        template_rendered.disconnect(note)
    pages = {
        str(path.relative_to(folder))
        for folder in ROOT.glob("*/templates")
        for path in folder.rglob("*.html")
    }
    assert sorted(pages - seen) == sorted(ELSEWHERE)
