"""Pages fit a phone in every language: what is wider than the screen would have to be pushed about to be read."""

import pytest
from django.conf import settings

from tests.journeys import tour

PHONE = {"width": 360, "height": 740}
in_every_language = pytest.mark.parametrize("language", [code for code, name in settings.LANGUAGES])


def looking(page, language, too_wide):
    """Notes how wide a page is if that is too much, as it stands and as it would be for people who read from the right."""

    def look(step):
        assert page.get_attribute("html", "lang") == language
        for closed in page.query_selector_all("details:not([open]).card"):
            closed.evaluate("card => { card.open = true }")
        for direction in ("rtl", "ltr"):
            page.evaluate("to => { document.documentElement.dir = to }", direction)
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                too_wide.append((step, direction, width))

    return look


@in_every_language
def test_no_page_is_wider_than_a_phone(visit, gateway, cast, language):
    def story(visitor):
        too_wide = []
        tour.first_steps(visitor, cast, looking(visitor.page, language, too_wide))
        return too_wide

    assert visit(story, viewport=PHONE, locale=language) == []


@in_every_language
def test_no_page_of_a_mailboxs_life_is_wider_than_a_phone(visit, cast, life, language):
    def story(visitor):
        too_wide = []
        tour.whole_life(visitor, cast, life, looking(visitor.page, language, too_wide))
        return too_wide

    assert visit(story, viewport=PHONE, locale=language) == []


@in_every_language
def test_no_page_about_people_is_wider_than_a_phone(visit, gateway, cast, language):
    def story(visitor):
        too_wide = []
        tour.people(visitor, cast, looking(visitor.page, language, too_wide))
        return too_wide

    assert visit(story, viewport=PHONE, locale=language) == []
