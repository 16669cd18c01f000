"""What a session stands on is raised with what it counts: a number that somebody forgets to raise opens old sessions anew."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.actors import SYSTEM
from tenants import identity
from tenants.models import Customer, IdentityProvider
from tests.cast import customer

pytest_plugins = ["tests.accounts.openid.portal"]

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "tenants", "mailboxes", "gateway", "portal")
COUNTED = frozenset(
    {"identity_provider_consent", "consent_series", "active", "email_domains", "role", "series"}
)
ASSIGNING = frozenset({"update", "aupdate", "update_or_create", "bulk_update", "save", "setattr"})
MODULE = "tenants/models.py"


def _names(node: ast.AST) -> Iterator[str]:
    """What is written by this: fields as keywords, in texts, or as attributes."""
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ASSIGNING:
            yield from (one.arg or "" for one in node.keywords)
            yield from (
                one.value
                for part in [*node.args, *node.keywords]
                for one in ast.walk(part)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


def _written(source: str) -> set[str]:
    return {name for node in ast.walk(ast.parse(source)) for name in _names(node)} & COUNTED


def test_nothing_but_the_models_verbs_writes_what_a_series_is_raised_for() -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(written)
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts and (written := _written(path.read_text()))
    }
    assert set(found) == {MODULE}, found


@pytest.mark.parametrize(
    "line",
    [
        "Customer.objects.filter(pk=1).update(identity_provider_consent=True)",
        "found.active = False",
        "found.save(update_fields=['email_domains'])",
        "IdentityProvider.objects.update_or_create(pk=1, defaults={'active': True})",
        "setattr(found, 'series', 2)",
    ],
)
def test_it_would_be_seen(line: str) -> None:
    assert _written(line)


def test_each_verb_raises_its_series_where_something_changes_and_nowhere_else(northwinds, cast) -> None:  # type: ignore[no-untyped-def]
    def series() -> tuple[int, int]:
        return customer("acme").consent_series, IdentityProvider.objects.get().series

    consents, switched = series()
    acme = Customer.objects.filter(slug="acme")
    assert [acme.set_consent(given=given) for given in (True, False, False, True)] == [0, 1, 0, 1]
    assert series() == (consents + 2, switched)
    for active in (True, False, False, True):
        identity.switch(northwinds, active=active, by=SYSTEM)
    assert series() == (consents + 2, switched + 2)
    for named in (["northwind.example", "acme.example"], ["acme.example"], ["acme.example"]):
        IdentityProvider.objects.get().speak_for(named)
    assert series() == (consents + 2, switched + 3)
    assert IdentityProvider.objects.get().email_domains == ["acme.example"]
