"""Templates, stylesheets and pictures know each other: no class, token or picture is spoken of by one alone."""

import os
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from portal.console.activity.feed import GLYPHS
from portal.console.frame.stylesheet import FOLDER as STYLES
from portal.console.frame.stylesheet import NAME, SHEETS, StylesheetFinder
from portal.console.templatetags.look import NOTICE_PICTURES, TILES
from portal.languages.catalogs import ROOT

CONSOLE = ROOT / "portal" / "console"
GALLERY = CONSOLE / "templates" / "gallery" / "gallery.html"
# Sheets for what libraries write, in classes of their own, and templates that have such.
FOR_LIBRARIES = ("admin", "rosetta")
ELSEWHERE = ("rosetta",)

CLASS = re.compile(r"\.(-?[A-Za-z][\w-]*)")
DECLARED = re.compile(r"(?:^|[{;])\s*([\w-]+)\s*:\s*([^{};]+)(?=[;}])")
SIDES = re.compile(
    r"(margin|padding|border|inset|scroll-(margin|padding))-(top|right|bottom|left)\b.*"
    r"|border-(top|bottom)-(left|right)-radius|top|right|bottom|left|((min|max)-)?(width|height)"
)
TURNED = {"float", "clear", "text-align", "caption-side", "resize"}  # have values with sides
FOUR_SIDES = {"margin", "padding", "inset", "border-width", "border-style", "border-color"}
COLOUR = re.compile(
    r"#[\da-f]{3,8}\b|\b(rgb|hsl|hwb|lab|lch|oklab|oklch|color|light-dark)a?\("
    r"|\b(black|silver|gr[ae]y|white|maroon|red|purple|fuchsia|green|lime|olive|yellow|navy|blue|teal|aqua|orange)\b",
    re.IGNORECASE,
)


def selectors():
    """Of the rules in our stylesheets."""
    for path in STYLES.glob("*.css"):
        if path.stem in FOR_LIBRARIES:
            continue
        css = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", path.read_text(), flags=re.DOTALL)
        for selector in re.findall(r"([^{};]+)\{", css):
            if not selector.strip().startswith("@"):
                yield selector


def styled():
    """Classes in their selectors."""
    return {name for selector in selectors() for name in CLASS.findall(selector)}


def pages(but=()):
    for path in sorted((CONSOLE / "templates").rglob("*.html")):
        if path.relative_to(CONSOLE / "templates").parts[0] not in ELSEWHERE and path not in but:
            yield path.read_text()


def worn(but=()):
    """Classes that stand in templates, and in the attributes that tags and fields write."""
    found = set()
    texts = [*pages(but), *(path.read_text() for path in CONSOLE.rglob("*.py"))]
    for text in texts:
        for value in re.findall(r"""class=\\?["']((?:{%.*?%}|{{.*?}}|[^"'])*)""", text, flags=re.DOTALL):
            spoken = re.sub(r"{%.*?%}|{{.*?}}|{}", " ", value, flags=re.DOTALL)
            found |= set(spoken.split())
    # Of names that code composes the beginning stands there.
    return {name for name in found if not name.endswith("-")} | {
        name for name in styled() for begun in found if begun.endswith("-") and name.startswith(begun)
    }


def handed_to(tag, but=()):
    """What templates, and other tags, give a tag that takes classes as its second word."""
    texts = [*pages(but), *(path.read_text() for path in CONSOLE.rglob("*.py"))]
    called = [re.findall(rf"""{{% {tag} \S+ "([\w -]+)" %}}""", text) for text in texts]
    return {word for words in called for given in words for word in given.split()}


def chosen():
    """By the class of a part those that code gives it, to tell one from another."""
    return {
        "notice": set(NOTICE_PICTURES) - {"info"},
        "glyph": {colour for picture, colour in GLYPHS.values() if colour},
        "i": handed_to("icon", [GALLERY]) | {"spin"},  # of what is under way
        "tile": handed_to("tile", [GALLERY]),
    }


def side_by_side():
    """Of each thing on a page the classes that may stand on it together."""
    for text in [*pages([GALLERY]), *(path.read_text() for path in CONSOLE.rglob("*.py"))]:
        for value in re.findall(r"""class=\\?["']((?:{%.*?%}|{{.*?}}|[^"'])*)""", text, flags=re.DOTALL):
            words = set(re.sub(r"{%.*?%}|{{.*?}}|{}", " ", value, flags=re.DOTALL).split())
            if re.search("{[{%}]", value):
                words |= {word for part in words for word in chosen().get(part, ())}
            yield words


