"""The page of all parts, for developers."""

import re

from portal.console.frame.stylesheet import FOLDER, PARTS
from tests.pages import read


def test_developers_see_every_part_in_the_order_of_the_stylesheets(cast, client_for, settings):
    settings.DEMO = True
    css = "".join((FOLDER / f"{sheet}.css").read_text() for sheet in PARTS)
    parts = re.findall(r"/\* --- ([^:]*?)(?:: .*)? --- \*/", css)
    page = read(client_for(cast.viewer, None).get("/parts/"))
    assert [
        heading.text.strip() for heading in page.xpath("//main//section/h2 | //main//section/header/h2")
    ] == [
        *parts,
        "Charts",
    ]


def test_they_see_what_pages_are_made_of_and_no_copies(cast, client_for, settings):
    settings.DEMO = True
    answer = client_for(cast.viewer, None).get("/parts/")
    shown = {template.name for template in answer.templates}
    assert shown >= {
        "frame/dialog.html",
        "frame/field.html",
        "frame/field_errors.html",
        "frame/nothing.html",
        "frame/notice.html",
        "frame/pager.html",
        "frame/plot.html",
        "frame/search.html",
        "frame/value.html",
        "mailboxes/bar.html",
        "mailboxes/milestone.html",
    }
    assert not read(answer).xpath("//main//*[@autofocus][not(ancestor::dialog)]")  # a picture begins above


def test_there_is_no_such_page_but_in_the_demo(cast, client_for, settings):
    settings.DEMO = False
    assert client_for(cast.owner, None).get("/parts/").status_code == 404
    settings.DEMO = True
    assert client_for(cast.owner).get("/parts/").status_code == 404  # on a customer's host
