"""Acts that hurt ask first: in a dialog that opens without scripts, or on a page of their own."""

import re

import pytest
from lxml import html

from portal.languages.catalogs import ROOT
from tenants import services
from tests.pages import opener_of, presses, read, text_of

pytest_plugins = ["tests.accounts.openid.portal"]

TEMPLATES = ROOT / "portal" / "console" / "templates"
# Pages that are the question themselves.
PAGES = {
    "customers/suspend.html",
    "admin/tenants/membership/delete_confirmation.html",
    "admin/tenants/membership/delete_selected_confirmation.html",
    "mailboxes/delete.html",
    "mailboxes/delete_locked.html",
    "mfa/totp/deactivate_form.html",
    "mfa/webauthn/authenticator_confirm_delete.html",
    "people/member_remove.html",
    "people/security_weaken.html",
}


@pytest.fixture
def asking(cast, client_for, acme, northwinds):
    """Of each dialog the page that has it, its title, and what it says that the act costs."""
    services.invite(acme, "v@acme.example", role="viewer", by=cast.admin)
    return (
        (
            client_for(cast.admin).get("/people/"),
            "Withdraw the invitation of v@acme.example",
            "To let this person in after all, you would have to invite them again.",
        ),
        (
            client_for(cast.admin).get("/people/"),
            "No longer allow sign-in by Northwind IT",
            "whoever has done so is signed out",
        ),
        (
            client_for(cast.owner, None).get("/team/identity-provider/"),
            "Switch off the identity provider of Northwind IT",
            "whoever has done so is signed out",
        ),
        (
            client_for(cast.admin).get("/settings/sessions/"),
            "Sign out everywhere, here too",
            "All sessions in the list end at once",
        ),
    )


def test_a_dialog_says_what_will_happen_to_whom_and_at_what_cost(asking):
    for answer, title, cost in asking:
        page = read(answer)
        titled = {
            text_of(page.get_element_by_id(one.get("aria-labelledby"))): one for one in page.iter("dialog")
        }
        dialog = titled[title]
        assert cost in text_of(page.get_element_by_id(dialog.get("aria-describedby")))
        opener = opener_of(page, dialog)
        verb = text_of(opener)
        assert (opener.get("aria-label") or verb) == title
        buttons = dialog.xpath(".//form[@method='post']//button")
        assert [(text_of(one), one.get("type")) for one in buttons] == [
            (verb, "submit"),
            ("Cancel", "button"),
        ]
        closing = buttons[1]
        assert (closing.get("command"), closing.get("commandfor")) == ("close", dialog.get("id"))
        assert (closing.get("popovertarget"), closing.get("popovertargetaction")) == (
            dialog.get("id"),
            "hide",
        )


def test_no_red_button_acts_before_it_has_asked():
    def acts(template):
        text = re.sub(r"(?s){%.*?%}|{{.*?}}|{#.*?#}", "", template)
        buttons = html.fragment_fromstring(text, create_parent=True).xpath(".//button | .//input")
        return [
            one
            for one in buttons
            if "danger" in one.get("class", "").split() and one.get("type") not in ("button", "reset")
        ]

    found = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html") if acts(path.read_text())}
    shown = "gallery/gallery.html"  # to look at: there is no form around it
    assert "<form" not in (TEMPLATES / shown).read_text()
    assert found == PAGES | {"frame/dialog.html", shown}


def test_signing_out_everywhere_is_done_from_its_dialog(cast, client_for):
    here, there = client_for(cast.admin), client_for(cast.admin)
    assert there.get("/settings/").status_code == 200
    answer = presses(here.get("/settings/sessions/"), "Sign out everywhere, here too")
    assert answer["Location"] == "/accounts/login/"
    assert there.get("/settings/").status_code == 302


def test_an_owner_switches_the_identity_provider_off_and_on(cast, client_for, northwinds):
    client = client_for(cast.owner, None)
    for button, active in (("Switch off", False), ("Switch on", True)):
        presses(client.get("/team/identity-provider/"), button)
        northwinds.refresh_from_db()
        assert northwinds.active is active
