"""What documents say of the code is still so."""

import ast
import re
import tomllib
from collections import Counter

import pytest
from django.conf import settings

from portal.doctor import variables
from portal.languages.catalogs import ROOT

# `gateway/test_pop3`: ids_are_the_same_after_a_restart, deletions_are_marks_until_quit
GUARDS = re.compile(r"`([a-z_]+(?:/[a-z_]+)*/test_\w+)`: (\w+(?:, \w+)*)")
TEST = re.compile(r"^(?:async )?def test_(\w+)", re.MULTILINE)


# `V10.4.1 to V10.4.11`, of the standard's requirements
REQUIREMENTS = re.compile(r"V(\d+\.\d+)\.(\d+)(?: to V\1\.(\d+))?")
CODE = ("accounts", "tenants", "mailboxes", "gateway", "portal")
ROOMS = "accounts|tenants|mailboxes|gateway|portal|tests|docs|benchmarks"
PLACE = re.compile(rf"`((?:{ROOMS})/[\w/.-]*(?:\.\w+|/))`")
IN_BLOCK = re.compile(
    rf"(?<![\w/.])((?:{ROOMS})/(?:[\w-]+/)*(?:[\w-]+\.py)?)(?![\w<])"
)  # of the tree in CONTRIBUTING.md
# `hold_mailbox`, `Draft.keep`, `access.require(by, customer, right)`: an underscore, a capital inside, or a dot
NAME = re.compile(r"`((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:\([^`]*\))?`")
LINK = re.compile(r"\]\(([^)\s:]+)\)")  # without a scheme


def read(path):
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


@pytest.mark.parametrize("document", ["docs/invariants.md", "docs/asvs.md"])
def test_every_test_that_a_document_names_exists(document):
    guards = GUARDS.findall(read(document))
    assert len(guards) > 100
    named = {(file, name) for file, names in guards for name in names.split(", ")}
    tests = {file: set(TEST.findall(read(f"tests/{file}.py"))) for file, _ in named}
    assert [f"{file}: {name}" for file, name in sorted(named) if name not in tests[file]] == []


def test_no_row_of_the_invariants_is_too_long_to_be_read():
    rows = [row for row in read("docs/invariants.md").splitlines() if row.startswith("| ")]
    assert len(rows) > 100
    assert [row[:80] for row in rows if len(row) > 700] == [], "Two promises are two rows."


@pytest.mark.parametrize(("document", "mark"), [("docs/invariants.md", "| "), ("CHANGELOG.md", "- ")])
def test_nothing_is_said_twice(document, mark):
    """Two versions of one line are what is left of two changes to it that met."""
    begin = [line[:60] for line in read(document).splitlines() if line.startswith(mark)]
    assert [one for one, times in Counter(begin).items() if times > 1 and "guarded by" not in one] == []


def test_each_requirement_of_the_standard_is_judged_once_and_the_counts_are_right():
    document = read("docs/asvs.md")
    judged = {"hold": [], "don't apply": [], "are missing": []}
    for row in re.findall(r"^\| (V.*)$", document, re.MULTILINE):
        requirements, _, how, *_ = row.split(" | ")
        kind = "are missing" if how.startswith("**missing**") else "hold"
        kind = "don't apply" if how.startswith("does not apply") else kind
        for section, first, last in REQUIREMENTS.findall(requirements):
            judged[kind] += [f"V{section}.{number}" for number in range(int(first), int(last or first) + 1)]
    told = {kind: int(re.search(rf"\*\*(\d+)\*\* {kind}", document)[1]) for kind in judged}
    assert told == {kind: len(found) for kind, found in judged.items()}
    assert len(set().union(*judged.values())) == sum(told.values()) == 253


def test_each_setting_that_shows_something_exists():
    rows = re.findall(r"^\| V.*\| ([^|]*) \|$", read("docs/asvs.md"), re.MULTILINE)
    named = set(re.findall(r"`([A-Z_]{5,})`", " ".join(rows)))
    assert len(named) > 5
    variables = read("docs/settings.md")
    assert [name for name in sorted(named) if not (hasattr(settings, name) or name in variables)] == []


def test_each_variable_that_is_read_is_explained():
    """Those that the settings asked for while they were read, which is also how the doctor knows a misspelt one."""
    document = read("docs/settings.md")
    values = {name for name in settings.ENVIRONMENT_NAMES if not name.endswith("_FILE")}
    named = values | {name for name in settings.ENVIRONMENT_NAMES if name.removesuffix("_FILE") not in values}
    assert len(named) > 50
    assert [name for name in sorted(named) if f"`{name}`" not in document] == []


