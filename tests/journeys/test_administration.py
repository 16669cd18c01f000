"""The administration and Rosetta in a browser: what a phone shows, and where errors stand."""

import pytest

from tests.cast import PASSWORD

PAGES = ["/admin/", "/admin/tenants/auditevent/", "/admin/tenants/provider/add/", "/rosetta/files/project/"]


def test_on_a_phone_each_page_fits_and_the_rail_opens_without_scripts(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        for path in PAGES:
            page.goto(visitor.url(path))
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            ends = "[document.querySelector('.stage').getBoundingClientRect(), document.documentElement]"
            stage, whole = page.evaluate(f"{ends}.map((one) => one.bottom ?? one.scrollHeight)")
            assert round(stage) == whole, "its ground is all of the page's"
            assert not page.locator("#rail").is_visible()
            page.click(".nav-open")
            assert page.locator("#rail").get_by_text("Translations").is_visible()
        assert visitor.complaints == []

    visit(story, viewport={"width": 360, "height": 500}, java_script_enabled=False)


@pytest.mark.parametrize("width", [360, 1440])
def test_an_error_stands_below_its_field(visit, cast, width):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        page.goto(visitor.url("/admin/tenants/provider/add/"))
        page.click("[name=_save]")
        row = page.locator(".form-row.errors").first
        field, error = row.locator("input").bounding_box(), row.locator(".errorlist").bounding_box()
        assert error["y"] >= field["y"] + field["height"]
        assert field["x"] + field["width"] <= width
        assert visitor.complaints == []

    visit(story, viewport={"width": width, "height": 700})
