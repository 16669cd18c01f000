"""Where templates stand: CONTRIBUTING.md, "Where things are"."""

import re
import tomllib

from portal.languages.catalogs import ROOT

CONSOLE = ROOT / "portal/console"
TEMPLATES = CONSOLE / "templates"
NAMED = re.compile(r'{%-? *(include|extends) "([^"]+)"')
# What only a part's own template writes, or its tag: pages, and the page of all parts, call it.
WRITTEN_ONCE = {
    r'class="notice\b': ["frame/notice.html"],
    r'class="empty\b': ["frame/nothing.html"],
    r'class="crumbs"': ["admin/base_site.html", "base.html"],
    r'"chevron-right"': [],
}
DJANGOS = "django/"  # its fields
CODE = re.compile(r'"([a-z_0-9/]+/[a-z_0-9]+\.html)"')
# Folders that are called as the libraries look for them, and whose pages each of these folders may use. Pages of several
# parts are there: a sign-in, for one, is of `signin`, what an app's code adds to it is in mfa/.
OF_LIBRARIES = {
    "account": {"mfa"},
    "mfa": set(),
    "socialaccount": set(),
    "rosetta": {"admin"},
    "admin": {"people"},
}


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


def below():
    """By folder: those whose templates it may name, beside its own. Parts as in the contract of pages in pyproject.toml."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (pages,) = [each for each in contracts if each.get("containers") == ["portal.console"]]
    layers = [{part.strip() for part in layer.split("|")} for layer in pages["layers"]]
    lower = {part: set().union(*layers[row + 1 :]) for row, layer in enumerate(layers) for part in layer}
    return lower | {folder: {"frame", *others} for folder, others in OF_LIBRARIES.items()}


def test_a_template_names_those_of_its_part_and_of_parts_below_it():
    """What two parts share, neither of which is below the other, is in frame/."""
    lower = below()
    folders = {path.name for path in TEMPLATES.iterdir() if path.is_dir()}
    assert folders <= lower.keys()
    lower[""] = {"frame"}  # what pages are made from, and what answers instead of one
    strays = [
        (by, name)
        for by, _how, name in named()
        if folder_of(name) not in {"", folder_of(by), *lower[folder_of(by)]}
    ]
    assert sorted(strays) == []


def test_a_part_shows_its_own_templates_and_those_of_parts_below_it():
    lower = below()
    shown = {
        (path.relative_to(CONSOLE).as_posix(), name)
        for path in CONSOLE.rglob("*.py")
        for name in CODE.findall(path.read_text())
    }
    assert len(shown) > 40
    lower["templatetags"] = {"frame"}
    strays = [
        (by, name)
        for by, name in shown
        if folder_of(name) not in {folder_of(by), *lower[folder_of(by)], *OF_LIBRARIES}
    ]
    assert sorted(strays) == []


def folder_of(name):
    return name.partition("/")[0] if "/" in name else ""


def test_a_part_is_written_once():
    texts = {path.relative_to(TEMPLATES).as_posix(): path.read_text() for path in TEMPLATES.rglob("*.html")}
    written = {
        what: sorted(name for name, text in texts.items() if re.search(what, text)) for what in WRITTEN_ONCE
    }
    assert written == WRITTEN_ONCE