def test_every_class_of_a_page_is_in_a_stylesheet():
    assert sorted(worn() - styled()) == []


def test_every_class_of_a_stylesheet_is_on_a_page():
    on_pages = worn([GALLERY]).union(*chosen().values())
    assert sorted(styled() - on_pages) == []


def test_classes_that_a_rule_asks_for_together_are_on_a_page_together():
    together = list(side_by_side())
    asked = {
        found for selector in selectors() for found in re.findall(r"(?:\.-?[A-Za-z][\w-]*){2,}", selector)
    }
    assert len(asked) > 20
    lonely = [found for found in asked if not any(set(CLASS.findall(found)) <= words for words in together)]
    assert sorted(lonely) == []


def test_sizes_and_weights_of_letters_are_tokens():
    raw = []
    for path in STYLES.glob("*.css"):
        if path.stem == "tokens":
            continue
        css = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        found = re.findall(
            r"font-weight: \d+|letter-spacing: -?[\d.]+em|font-size: [\d.]+(?:rem|px)|font: \d+ [\d.]+", css
        )
        raw += [f"{path.name}: {one}" for one in found]
    assert raw == []


def test_every_token_has_a_value_and_a_use():
    css = "".join(path.read_text() for path in STYLES.glob("*.css") if path.stem not in FOR_LIBRARIES)
    ours, used = set(re.findall(r"(--[\w-]+):", css)), set(re.findall(r"var\((--[\w-]+)\)", css))
    used_elsewhere = set(re.findall(r"var\((--[\w-]+)\)", (STYLES / "admin.css").read_text()))
    assert sorted(used - ours) == []
    assert sorted(ours - used - used_elsewhere) == []


def declarations():
    """What our stylesheets say: the sheet, the property, its value."""
    for path in sorted(STYLES.glob("*.css")):
        css = re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", path.read_text(), flags=re.DOTALL)
        for name, value in DECLARED.findall(css):
            yield path.stem, name, value.strip()


def test_no_sheet_speaks_of_left_and_right():
    def has_sides(name, value):
        if name in FOUR_SIDES:
            sides = re.findall(r"(?:[^\s(]|\((?:[^()]|\([^()]*\))*\))+", value.removesuffix("!important"))
            return len(sides) == 4 and sides[1] != sides[3]
        return SIDES.fullmatch(name) or (name in TURNED and value in ("left", "right"))

    assert [said for said in declarations() if has_sides(*said[1:])] == []


def test_colours_stand_in_tokens_alone():
    said = [one for one in declarations() if COLOUR.search(one[2])]
    named = [one for one in said if one[0] == "tokens" and one[1].startswith("--")]
    assert len(named) > 50
    assert [one for one in said if one not in named] == []
    scales = [one for one in declarations() if re.search(r"var\(--(stone|gate|brass)-", one[2])]
    assert [one for one in scales if one[0] != "tokens"] == []


def tokens():
    """Of each colour, distance and radius its value, as browsers take it that nobody has asked for anything special."""
    said = [(name, value) for sheet, name, value in declarations() if sheet == "tokens"]
    return dict(reversed(said))  # the first of a name


def test_no_sheet_writes_the_value_of_a_distance_or_radius_by_hand():
    known = {"s": set(), "r": set()}
    for name, value in tokens().items():
        if found := re.fullmatch(r"--(s|r)\d+", name):
            known[found[1]].add(value)
    assert len(known["s"]) == 10 and len(known["r"]) == 4
    spaced = re.compile(r"(scroll-|overflow-clip-)?(margin|padding)(-[a-z-]+)?|(row-|column-)?gap")
    by_hand = [
        said
        for said in declarations()
        for kind in [("s" if spaced.fullmatch(said[1]) else "r" if said[1].endswith("-radius") else "")]
        if kind and known[kind].intersection(re.findall(r"(?<![\w.-])[\d.]+rem\b", said[2]))
    ]
    assert by_hand == []


def test_tiles_have_colours_that_are_no_states():
    tiles = re.findall(r"\.tile-\d \{([^}]*)\}", (STYLES / "frame.css").read_text())
    assert len(tiles) == TILES
    named = {name for rule in tiles for name in re.findall(r"var\((--[\w-]+)\)", rule)}
    assert named == {f"--tile-{n}{wash}" for n in range(1, TILES + 1) for wash in ("", "-wash")}


RED = {
    "mailboxes/list.html": "mail that can't be read",
    "mailboxes/deleted.html": "a certificate that was damaged or altered",
    "customers/customers.html": "jobs that failed",
}


