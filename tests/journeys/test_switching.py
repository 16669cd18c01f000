"""From one customer to another, and to what one looks for, as people do it who would rather type."""

import pytest
from django.utils.text import slugify

from tenants.models import Customer
from tests.cast import PASSWORD

MANY = (
    "Zürich Freight",
    "Lange Straße",
    "Globex West",
    "Globex East",
    *(f"Branch {number}" for number in range(300)),
)


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


@pytest.fixture
def many(northwind):
    """Customers in name only: nobody enters them here."""
    for name in MANY:
        slug = slugify(name)
        Customer.objects.create(slug=slug, name=name, provider=northwind, schema_name=f"c_{slug}")


# Of the boxes in sight the names, and where the list of them ends.
SHOWN = """() => [...document.querySelectorAll(".boxes label")].filter((one) => one.checkVisibility())
  .map((one) => one.innerText.trim())"""
HIGH = "() => document.querySelector('.boxes').offsetHeight"


def test_of_hundreds_of_customers_those_of_an_operator_are_found_by_typing(visit, cast, many):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/team/invite/"))
        page.fill("[name=email]", "nora@northwind.example")
        page.check("[name=role][value=operator]")
        page.check("[name=reach][value=some]")
        assert len(page.evaluate(SHOWN)) > len(MANY) and page.evaluate(HIGH) < 320
        for typed, found in (
            ("WEST glob", "Globex West"),
            ("zurich", "Zürich Freight"),
            ("strasse", "Lange Straße"),
        ):
            page.fill("#id_customers_find", typed)
            assert page.evaluate(SHOWN) == [found]
            page.get_by_label(found).check()
        page.fill("#id_customers_find", "zur")
        page.keyboard.press("Enter")  # sends nothing
        assert page.inner_text("[data-chosen]") == "3"
        page.fill("#id_customers_find", "nobody")
        assert page.evaluate(SHOWN) == []
        visitor.sees("No customer has this in its name.")
        visitor.presses("main form .primary", "#invited")

        page.goto(visitor.url("/team/"))
        page.get_by_role("row").filter(has_text=cast.auditor.email).get_by_role("link").click()
        page.check("[name=reach][value=some]")
        page.get_by_label("Zürich Freight").check()
        with page.expect_navigation():
            page.click("main form .primary")
        page.get_by_role("row").filter(has_text=cast.auditor.email).get_by_role("link").click()
        assert page.evaluate(SHOWN)[0] == "Zürich Freight", "what is chosen comes first"
        assert page.inner_text("[data-chosen]") == "1"
        return visitor.complaints

    assert visit(story) == []


def test_without_scripts_all_customers_are_there_to_choose_from(visit, cast, many):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        page.goto(visitor.url("/team/invite/"))
        page.check("[name=reach][value=some]")
        assert len(page.evaluate(SHOWN)) > len(MANY)
        assert not page.is_visible("[data-finds]")

    visit(story, java_script_enabled=False)
