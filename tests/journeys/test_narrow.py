"""Pages fit a phone in every language: what is wider than the screen would have to be pushed about to be read."""

import pytest
from django.conf import settings

from tests.cast import PASSWORD

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("language", [code for code, name in settings.LANGUAGES])
def test_no_page_is_wider_than_a_phone(visit, gateway, cast, language):
    def story(visitor):
        page = visitor.page
        too_wide = []

        def look(step):
            assert page.get_attribute("html", "lang") == language
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > PHONE["width"]:
                too_wide.append((step, width))

        page.goto(visitor.url("/accounts/login/"))
        look("sign in")
        visitor.signs_in(cast.owner.email, PASSWORD)
        look("customers")
        page.goto(visitor.url("/settings/"))
        look("settings")
        page.goto(visitor.url("/mailboxes/", "acme"))
        look("no mailbox yet")
        page.goto(visitor.url("/mailboxes/new/", "acme"))
        look("create a mailbox")
        page.fill("[name=name]", "Office 365 Journal")
        page.click("main button[type=submit]")
        page.wait_for_selector("#generated-password")
        look("password")
        page.check("[name=understood]")
        page.click("#ok")
        page.wait_for_selector("#address")
        for closed in page.query_selector_all("details:not([open]).card"):
            closed.evaluate("card => { card.open = true }")
        look("mailbox")
        page.goto(visitor.url("/mailboxes/", "acme"))
        look("mailboxes")
        page.goto(visitor.url("/mailboxes/?q=nothing", "acme"))
        look("nothing found")
        return too_wide

    assert visit(story, viewport=PHONE, locale=language) == []
