"""From an invitation's mail to the console, in a browser."""

import re

from tests.cast import PASSWORD
from tests.tenants.kit import path_of

NEW = "nora@acme.example"
PHRASE = "a-long-way-to-remember"


def test_customers_are_there_for_choosing_once_it_is_only_some_and_a_refusal_leads_to_them(visit, cast, acme):
    def invites(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/team/invite/"))
        box = page.get_by_label(acme.name, exact=True)
        page.fill("[name=email]", NEW)
        page.check("[name=role][value=operator]")
        page.check("[name=reach][value=all]")
        assert not box.is_visible()
        page.check("[name=reach][value=some]")
        assert box.is_visible()
        with page.expect_navigation():
            page.click("main form button[type=submit]")
        visitor.sees("Choose at least one customer.")
        assert page.evaluate("document.activeElement.name") == "customers"
        page.check("[name=role][value=owner]")
        assert page.locator("[name=reach][value=some]").is_visible(), (
            "what is chosen does not go out of sight"
        )
        with page.expect_navigation():
            page.click("main form button[type=submit]")
        visitor.sees("An owner is responsible for all customers.")
        assert page.evaluate("document.activeElement.name") == "role"
        page.check("[name=role][value=operator]")
        page.check("[name=reach][value=all]")
        assert not box.is_visible()
        page.check("[name=role][value=owner]")
        assert not page.locator("[name=reach][value=some]").is_visible(), "no limit is offered for an owner"

    visit(invites, java_script_enabled=False)


def test_an_administrator_invites_and_the_newcomer_comes_in_by_the_link(visit, cast, mailoutbox):
    def invites(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/people/", "acme"))
        page.click("text=Invite somebody")
        page.fill("[name=email]", NEW)
        page.check("[name=role][value=viewer]")
        page.click("main form button[type=submit]")
        visitor.sees(NEW)
        assert visitor.complaints == [] and visitor.foreign == []

    visit(invites)
    (message,) = mailoutbox
    link = path_of(message)

    def accepts(visitor):
        page = visitor.page
        page.goto(visitor.url(link))
        assert link.rstrip("/").rpartition("/")[2] not in page.url, "the address bar does not show the secret"
        page.fill("[name=name]", "Nora Newcomer")
        page.fill("[name=password]", PHRASE)
        page.click("main form button[type=submit]")
        page.wait_for_selector("[name=login]")
        page.fill("[name=login]", NEW)
        page.fill("[name=password]", PHRASE)
        page.press("[name=password]", "Enter")
        page.wait_for_selector(".person")
        page.goto(visitor.url("/mailboxes/", "acme"))
        visitor.sees("Ask an administrator of this customer to create the first one.")
        assert visitor.complaints == [] and visitor.foreign == []
        gone = visitor.context.new_page()
        assert gone.goto(visitor.url(link)).status == 410, "a link works once"
        return re.sub(r"\s+", " ", gone.inner_text("main"))

    assert visit(accepts)