def test_a_red_badge_is_for_loss():
    folder = CONSOLE / "templates"
    red = {path for path in folder.rglob("*.html") if "badge bad" in path.read_text()} - {GALLERY}
    assert {str(path.relative_to(folder)) for path in red} == RED.keys()


def luminance(colour):
    """By WCAG 2.2."""
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("look", [0, 1], ids=["light", "dark"])
def test_words_in_a_colour_can_be_read_on_its_wash(look):
    """Axe sees the tiles and badges that happen to stand on a page; these are all."""
    known = tokens()

    def colour(name):
        value = known[name]
        if two := re.fullmatch(r"light-dark\((.+), (.+)\)", value):
            value = two[look + 1]
        return colour(value[4:-1]) if value.startswith("var(") else value

    pairs = [(name.removesuffix("-wash"), name) for name in known if name.endswith("-wash")]
    pairs = [pair for pair in pairs if pair[0] != "--accent"]  # on which stands ink
    assert len(pairs) == 6 + TILES
    for on, wash in pairs:
        one, other = sorted((luminance(colour(on)), luminance(colour(wash))))
        assert (other + 0.05) / (one + 0.05) >= 4.5, f"{on} on {wash}"


def test_every_picture_is_there_and_on_a_page():
    there = set(re.findall(r'<symbol id="([\w-]+)"', (STYLES / "icons.svg").read_text()))
    texts = [*pages([GALLERY]), *(path.read_text() for path in CONSOLE.rglob("*.py"))]
    shown = {
        name
        for text in texts
        for name in re.findall(r"""{% icon ["']([\w-]+)|icons.svg" %}#([\w-]+)""", text)
    }
    named = {name for pair in shown for name in pair if name}
    assert sorted(named - there) == []
    chosen = {word for text in texts for word in re.findall(r"""["']([\w-]+)["']""", text)}
    assert sorted(there - named - chosen) == []


def test_browsers_get_every_sheet_in_one_file():
    written = {path.stem for path in STYLES.glob("*.css")} - {*FOR_LIBRARIES}
    assert written == set(SHEETS)
    file = Path(finders.find(NAME)).read_text()
    places = [file.index((STYLES / f"{sheet}.css").read_text()) for sheet in SHEETS]
    assert places == sorted(places)


def test_the_file_follows_the_sheets_when_they_are_edited(settings, tmp_path):
    settings.STATE_DIR = tmp_path  # other tests' browsers read the other one
    finder = StylesheetFinder()
    file = Path(finder.find(NAME))
    now = file.read_text()
    file.write_text("as the sheets were before")
    assert Path(finder.find(NAME)).read_text() == now


@pytest.fixture
def lax():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize("act", ["look", "collect"])
def test_what_is_made_in_the_state_directory_is_for_its_owner_alone(lax, settings, tmp_path, act):
    settings.STATE_DIR = tmp_path / "new" / "state"
    settings.STATIC_ROOT = settings.STATE_DIR / "static"
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "portal.collected.CollectedFiles"}}
    if act == "look":
        StylesheetFinder().find(NAME)
    else:
        finders.get_finder.cache_clear()
        call_command("collectstatic", interactive=False, verbosity=0)
        finders.get_finder.cache_clear()
    made = list(tmp_path.rglob("*"))
    assert settings.STATE_DIR / "stylesheet" / NAME in made
    assert {path.relative_to(tmp_path) for path in made if path.stat().st_mode & 0o077} == set()


def test_the_file_is_collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": "portal.collected.CollectedFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    (hashed,) = tmp_path.glob("portal/gatehouse.*.css")
    assert "fonts/inter-latin-wght-normal." in hashed.read_text()


ROLES = {
    "table": {"table"},
    "thead": {"rowgroup"},
    "tbody": {"rowgroup"},
    "tr": {"row"},
    "th": {"columnheader", "rowheader"},
    "td": {"cell"},
}


def test_tables_whose_rows_become_cards_say_what_their_elements_are():
    tables = [
        (str(path.relative_to(CONSOLE)), table)
        for path in (CONSOLE / "templates").rglob("*.html")
        for table in re.findall(r"<table\b.*?</table>", path.read_text(), re.DOTALL)
        if re.search(r'^[^>]*class="[^"]*\bcards\b', table)
    ]
    assert len(tables) > 5
    tables.append(("column.html", (CONSOLE / "templates/frame/column.html").read_text()))
    silent = [
        (name, tag[0])
        for name, table in tables
        for tag in re.finditer(rf"<({'|'.join(ROLES)})\b[^>]*", table)
        if not (role := re.search(r'\brole="(\w+)"', tag[0])) or role[1] not in ROLES[tag[1]]
    ]
    assert silent == []
