"""A dialog asks before an act that hurts, in each kind of browser, with scripts and without."""

import pytest

from tenants import services
from tests.cast import PASSWORD

WITHDRAW = "Withdraw the invitation of v@acme.example"
# Attributes that count for nothing there.
UNKNOWN_TO = {
    "today's": [],
    "one before `command`": ["command", "commandfor"],
    "one before popovers": ["commandfor", "popovertarget", "popovertargetaction", "popover"],
}
# And what the stylesheet says to browsers that don't know popovers goes for them.
FORGETS = """unknown => {
  for (const name of unknown) {
    for (const element of document.querySelectorAll(`[${name}]`)) element.removeAttribute(name);
  }
  if (!unknown.includes("popover")) return;
  const look = within => {
    for (const rule of [...within.cssRules]) {
      if (rule.conditionText !== "not selector(:popover-open)") { if (rule.cssRules) look(rule); continue; }
      for (const one of rule.cssRules) within.insertRule(one.cssText, within.cssRules.length);
    }
  };
  for (const sheet of document.styleSheets) look(sheet);
}"""


def looks_at_people(visitor, cast, browser):
    visitor.signs_in(cast.admin.email, PASSWORD)
    visitor.page.goto(visitor.url("/people/", "acme"))
    visitor.page.evaluate(FORGETS, UNKNOWN_TO[browser])
    return visitor.page


@pytest.fixture
def invited(acme, cast):
    services.invite(acme, "v@acme.example", role="viewer", by=cast.admin)


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("browser", ["today's", "one before `command`"])
def test_the_keyboard_opens_it_cancels_and_confirms(visit, cast, invited, browser, scripts):
    def story(visitor):
        page = looks_at_people(visitor, cast, browser)
        keys, opener = page.keyboard, page.get_by_role("button", name=WITHDRAW)
        dialog = page.get_by_role("alertdialog", name=WITHDRAW)
        cancel = dialog.get_by_role("button", name="Cancel")

        def has_focus(button):
            return button.evaluate("button => button === document.activeElement")

        opener.focus()
        for closes in ("Escape", "Enter"):  # who presses Enter twice has done nothing
            keys.press("Enter")
            dialog.wait_for()
            assert has_focus(cancel)
            keys.press(closes)
            dialog.wait_for(state="hidden")
            assert has_focus(opener)
        keys.press("Enter")
        dialog.wait_for()
        box = dialog.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
        if browser == "today's":
            visitor.tabs_to("dialog [type=submit]")  # round and round: what is behind it has no focus
        else:
            keys.press("Shift+Tab")
        assert has_focus(dialog.get_by_role("button", name="Withdraw"))
        keys.press("Enter")
        visitor.sees("is withdrawn")
        return visitor.complaints

    assert visit(story, java_script_enabled=scripts, viewport={"width": 360, "height": 740}) == []


def test_its_form_stands_in_the_page_where_nothing_opens(visit, cast, invited):
    def story(visitor):
        page = looks_at_people(visitor, cast, "one before popovers")
        buttons = [
            one.inner_text() for one in page.locator("tr:has-text('v@acme.example') button:visible").all()
        ]
        assert buttons == ["Send again", "Withdraw"]
        page.get_by_role("button", name="Withdraw").click()
        visitor.sees("is withdrawn")

    visit(story)


def test_large_letters_leave_its_title_in_sight_and_nothing_beside_it(visit, cast, invited):
    def story(visitor):
        page = looks_at_people(visitor, cast, "today's")
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        page.get_by_role("button", name=WITHDRAW).click()
        dialog = page.get_by_role("alertdialog")
        top, title = dialog.bounding_box(), dialog.get_by_role("heading").bounding_box()
        assert title["y"] >= top["y"] >= 0
        assert top["y"] + top["height"] <= 500
        assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
        assert dialog.get_by_role("button", name="Cancel").bounding_box()["y"] < 500

    visit(story, viewport={"width": 360, "height": 500})