def test_nothing_names_a_variable_of_ours_that_is_not_read():
    """Neither code, which would get a default in silence, nor a hint, a unit or a document, after which somebody would type it."""
    known = settings.ENVIRONMENT_NAMES | variables.OF_COMPOSE | variables.OF_UNITS
    files = [path for room in CODE for path in (ROOT / room).rglob("*.py")]
    files += [
        path
        for path in (ROOT / "docker").rglob("*")
        if path.is_file() and path.name not in (".env", "make-image")
    ]
    files += [ROOT / "manage.py", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    unread = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in re.findall(r"\bGATEHOUSE_[A-Z0-9_]*", path.read_text())
        # What ends so is only how several begin.
        if not name.endswith("_") and name not in known and not name.startswith(variables.OF_TESTS)
    }
    assert sorted(unread) == []


def anchors(document):
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", document, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere():
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = []
    for document in documents:
        for link in LINK.findall(document.read_text()):
            path, _, anchor = link.partition("#")
            there = document.parent / path if path else document
            if not there.exists() or (anchor and anchor not in anchors(there.read_text())):
                broken.append(f"{document.relative_to(ROOT)}: {link}")
    assert len(documents) > 10 and broken == []


def test_files_and_folders_that_documents_name_are_there():
    named = {
        (document.name, path)
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        if document.name != "CHANGELOG.md"  # which tells of what was
        for path in PLACE.findall(document.read_text())
    }
    named |= {("CONTRIBUTING.md", path) for path in IN_BLOCK.findall(read("CONTRIBUTING.md"))}
    assert len(named) > 100
    assert sorted((document, path) for document, path in named if not (ROOT / path).exists()) == []


def is_of_code(name):
    return "_" in name or "." in name or re.search(r"[a-z][A-Z]", name)


@pytest.mark.parametrize(
    "document", ["CONTRIBUTING.md", "docs/architecture.md", "docs/jobs.md", "docs/people.md"]
)
def test_what_documents_call_by_its_name_in_the_code_is_called_so(document):
    code = [path for room in ROOMS.split("|") for path in (ROOT / room).rglob("*.py")]
    known = set(re.findall(r"\w+", " ".join(path.read_text() for path in code) + read("pyproject.toml")))
    known |= {path.name for path in code} | {"InvalidReference"}  # which a recipe makes up
    named = set(filter(is_of_code, NAME.findall(read(document))))
    assert len(named) > 10
    assert sorted(name for name in named if name not in known and name.split(".")[-1] not in known) == []


def test_every_import_contract_is_explained():
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    names = [contract["name"] for contract in contracts]
    architecture = read("docs/architecture.md")
    assert [name for name in names if f"| {name} |" not in architecture] == []


def test_the_story_that_the_modules_of_mailboxes_tell_has_each_of_them():
    (story,) = re.findall(
        r"^In `mailboxes/services/` each module is a part of the story: (.*?) `mailboxes/work/` is",
        read("docs/architecture.md"),
        re.MULTILINE,
    )
    modules = {path.stem for path in (ROOT / "mailboxes/services").glob("*.py")} - {"__init__"}
    assert sorted(re.findall(r"`(\w+)`", story)) == sorted(modules)


def test_every_check_of_the_settings_is_explained():
    checks = set(
        re.findall(
            r'"gatehouse\.([EW]\d{3})"',
            "".join(path.read_text() for path in (ROOT / "portal/checks").glob("*.py")),
        )
    )
    table = read("docs/settings.md").partition("## What the checks say")[2]
    rows = re.findall(r"^\| (`gatehouse[^|]*) \|", table, re.MULTILINE)
    assert sorted(set(rows)) == sorted(rows), "No id means two things."
    explained = set(re.findall(r"[EW]\d{3}", table))
    for first, last in re.findall(r"E(\d{3})` to `E(\d{3})", table):
        explained |= {f"E{number:03}" for number in range(int(first), int(last) + 1)}
    assert explained == checks


def test_each_alarm_is_in_the_runbook():
    """Each line at level ERROR, by its first words that don't change."""
    runbook = read("docs/operations.md")
    # Their words stand elsewhere.
    beginnings = {
        "%s kind=%s mail=%s: %s": "a mail is tried again",
        "%s: %s %s": "gatehouse.E",
    }
    alarms = {beginnings.get(text) or _first_words(text) for text in _alarms()}
    assert len(alarms) > 40
    assert sorted(alarm for alarm in alarms if alarm not in runbook) == []


def _first_words(text):
    pieces = [piece.strip(" :;.") for piece in re.split(r"[,;:(]|\w*=?%\S*|\w+=", text)]
    return next(piece for piece in pieces if len(piece) > 8)


def _alarms():
    # What `make run` is, a person starts and looks at.
    for room in ("accounts", "tenants", "mailboxes", "gateway", "portal"):
        for path in (ROOT / room).rglob("*.py"):
            if "onebox" in path.parts or "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name(id="log"), attr="error" | "exception" | "critical"),
                        args=[ast.Constant(value=str(text)), *_],
                    ):
                        yield text
