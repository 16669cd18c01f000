"""From one customer to another, and to what one looks for, as people do it who would rather type."""

from tests.cast import PASSWORD


def test_an_operator_finds_another_customer_by_typing_and_stays_on_the_page_of_that_kind(visit, cast):
    def story(visitor):
        page, keys = visitor.page, visitor.page.keyboard
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/people/", "acme"))
        visitor.tabs_to(".switcher > summary")
        keys.press("Enter")
        page.wait_for_function("() => document.activeElement.id === 'switch-to'")
        page.wait_for_function("() => document.querySelectorAll('#switch-found a').length > 1")
        assert page.locator("#switch-found [aria-current]").all_inner_texts() == ["A\nAcme"]
        keys.type("glob")
        page.wait_for_function("() => document.querySelectorAll('#switch-found a').length === 1")
        keys.press("Tab")
        keys.press("Enter")
        page.wait_for_url(visitor.url("/people/", "globex"))
        assert page.inner_text(".switcher b") == "Globex"

        keys.press("/")
        page.wait_for_function("() => document.activeElement.id === 'find'")
        keys.type("a/b")  # there it is a letter
        assert page.input_value("#find") == "a/b"
        page.click(".switcher > summary")
        page.wait_for_function("() => document.activeElement.id === 'switch-to'")
        keys.type("/")
        assert page.input_value("#switch-to") == "/"
        keys.press("Escape")
        assert not page.is_visible("#switch-to")
        return visitor.complaints, visitor.foreign

    assert visit(story) == ([], [])


def test_it_works_without_scripts(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/activity/", "acme"))
        page.click(".switcher > summary")
        page.fill("#switch-to", "glob")
        page.press("#switch-to", "Enter")
        page.wait_for_url(visitor.url("/activity/", "globex"))

    visit(story, java_script_enabled=False)
