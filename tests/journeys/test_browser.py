"""The whole story as people see it, in a real browser, with real mail."""

import poplib
import re
import smtplib
from contextlib import suppress

import pytest
from playwright.sync_api import Error

from mailboxes.services import refusals
from tests.cast import PASSWORD
from tests.gateway.kit import SECONDS, without_trace

MAIL = (
    b"Subject: Invoice 4711\r\nFrom: lena@acme.example\r\n\r\nByte for byte: \xff \x00 and a long "
    + b"x" * 2000
    + b"\r\n"
)

pytestmark = pytest.mark.usefixtures("gateway")


def creates_a_mailbox(visitor, name="Office 365 Journal"):
    """Two steps; gives the password that was shown and the address of the mailbox's page."""
    page = visitor.page
    page.get_by_role("link", name="Create mailbox").first.click()
    page.fill("[name=name]", name)
    page.get_by_role("button", name="OK").click()
    password = page.inner_text("#generated-password").strip()
    page.check("[name=understood]")
    page.click("#ok")
    address = page.inner_text("#address").strip()
    return password, address


def test_an_operator_creates_a_mailbox_and_sees_mail_come_and_go(visit, gateway, cast):
    def story(visitor):
        page = visitor.page
        page.goto(f"http://localhost:{visitor.port}/")
        assert page.url.startswith(visitor.url("/accounts/login/"))
        visitor.signs_in(cast.owner.email, PASSWORD)
        assert page.url == visitor.url("/customers/")
        page.get_by_role("row", name=re.compile("Acme")).get_by_role("link").first.click()
        assert page.url == visitor.url("/mailboxes/", "acme")
        visitor.sees("No mailbox yet")

        page.get_by_role("link", name="Create mailbox").first.click()
        page.fill("[name=name]", "Office 365 Journal")
        page.get_by_role("button", name="OK").click()
        password = page.inner_text("#generated-password").strip()
        assert len(password) > 25
        assert page.is_disabled("#ok")
        page.get_by_label("I've read and understood the above warning").check()
        assert page.is_enabled("#ok")
        page.click("#ok")
        address = page.inner_text("#address").strip()
        visitor.sees("No mail received yet")

        with smtplib.SMTP("127.0.0.1", gateway.ports.smtp, timeout=SECONDS) as sender:
            sender.starttls(context=gateway.tls)
            assert sender.sendmail("lena@acme.example", [address], MAIL) == {}
        visitor.sees("First mail received")  # by itself
        visitor.sees("Not collected yet")

        archiver = poplib.POP3_SSL("127.0.0.1", gateway.ports.pop3s, context=gateway.tls, timeout=SECONDS)
        archiver.user(address)
        archiver.pass_(password)
        collected = b"".join(line + b"\r\n" for line in archiver.retr(1)[1])
        archiver.dele(1)
        archiver.quit()
        visitor.sees("First collection done")
        page.wait_for_function("!document.querySelector('#activity').hasAttribute('hx-get')")  # and rests

        page.get_by_role("link", name="Mailboxes").first.click()
        visitor.sees(address)
        return collected, visitor.complaints, visitor.foreign

    collected, complaints, foreign = visit(story)
    assert without_trace(collected) == MAIL
    assert complaints == []
    assert foreign == []


def test_it_all_works_without_javascript(visit, cast, acme):
    def story(visitor):
        visitor.signs_in(cast.admin.email, PASSWORD)
        assert visitor.page.url == visitor.url("/mailboxes/", "acme")  # an admin of one customer lands there
        password, address = creates_a_mailbox(visitor)
        visitor.page.goto(visitor.url("/mailboxes/", "acme"))
        visitor.sees(address)
        return password

    assert len(visit(story, java_script_enabled=False)) > 25


def test_it_all_works_from_the_keyboard(visit, cast):
    def story(visitor):
        page, keys = visitor.page, visitor.page.keyboard

        visitor.signs_in(cast.admin.email, PASSWORD)
        visitor.tabs_to("a.button.primary")
        keys.press("Enter")
        page.wait_for_selector("[name=name]")
        visitor.tabs_to("[name=name]")
        keys.type("By keyboard")
        keys.press("Enter")
        page.wait_for_selector("#generated-password")
        visitor.tabs_to("[name=understood]")
        keys.press("Space")
        visitor.tabs_to("#ok")
        keys.press("Enter")
        visitor.sees("By keyboard")
        return page.inner_text("#address")

    assert visit(story).startswith("mbx-")


def test_nobody_finds_the_password_by_going_back(visit, cast):
    def story(visitor):
        visitor.signs_in(cast.admin.email, PASSWORD)
        password, _ = creates_a_mailbox(visitor)
        # The browser asks whether to send the form again; its own page for that has no password either.
        with suppress(Error):
            visitor.page.go_back()
        return password, visitor.page.locator("body").inner_text()

    password, page = visit(story)
    assert password not in page


def test_signing_out_on_one_host_ends_all(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        page.click(".person summary")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("[name=login]")
        page.goto(visitor.url("/customers/"))
        return page.url

    assert "/accounts/login/" in visit(story)


def test_mallory_of_globex_finds_nothing_at_acme(visit, cast):
    def story(visitor):
        visitor.signs_in(cast.mallory.email, PASSWORD)
        return visitor.page.goto(visitor.url("/mailboxes/", "acme")).status, visitor.page.content()

    status, page = visit(story)
    assert status == 404
    assert "Acme" not in page


def test_a_long_name_pushes_no_column_out_of_sight_nor_does_a_phone_what_needs_somebody(
    visit, cast, make_mailbox
):
    made = make_mailbox("W" * 100)
    refusals.note(made.address, "192.0.2.0/24")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(visitor.url("/mailboxes/", "acme"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        page.set_viewport_size({"width": 360, "height": 740})
        badge = page.get_by_text("Sign-ins refused").bounding_box()
        assert badge["x"] >= 0 and badge["x"] + badge["width"] <= 360

    visit(story)


def test_nothing_moves_on_the_sign_in_page_when_its_scripts_come_late(visit, database):
    def story(visitor):
        page, held = visitor.page, []
        page.route("**/*.js", lambda script, _request: held.append(script))
        page.goto(visitor.url("/accounts/login/"), wait_until="commit")
        page.wait_for_function(
            "() => performance.getEntriesByType('paint').length && document.fonts.status === 'loaded'"
        )
        top = page.locator("h1").bounding_box()
        assert held and page.locator("#passkey_sign_in").is_hidden()
        for script in held:
            script.continue_()
        page.locator("#passkey_sign_in").wait_for(state="visible")
        assert page.locator("h1").bounding_box() == top

    visit(story)
