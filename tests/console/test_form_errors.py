"""A refusal about no field in particular is seen on each page that has a form."""

import re

import pytest

from portal.languages.catalogs import ROOT

TEMPLATES = ROOT / "portal/console/templates"
FIELDS = re.compile(r'field=(\w*form)\.|include "field\.html"')


def pages():
    texts = {str(path.relative_to(TEMPLATES)): path.read_text() for path in sorted(TEMPLATES.rglob("*.html"))}
    return [name for name, text in texts.items() if "<form" in text and FIELDS.search(text)]


@pytest.mark.parametrize("page", pages())
def test_a_page_with_fields_has_a_place_for_what_is_about_none_of_them(page):
    assert re.search(
        r'"frame/form_errors.html" with errors=\w*form\.non_field_errors', (TEMPLATES / page).read_text()
    )
