"""What documents say of the code is still so."""

import re

from portal.catalogs import ROOT

# `gateway/test_pop3`: ids_are_the_same_after_a_restart, deletions_are_marks_until_quit
GUARDS = re.compile(r"`([a-z]+/test_\w+)`: (\w+(?:, \w+)*)")
TEST = re.compile(r"^(?:async )?def test_(\w+)", re.MULTILINE)


def read(path):
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


def test_every_test_that_guards_an_invariant_exists():
    guards = GUARDS.findall(read("docs/invariants.md"))
    assert len(guards) > 100
    named = {(file, name) for file, names in guards for name in names.split(", ")}
    missing = {
        f"{file}: {name}" for file, name in named if name not in TEST.findall(read(f"tests/{file}.py"))
    }
    assert missing == set()


def test_every_check_of_the_settings_is_explained():
    checks = set(
        re.findall(
            r'"gatehouse\.([EW]\d{3})"',
            "".join(map(read, ("portal/checks.py", "portal/pooler.py", "portal/trail.py"))),
        )
    )
    table = read("docs/settings.md").partition("## What the checks say")[2]
    explained = set(re.findall(r"[EW]\d{3}", table))
    for first, last in re.findall(r"E(\d{3})` to `E(\d{3})", table):
        explained |= {f"E{number:03}" for number in range(int(first), int(last) + 1)}
    assert explained == checks
