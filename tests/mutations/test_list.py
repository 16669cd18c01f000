"""The list of `make mutate` fits the code: a breakage that does not apply proves nothing."""

import ast
from functools import cache
from pathlib import Path

from django.template import Template, TemplateSyntaxError

from tests.mutations.breakages import BREAKAGES, Breakage

ROOT = Path(__file__).resolve().parents[2]


def test_each_breakage_applies_and_its_guards_are_there() -> None:
    """All in one test: there are hundreds, and what is made for a test takes longer than a look at one of them."""
    wrong = {breakage.promise: found for breakage in BREAKAGES if (found := _wrong_with(breakage))}
    assert not wrong, "\n".join(f"{promise}: {found}" for promise, found in wrong.items())


def _wrong_with(breakage: Breakage) -> str:
    # A file that can't be read would fail every test, whatever it guards.
    can_be_read = ast.parse if breakage.file.endswith(".py") else Template
    try:
        can_be_read(breakage.apply_to(_text(breakage.file)))
    except (ValueError, SyntaxError, TemplateSyntaxError, OSError) as error:
        return str(error)
    guards = [guard.partition("::") for guard in breakage.guards]
    gone = [
        f"{file}::{name}"
        for file, _, name in guards
        if not (ROOT / file).exists() or (name and f"def {name.partition('[')[0]}(" not in _text(file))
    ]
    return "" if guards and not gone else f"guards that are not there: {gone or 'none is named'}"


@cache
def _text(file: str) -> str:
    return (ROOT / file).read_text()
