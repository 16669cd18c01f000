"""The administration and Rosetta in a browser: what a phone shows, and where errors stand."""

import pytest
from django.contrib import admin

from accounts.models import User
from tenants.models import Customer, Provider
from tests.cast import PASSWORD

# Of words in lists, and in what they are asked, those that are torn: they begin and end at different heights, and break at no sign.
TORN = """() => [...document.querySelectorAll("main :is(.table :is(td, th), .asked label)")].flatMap((cell) => {
  const text = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode();
  const range = new Range();
  return [...(text?.data ?? "").matchAll(/[\\p{L}\\d]+/gu)].filter((word) => {
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    return range.getClientRects().length > 1;
  }).map((word) => word[0]);
})"""
MOVES = """() => [...document.querySelectorAll("*")].filter((one) =>
  getComputedStyle(one).transitionDuration.split(", ").some((time) => parseFloat(time) > 0)).length"""
PAGES = ["/admin/", "/admin/tenants/auditevent/", "/admin/tenants/provider/add/", "/rosetta/files/project/"]


def test_on_a_phone_each_page_fits_and_the_rail_opens_without_scripts(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        for path in PAGES:
            page.goto(visitor.url(path))
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            _stands_on_one_ground(page)
            assert not page.locator("#rail").is_visible()
            page.click(".nav-open")
            assert page.locator("#rail").get_by_text("Translations").is_visible()
        # A rail that is longer than its page, in a low window.
        page.set_viewport_size({"width": 1280, "height": 300})
        for path in ("/customers/", PAGES[0]):
            page.goto(visitor.url(path))
            _stands_on_one_ground(page)
        assert visitor.complaints == []

    visit(story, viewport={"width": 360, "height": 500}, java_script_enabled=False)


def _stands_on_one_ground(page):
    ends = "[document.querySelector('.stage').getBoundingClientRect(), document.documentElement]"
    stage, whole = page.evaluate(f"{ends}.map((one) => one.bottom ?? one.scrollHeight)")
    assert abs(stage - whole) < 1, "its ground is all of the page's"


@pytest.mark.parametrize("width", [360, 1440])
def test_an_error_stands_below_its_field(visit, cast, width):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        page.goto(visitor.url("/admin/tenants/provider/add/"))
        page.click("[name=_save]")
        row = page.locator(".field:has(.errors)").first
        field, error = row.locator("input").bounding_box(), row.locator(".errors").bounding_box()
        assert error["y"] >= field["y"] + field["height"]
        assert field["x"] + field["width"] <= width
        assert visitor.complaints == []

    visit(story, viewport={"width": width, "height": 700})


def test_lists_tear_no_word_and_what_a_row_is_called_is_said_once(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        for width in (360, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(visitor.url("/admin/accounts/user/"))
            assert page.locator("main table").get_by_text(cast.admin.email).is_visible()
            assert page.evaluate(TORN) == []
        assert page.evaluate(MOVES) > 0
        page.emulate_media(reduced_motion="reduce")
        assert page.evaluate(MOVES) == 0
        page.goto(visitor.url("/admin/tenants/customer/"))
        page.locator("main table").get_by_role("link", name="Acme", exact=True).click()
        page.wait_for_selector("[name=_save]")
        names = page.locator("main").get_by_text("acme.portal.localhost")
        assert [one.is_visible() for one in names.all()].count(True) == 1

    visit(story)


def test_on_a_phone_no_label_is_torn_and_a_fact_that_is_alone_stands_beside_its_name(visit, cast):
    User.objects.filter(pk=cast.staff.pk).update(language="de")

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        page.goto(visitor.url("/admin/accounts/user/"))
        assert page.locator(".asked").get_by_text("Plattformpersonal").is_visible()
        assert page.evaluate(TORN) == []
        page.goto(visitor.url("/admin/tenants/domain/"))
        assert page.locator("main tbody tr [data-label]:last-child").first.bounding_box()["height"] < 30

    visit(story, viewport={"width": 360, "height": 700})


# Each list has a column that a long name or address fills; at 360 px rows are cards, at 768 a table still.
CUT = """() => [...document.querySelectorAll("main .table, main .table *")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline")
  .filter((one) => !one.closest("thead") && one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.outerHTML.slice(0, 120))"""
LONG = "Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle"


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_each_list_fits_and_its_boxes_can_be_ticked(visit, cast, acme, width):
    Provider.objects.filter(pk=acme.provider_id).update(name=LONG)
    Customer.objects.filter(pk=acme.pk).update(name=LONG)
    User.objects.filter(pk=cast.viewer.pk).update(name=LONG, email=f"{LONG.encode().hex()[:60]}@acme.example")
    lists = [f"/admin/{model._meta.label_lower.replace('.', '/')}/" for model in admin.site._registry]

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        for path in lists:
            page.goto(visitor.url(path))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(CUT) == [], path
        page.goto(visitor.url("/admin/tenants/membership/"))
        row = page.locator("main tbody tr").filter(has_text=cast.admin.email)
        box, name = row.get_by_role("checkbox"), row.get_by_role("link", name=cast.admin.email)
        assert abs(_middle(box) - _middle(name)) < 4, "beside what it chooses"
        box.check()
        page.get_by_role("button", name="Remove those chosen").click()
        page.get_by_role("heading", name="Take these roles away").wait_for()
        assert page.get_by_text(cast.admin.email).is_visible()
        assert visitor.complaints == []

    visit(story, viewport={"width": width, "height": 900})


def _middle(element):
    place = element.bounding_box()
    return place["y"] + place["height"] / 2


LINES = "(one) => new Set([...one.getClientRects()].map((line) => line.top)).size"


def test_who_was_at_the_command_line_takes_one_line_and_the_rail_keeps_its_rhythm(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        page.goto(visitor.url("/admin/tenants/auditevent/"))
        who = page.locator("td bdi", has_text="Platform staff, on the command line").first
        assert who.evaluate(LINES) == 1
        heights = []
        for path in ("/admin/", "/rosetta/files/project/"):
            page.goto(visitor.url(path))
            places = page.locator("#rail .places").nth(1)
            heights.append([one.bounding_box()["height"] for one in places.get_by_role("link").all()])
            tops = [one.bounding_box()["y"] for one in page.locator("#rail .places a").all()[:3]]
            assert abs((tops[2] - tops[1]) - (tops[1] - tops[0])) < 0.5
        assert heights[0] == heights[1], "whichever is current"

    visit(story, viewport={"width": 1440, "height": 900})


def test_with_letters_of_twice_their_size_translators_scroll_no_phone_sideways(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.staff.email, PASSWORD)
        sizes = {"fontSizes": {"standard": 32, "fixed": 26}}
        visitor.context.new_cdp_session(page).send("Page.setFontSizes", sizes)
        page.goto(visitor.url("/rosetta/files/project/de/0/"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 360

    visit(story, locale="de", viewport={"width": 360, "height": 740})
