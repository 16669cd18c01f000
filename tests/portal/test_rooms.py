"""Rooms know no face: what an API would inherit from them leads to no page and has no markup."""

import ast
from collections.abc import Iterator
from functools import cache

from portal.languages.catalogs import ROOT

ROOMS = ("accounts", "tenants", "mailboxes", "gateway")
MAKES_ADDRESSES = {"reverse", "reverse_lazy", "resolve_url", "redirect"}
TAKES_PATHS = {"portal_url"}  # a path typed there is a page's address, too
MAKES_MARKUP = {"django.utils.html", "django.utils.safestring"}

# Who may know a page's name, with the reason. An import contract can't see these: a name is only a text.
ADDRESSES = {
    (
        "accounts/services/forgotten.py",
        "account_reset_password_from_key",
    ): "the link of a mail leads to a page",
    ("accounts/mails/writing.py", "account_reset_password"): "the link of a mail leads to a page",
    ("accounts/mails/writing.py", "sessions"): "the link of a mail leads to a page",
    ("tenants/mails/invitation.py", "invitation"): "the link of a mail leads to a page",
    ("accounts/adapters/account.py", "account_login"): "allauth asks this adapter where its pages lead",
    (
        "accounts/adapters/account.py",
        "organization_sign_in",
    ): "allauth asks this adapter where its pages lead",
}
MARKUP = {"accounts/mails/markup.py": "a mail has its own, from templates of its own"}


def test_no_room_knows_the_addresses_of_pages():
    found = set(_addresses())
    assert found - ADDRESSES.keys() == set(), "Hand out plain data; the face that shows it makes the link."
    assert ADDRESSES.keys() - found == set(), "These need no reason any more."


def test_no_room_writes_markup():
    found = {file for file, module in _imports() if module in MAKES_MARKUP}
    assert found - MARKUP.keys() == set(), "Hand out plain data; the face that shows it writes the markup."
    assert MARKUP.keys() - found == set(), "These need no reason any more."


@cache
def _nodes() -> list[tuple[str, ast.AST]]:
    """The calls and imports of all rooms."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 100
    return [
        (str(path.relative_to(ROOT)), node)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
    ]


def _addresses() -> Iterator[tuple[str, str]]:
    """File, and the name of the page, or how it comes by it."""
    for file, node in _nodes():
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called not in MAKES_ADDRESSES | TAKES_PATHS:
            continue
        whose = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if called in MAKES_ADDRESSES and whose != "self":  # whose method is called so by chance
            name = node.args[0] if node.args else node
            yield file, name.value if isinstance(name, ast.Constant) else ast.unparse(name)
        if called in TAKES_PATHS:
            yield from ((file, path.value) for path in node.args if isinstance(path, ast.Constant))


def _imports() -> Iterator[tuple[str, str]]:
    for file, node in _nodes():
        if isinstance(node, ast.ImportFrom) and node.module:
            yield file, node.module
            yield from ((file, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((file, alias.name) for alias in node.names)
