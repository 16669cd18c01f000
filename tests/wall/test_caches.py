"""Nothing of one customer is kept where another customer's request would find it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("tenants", "mailboxes")  # which know customers

# What a process may remember: it is the same for all customers, or asked for by all that it was made from.
REMEMBERED = {
    "tenants/spares.py: fingerprint",  # of this release's migrations
    "tenants/migrated.py: known",  # the names of all
    "tenants/details.py: _tell",  # that it has said so
    "tenants/branding/colours.py: palette_of",  # what a colour becomes, whosever it is
    "tenants/migrated.py: wanted",  # of those that a customer's schema gets
    "mailboxes/backup/tables.py: _loader",  # of this release's migrations
    "mailboxes/backup/tables.py: references",  # what these tables refer to
    "mailboxes/backup/tables.py: with_serials",  # which of them number their rows
    "mailboxes/backup/tables.py: tables_of",  # what those of a list make
    "mailboxes/services/worker_keys.py: _public",  # of the installation's key
    "mailboxes/vault/primitives.py: _public_key",  # the same octets, read
    "mailboxes/batch.py: _hands",  # threads
    "mailboxes/store/folder.py: _make_durably",  # that a folder, by its whole path, is there
    "mailboxes/store/s3.py: _client",  # of the installation's bucket, by all that its settings say
    "mailboxes/store/s3.py: _require_ready",  # that it answers
    "mailboxes/services/finding.py: _with_all_that_is_told",  # a question, asked in whichever schema is current
}

SHARED = re.compile(r"\bdjango\.core\.cache\b|\bcache_page\b|\bcaches\b")
REMEMBERS = re.compile(r"(functools\.)?(lru_)?cache\b")
TAG = re.compile(r"{%\s*(cache\b|load\b[^%]*\bcache\b)")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_no_room_that_knows_customers_uses_the_cache_that_all_share() -> None:
    found = [
        f"{path}: {name}" for path, module in modules() for name in imported(module) if SHARED.search(name)
    ]
    assert not found, f"A key here would need the customer in it, and a test of that: {found}"


def test_what_a_process_remembers_is_of_no_customer() -> None:
    found = {
        f"{path}: {node.name}"
        for path, module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(REMEMBERS.match(ast.unparse(decorator)) for decorator in node.decorator_list)
    }
    assert found == REMEMBERED


def test_no_template_keeps_what_it_has_rendered() -> None:
    templates = [
        path for room in (*ROOMS, "portal", "accounts") for path in (ROOT / room).rglob("templates/**/*.*")
    ]
    assert len(templates) > 50  # it does look
    assert not [path for path in templates if TAG.search(path.read_text())]
