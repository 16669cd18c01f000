"""Settings as in the original, in a browser: the language at once, and one's own password in two steps."""

from contextlib import suppress

import pytest
from playwright.sync_api import Error

from tests.cast import PASSWORD

FORGOTTEN = "/accounts/password/reset/"


def language(page):
    return page.get_attribute("html", "lang")


def test_the_console_changes_at_once_when_another_language_is_picked(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/settings/", "acme"))
        assert language(page) == "en"
        page.select_option("[name=language]", "de")
        page.wait_for_selector("html[lang=de]")
        page.wait_for_selector("[name=language]:focus")  # who goes on with the keyboard goes on there
        page.goto(visitor.url("/mailboxes/", "acme"))
        assert language(page) == "de"
        assert visitor.complaints == [] and visitor.foreign == []

    visit(story)


@pytest.mark.parametrize("scrolled", [0, 90])
def test_what_was_changed_stays_where_it_was_on_the_screen(visit, cast, scrolled):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/settings/", "acme"))
        page.evaluate("to => window.scrollTo(0, to)", scrolled)
        before = page.locator("[name=language]").bounding_box()["y"]
        page.select_option("[name=language]", "de")
        page.wait_for_selector("html[lang=de] [name=language]:focus")
        if scrolled:
            assert abs(page.locator("[name=language]").bounding_box()["y"] - before) <= 1
        else:
            assert page.evaluate("window.scrollY") == 0, "what was saved is said at the top"
        assert page.url == visitor.url("/settings/", "acme")
        assert visitor.complaints == []

    visit(story, viewport={"width": 360, "height": 500})


def test_with_the_keyboard_people_pass_other_languages_on_the_way_to_theirs(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/settings/", "acme"))
        visitor.tabs_to("[name=language]")
        page.keyboard.type("Deu")
        assert page.input_value("[name=language]") == "de"
        assert language(page) == "en"
        page.keyboard.press("Tab")
        page.wait_for_selector("html[lang=de]")
        assert visitor.complaints == []

    visit(story)


def test_without_scripts_the_button_saves(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/settings/"))
        page.select_option("[name=language]", "de")
        page.select_option("[name=time_zone]", "Europe/Berlin")
        page.click("label:has([value=dark])")
        assert language(page) == "en"
        page.click("main .button.primary")
        page.wait_for_selector("html[lang=de][data-theme=dark]")

    visit(story, java_script_enabled=False)


@pytest.mark.parametrize("device", ["light", "dark"])
def test_the_chosen_theme_wins_over_the_devices(visit, cast, device):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/settings/"))
        grounds = {"as the device": ground(page)}
        for theme in ("light", "dark"):
            page.goto(visitor.url("/settings/"))  # OK has closed them
            page.click(f"label:has([value={theme}])")
            page.click("main .button.primary")
            page.wait_for_selector(f"html[data-theme={theme}]")
            grounds[theme] = ground(page)
        return grounds

    grounds = visit(story, color_scheme=device)
    assert grounds["light"] != grounds["dark"]
    assert grounds["as the device"] == grounds[device]


def test_the_own_password_is_typed_a_new_one_displayed_and_saved_with_ok(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        elsewhere = type(visitor)(visitor.context.browser, visitor.port)
        elsewhere.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/settings/", "acme"))
        page.click("text=Reset own password")
        page.fill("[name=current_password]", PASSWORD)
        page.click("main .button.primary")
        new = page.inner_text("#generated-password")
        elsewhere.page.goto(elsewhere.url("/settings/", "acme"))
        assert elsewhere.page.is_visible("[name=language]")  # until OK nothing has changed
        page.click("#ok")
        visitor.sees("Your new password is valid from now on")
        elsewhere.page.goto(elsewhere.url("/settings/", "acme"))
        elsewhere.page.wait_for_selector("[name=password]")
        with suppress(Error):  # the browser asks whether to send the form again
            page.go_back()
        assert new not in page.locator("body").inner_text()
        third = type(visitor)(visitor.context.browser, visitor.port)
        third.signs_in(cast.admin.email, new)
        assert visitor.complaints == []

    visit(story)


def test_the_sign_in_page_leads_to_the_way_back_with_the_keyboard(visit, cast):
    def story(visitor):
        page = visitor.page
        page.goto(visitor.url("/accounts/login/"))
        visitor.tabs_to(f"a[href='{FORGOTTEN}']")
        page.keyboard.press("Enter")
        page.wait_for_selector("[name=email]")
        page.fill("[name=email]", "nobody@acme.example")
        page.press("[name=email]", "Enter")
        visitor.sees("Look into your mailbox")
        assert visitor.complaints == [] and visitor.foreign == []

    visit(story)


def test_back_after_the_sign_out_shows_no_console(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        visitor.presses("main a[href='/mailboxes/new/']", then="[name=name]")
        page.click(".person summary")
        visitor.presses("form[action='/accounts/logout/'] button", then="[name=login]")
        page.go_back()
        visitor.sees("Sign in")
        assert page.query_selector("[name=name]") is None

    visit(story)
