"""The list of `make mutate` fits the code: a breakage that does not apply proves nothing."""

import ast
from pathlib import Path

import pytest
from django.template import Template

from tests.mutations.breakages import BREAKAGES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.promise)
def test_each_breakage_applies_and_its_guards_are_there(breakage):
    broken = breakage.apply_to((ROOT / breakage.file).read_text())
    # A file that can't be read would fail every test, whatever it guards.
    can_be_read = ast.parse if breakage.file.endswith(".py") else Template
    can_be_read(broken)
    assert breakage.guards
    for guard in breakage.guards:
        file, _, name = guard.partition("::")
        assert not name or f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(), guard
