"""What people have told their system of how they see: focus, contrast, colours, motion, the size of letters."""

from contextlib import contextmanager

from django.test import override_settings

from tests.cast import PASSWORD

DESK = {"width": 1280, "height": 720}
FORCED = {"forced_colors": "active", "reduced_motion": "reduce"}  # without the moment in which colours change

# All that the keyboard comes by, and how it is marked when it is there. Who chooses between segments sees the label.
FOCUSED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter((one) => !one.disabled && one.checkVisibility() && !one.closest("dialog"))
  .map((one) => {
    one.focus();
    const seen = getComputedStyle(one.closest(".segments label") ?? one);
    return {
      html: one.outerHTML.slice(0, 120),
      is: one.matches(".button") ? "button" : one.localName,
      has: document.activeElement === one,
      width: seen.outlineStyle === "none" ? 0 : parseFloat(seen.outlineWidth),
      colour: seen.outlineColor,
    };
  })"""
# Of each element what is drawn around it, and whether that differs from what is behind.
DRAWN = """(selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility()).map((one) => {
  const its = getComputedStyle(one);
  const ground = getComputedStyle(document.body).backgroundColor;
  const line = (of) => its[`${of}Style`] !== "none" && parseFloat(its[`${of}Width`]) >= 1
    && ![ground, "rgba(0, 0, 0, 0)"].includes(its[`${of}Color`]);
  return { html: one.outerHTML.slice(0, 120), border: line("borderBlockEnd"), outline: line("outline") };
})"""
STYLE = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"
MOVES = """() => [...document.querySelectorAll("*")].filter((one) => {
  const its = getComputedStyle(one);
  return its.animationName !== "none" || its.transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
}).length"""
# The table's last row just below the bar: its heads would be gone if they did not stay.
SCROLLED = """() => {
  const table = document.querySelector(".table");
  const [head, row] = [table.querySelector("thead th"), table.querySelector("tbody tr:last-child")];
  const bar = document.querySelector(".bar").getBoundingClientRect();
  scrollBy(0, row.getBoundingClientRect().top - bar.bottom - head.offsetHeight);
  const to = head.getBoundingClientRect();
  return {
    scrolled: scrollY > 0,
    bar: bar.top,
    seen: head.contains(document.elementFromPoint(to.left + to.width / 2, to.top + to.height / 2)),
  };
}"""
# Words that are cut off, but for names and addresses, which end in dots.
CUT = """() => [...document.querySelectorAll("h1, h2, h3, label, legend, th, .button, .badge, .places a, p")]
  .filter((one) => one.checkVisibility() && getComputedStyle(one).display !== "inline")
  .filter((one) => !one.closest(".visually-hidden, .said") && getComputedStyle(one).textOverflow !== "ellipsis")
  .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible")
  .map((one) => one.outerHTML.slice(0, 120))"""


# Buttons of words alone whose words stand nearer to one end.
ASKEW = """() => [...document.querySelectorAll("main .button:not(.wide, :has(.i))")].filter((one) => {
  const words = document.createRange();
  words.selectNodeContents(one.firstChild);
  const [inner, outer] = [words.getBoundingClientRect(), one.getBoundingClientRect()];
  return Math.abs(inner.left - outer.left - (outer.right - inner.right)) > 1;
}).map((one) => one.outerHTML)"""

# Of what begins a line after a dot, whether that is cut: it belongs between two.
DOTS = """() => [...document.querySelectorAll(".dot-sep > * + *")].flatMap((one) => {
  const [box, line] = [one.getBoundingClientRect(), one.parentElement.getBoundingClientRect()];
  const dot = getComputedStyle(one, "::before");
  const cut = getComputedStyle(one.parentElement).overflowX === "clip";
  const end = box.left + parseFloat(dot.left) + parseFloat(dot.width);
  return box.left > line.left + 1 ? [] : [dot.position === "absolute" && cut && end < line.left - 4];
})"""


@contextmanager
def told(page, **wishes):
    page.emulate_media(**wishes)
    yield
    page.emulate_media(**dict.fromkeys(wishes, "null"))


def test_all_parts_follow_how_a_person_sees(visit, cast):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.owner.email, PASSWORD)
        with told(page, **FORCED):
            _all_have(page, "outline", ".places [aria-current]")
        with override_settings(DEMO=True):
            page.goto(visitor.url("/parts/"))
        assert page.evaluate(ASKEW) == []
        _focus_is_seen(page)
        _heads_stay_in_sight(page)
        _what_takes_no_letters_is_no_white_box(page)
        with told(page, **FORCED):
            _controls_have_borders(page)
        _contrast_is_more_where_it_is_asked_for(page)
        _nothing_moves_where_that_is_not_liked(page)
        _letters_grow(visitor)

    visit(story, viewport=DESK)


def _focus_is_seen(page):
    page.keyboard.press("Tab")  # who has begun with the keyboard sees where they are
    seen = page.evaluate(FOCUSED)
    assert {"a", "button", "input", "select", "textarea", "summary"} <= {one["is"] for one in seen}
    assert [one for one in seen if not one["has"] or one["width"] < 2] == []
    assert {one["colour"] for one in seen} == {"rgb(18, 115, 184)", "rgb(176, 31, 48)"}, "--focus, and --bad"


def _heads_stay_in_sight(page):
    assert page.evaluate(SCROLLED) == {"scrolled": True, "bar": 0, "seen": True}


def _controls_have_borders(page):
    _all_have(
        page,
        "border",
        "main :is(.button, input:not([type=checkbox], [type=radio]), select, textarea, progress)",
    )
    _all_have(page, "outline", ".segments [aria-current]")
    _all_have(page, "border", ".tabs a[aria-current]")
    # Lines that are there for their place alone are not seen.
    for selector in (".tabs a:not([aria-current])", ".badge.calm"):
        assert [one["border"] for one in page.evaluate(DRAWN, selector)].count(True) == 0
    assert page.evaluate(STYLE, ["main select", "appearance"]) == "auto"


def _all_have(page, line, selector):
    found = page.evaluate(DRAWN, selector)
    assert found and [one["html"] for one in found if not one[line]] == []


def _what_takes_no_letters_is_no_white_box(page):
    plain, shut = (page.evaluate(STYLE, [field, "backgroundColor"]) for field in ("#f-plain", "#f-off"))
    assert plain != shut


def _contrast_is_more_where_it_is_asked_for(page):
    def colours():
        asked = (["body", "color"], [".sub", "color"], [".faint", "color"])
        asked += (["#f-plain", "borderBlockEndColor"], [".figures", "borderBlockEndColor"])
        return [page.evaluate(STYLE, each) for each in asked]

    assert len(set(colours())) == 5
    with told(page, contrast="more", reduced_motion="reduce"):
        ink, soft, faint, edge, line = colours()
    assert (soft, faint, line) == (ink, ink, edge)


def _nothing_moves_where_that_is_not_liked(page):
    assert page.evaluate(MOVES) > 0
    with told(page, reduced_motion="reduce"):
        assert page.evaluate(MOVES) == 0


def _letters_grow(visitor):
    """To twice their size, in the browser's settings."""
    page = visitor.page
    sizes = {"fontSizes": {"standard": 32, "fixed": 26}}
    before = page.evaluate(STYLE, ["body", "fontSize"])
    visitor.context.new_cdp_session(page).send("Page.setFontSizes", sizes)
    for path in ("/customers/", "/parts/"):
        with override_settings(DEMO=True):
            page.goto(visitor.url(path))
        assert page.evaluate(STYLE, ["body", "fontSize"]) == f"{float(before.removesuffix('px')) * 2:g}px"
        assert page.evaluate("document.documentElement.scrollWidth") <= DESK["width"]
        assert page.evaluate(CUT) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert set(page.evaluate(DOTS)) == {True}
