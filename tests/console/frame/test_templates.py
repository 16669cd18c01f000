"""Where templates stand: CONTRIBUTING.md, "Where things are"."""

import re

from portal.languages.catalogs import ROOT

TEMPLATES = ROOT / "portal/console/templates"
NAMED = re.compile(r'{%-? *(include|extends) "([^"]+)"')
# What only a part's own template writes, or its tag: pages, and the page of all parts, call it.
WRITTEN_ONCE = {
    r'class="notice\b': ["frame/notice.html"],
    r'class="empty\b': ["frame/nothing.html"],
    r'class="crumbs"': ["admin/base_site.html", "base.html"],
    r'"chevron-right"': [],
}
DJANGOS = ("django/", "admin/")  # which the administration's template also takes from


def named():
    """Who names which template, and how."""
    return {
        (path.relative_to(TEMPLATES).as_posix(), how, name)
        for path in TEMPLATES.rglob("*.html")
        for how, name in NAMED.findall(path.read_text())
        if not name.startswith(DJANGOS)
    }


def test_every_template_that_another_names_is_there():
    assert len(named()) > 100
    assert sorted(line for line in named() if not (TEMPLATES / line[2]).exists()) == []


def test_pieces_are_in_folders():
    assert sorted(line for line in named() if line[1] == "include" and "/" not in line[2]) == []


def test_a_part_is_written_once():
    texts = {path.relative_to(TEMPLATES).as_posix(): path.read_text() for path in TEMPLATES.rglob("*.html")}
    written = {
        what: sorted(name for name, text in texts.items() if re.search(what, text)) for what in WRITTEN_ONCE
    }
    assert written == WRITTEN_ONCE
