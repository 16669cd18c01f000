"""The tags that write a part of a page: `portal/console/templatetags/look.py`."""

import pytest
from django.template import Context, Engine
from django.urls import set_urlconf
from lxml import html


@pytest.fixture
def written():
    engine = Engine.get_default()

    def write(template, **said):
        page = engine.from_string("{% load look %}" + template).render(Context(said))
        return html.fragment_fromstring(page.strip(), create_parent="main")

    return write


@pytest.mark.parametrize(
    ("kind", "classes", "picture"),
    [
        ("info", "notice", "info"),
        ("success", "notice success", "circle-check"),
        ("warning", "notice warning", "triangle-alert"),
        ("error", "notice error", "octagon-alert"),
        ("lock", "notice lock", "lock"),
    ],
)
def test_a_notice_has_the_colour_and_the_picture_of_its_kind(written, kind, classes, picture):
    (notice,) = written("{% notice kind %}<p>What, {{ why }}</p>{% endnotice %}", kind=kind, why="<why>")
    assert notice.get("class") == classes
    assert [one.get("href").partition("#")[2] for one in notice.iter("use")] == [picture]
    assert notice.find("p").text == "What, <why>"
    assert "role" not in notice.attrib and "hidden" not in notice.attrib


def test_a_notice_is_read_aloud_or_waits_for_its_script_where_that_is_asked_for(written):
    (notice,) = written(
        '{% notice "error" picture="file-x" role="alert" shown_by="data-failed" %}<p>Why</p>{% endnotice %}'
    )
    assert notice.get("role") == "alert"
    assert "data-failed" in notice.attrib and "hidden" in notice.attrib
    assert next(notice.iter("use")).get("href").endswith("#file-x")


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("mbx-7f3k@gateway.example.com", ["mbx-", "7f3k", "@gateway", ".example", ".com"]),
        ("1f0cf604-a7c2-49b3", ["1f0cf604-", "a7c2-", "49b3"]),
        ("<b>@x", ["<b>", "@x"]),
        ("https://x.example:8000/a-b/1/", ["https://", "x", ".example:8000/", "a-", "b/", "1/"]),
        ("Withdraw it from a@x.", ["Withdraw it from a", "@x."]),
    ],
)
def test_what_is_long_and_has_no_spaces_breaks_between_its_parts(written, value, parts):
    assert list(written("{{ value|breakable }}", value=value).itertext()) == parts


def test_of_the_crumbs_the_last_is_the_page_and_each_has_a_direction_of_its_own(written):
    set_urlconf("portal.urls.customer")
    try:
        crumbs = written(
            '{% crumb "اسم" "mailboxes:list" %}{% crumb name "/team/?provider=1" %}{% crumb "Here" %}',
            name="<b>",
        )
    finally:
        set_urlconf(None)
    assert [(one.tag, one.get("href")) for one in crumbs] == [
        ("a", "/mailboxes/"),
        ("svg", None),
        ("a", "/team/?provider=1"),
        ("svg", None),
        ("span", None),
    ]
    assert [one.text for one in crumbs if one.tag != "svg"] == ["اسم", "<b>", "Here"]
    assert [one.get("dir") for one in crumbs if one.tag != "svg"] == ["auto"] * 3
    assert crumbs[-1].get("aria-current") == "page"
