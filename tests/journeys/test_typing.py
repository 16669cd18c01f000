"""What people type stays where they typed it: names on the way back, a mailbox's password after a slip, on a phone too."""

from contextlib import suppress

import pytest
from playwright.sync_api import Error

from tests.cast import PASSWORD
from tests.vault.vectors import load

pytestmark = pytest.mark.usefixtures("committed_db")

SMALLEST = """() => Math.min(...[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
  .map((field) => parseFloat(getComputedStyle(field).fontSize)))"""
KEPT = """(typed) => {
  const field = document.querySelector("[data-mistyped]");
  field.value = typed;
  return !field.form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
}"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_back_finds_what_was_typed_before_ok_and_after_it(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/new/", "acme"))
        page.fill("[name=name]", "Journal & more")
        visitor.presses("main .button.primary", "#generated-password")
        page.go_back()
        assert page.input_value("[name=name]") == "Journal & more"
        visitor.presses("main .button.primary", "#generated-password")
        page.check("[name=understood]")
        visitor.presses("#ok", "#address")
        with suppress(Error):
            page.go_back()
        page.wait_for_selector("[name=name]")
        assert page.input_value("[name=name]") == "Journal & more"
        assert visitor.complaints == []

    visit(story)


def test_a_mistyped_password_stays_in_its_field_is_shown_on_demand_and_is_sent_nowhere(
    visit, cast, acme_mailbox
):
    right = acme_mailbox.password
    wrong = ("B" if right[0] == "A" else "A") + right[1:]
    sent = []

    def story(visitor):
        page = visitor.page
        page.on("request", lambda request: sent.append(request.post_data or ""))
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url(f"/mailboxes/{acme_mailbox.mailbox.pk}/reset-password/", "acme"))
        assert page.evaluate(SMALLEST) >= 16
        field = page.locator("[name=current_password]")
        assert field.get_attribute("autocomplete") == "one-time-code"
        assert field.input_value() == ""
        field.fill(wrong)
        page.click("main .button.primary")
        visitor.sees("mistyped: its check characters don't match")
        assert field.input_value() == wrong
        helping, told = page.locator(".field:has([data-mistyped]) > :is(.help, .errors)").all()
        assert field.get_attribute("aria-describedby").split() == [
            each.get_attribute("id") for each in (helping, told)
        ]
        assert "mistyped" in told.inner_text()
        field.fill(f"{right[:4]}-")
        page.click("main .button.primary")
        visitor.sees("has 28 characters, not counting spaces and dashes, and you typed 4.")
        page.get_by_role("button", name="Show", exact=True).click()
        assert field.get_attribute("type") == "text"
        field.fill(f" {right.lower().replace('-', ' ')}")
        visitor.presses("main .button.primary", "#generated-password")
        assert visitor.complaints == []

    visit(story, **PHONE)
    assert not any(wrong in text for text in sent)


def test_the_browser_keeps_what_the_vault_would_refuse_and_nothing_else(visit, cast, acme_mailbox):
    """Both follow docs/formats/passwords.md; its vectors hold them to each other."""
    vectors = [vector for (vector,) in (parameter.values for parameter in load("passwords"))]
    asked = [vector for vector in vectors if vector["typed"]]  # whether one is needed is the server's to say

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url(f"/mailboxes/{acme_mailbox.mailbox.pk}/reset-password/", "acme"))
        kept = {vector["name"]: page.evaluate(KEPT, vector["typed"]) for vector in asked}
        assert kept == {vector["name"]: vector["ending"] == "mistyped-password" for vector in asked}

    visit(story)


def test_without_scripts_no_button_is_there_that_needs_them(visit, cast, acme_mailbox):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        for path in ("", "reset-password/"):
            page.goto(visitor.url(f"/mailboxes/{acme_mailbox.mailbox.pk}/{path}", "acme"))
            buttons = page.locator("[data-copy], [data-print], [data-show]")
            assert buttons.count() > 0
            assert not any(button.is_visible() for button in buttons.all())

    visit(story, java_script_enabled=False)
