"""A refusal about no field in particular is seen on each page that has a form; one about a field is where people go on."""

import re

import pytest

from portal.languages.catalogs import ROOT
from tests.pages import presses, read

TEMPLATES = ROOT / "portal/console/templates"
TEAM = "/team/invite/"
FIELDS = re.compile(r'field=(\w*form)\.|include "frame/field\.html"')


def pages():
    texts = {str(path.relative_to(TEMPLATES)): path.read_text() for path in sorted(TEMPLATES.rglob("*.html"))}
    return [name for name, text in texts.items() if "<form" in text and FIELDS.search(text)]


@pytest.mark.parametrize("page", pages())
def test_a_page_with_fields_has_a_place_for_what_is_about_none_of_them(page):
    assert re.search(
        r'"frame/form_errors.html" with errors=\w*form\.non_field_errors', (TEMPLATES / page).read_text()
    )


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, "email"),
        ({"role": "owner", "reach": "some"}, "email"),
        ({"email": "nora@northwind.example", "role": "owner", "reach": "some"}, "reach"),
        ({"email": "nora@northwind.example", "role": "operator", "reach": "some"}, "customers"),
    ],
)
def test_a_refused_form_opens_at_its_first_wrong_field(cast, client_for, acme, typed, wrong):
    begun = client_for(cast.owner, host=None).get(TEAM)
    assert _opens_at(begun) == ["email"]
    assert _opens_at(presses(begun, "Send the invitation", **typed)) == [wrong]


def _opens_at(answer):
    return read(answer).xpath("//*[@autofocus]/@name")
