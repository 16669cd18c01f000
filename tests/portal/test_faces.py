"""Faces ask verbs: of what they do to the database themselves there is nothing but looking."""

import ast
from collections.abc import Iterator
from pathlib import Path

from portal.languages.catalogs import ROOT

# What portal/ has besides faces, folders and modules. Whatever else it gets is one, and held to this.
FOLDERS = {"checks", "doctor", "gates", "languages", "management", "onebox", "setup", "urls"}
MODULES = {
    "__init__",
    "apps",
    "broker",
    "cache",
    "celery",
    "collected",
    "environment",
    "folders",
    "logs",
    "network",
    "redaction",
    "settings",
    "webserver",
    "wsgi",
}
NO_FACES = FOLDERS | MODULES

# What writes rows when it is called on a model, its manager, a query or a relation, or goes past all of them. Pages have
# hardly another use for these names, so whose they are need not be found out: a dict is merged by |.
VERBS = (
    "create",
    "update",
    "delete",
    "save",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
)
OF_RELATIONS = ("add", "remove", "set", "clear")
WRITES = frozenset(name for verb in (*VERBS, *OF_RELATIONS) for name in (verb, f"a{verb}")) | {
    "save_base",
    "execute",
    "executemany",
    "cursor",
}
# Django's pages that save a form, or delete a row, without a line of ours.
WRITERS = frozenset({"CreateView", "UpdateView", "DeleteView"})

# Who has a reason for one of these names, with the name.
REASONS = {
    (
        "console/administration/acts.py",
        "update",
    ): "no row's: the fields of an object that Django's administration goes on with",
    ("console/signin/forgotten.py", "save"): "a form's of ours, which asks the verb",
    ("console/people/of_customer.py", "remove"): "of the module beside it, which asks the verb",
    ("console/people/team.py", "remove"): "likewise",
}


def test_no_face_writes_to_the_database_past_a_verb() -> None:
    found = [*_writes()]
    past = [f"portal/{file}:{line}: {name}" for file, line, name in found if (file, name) not in REASONS]
    assert not past, f"These write without a right, a rule or a line in the trail. Make a verb of {past}."
    idle = set(REASONS) - {(file, name) for file, _line, name in found}
    assert not idle, f"These need no reason any more: {idle}."


def _writes() -> Iterator[tuple[str, int, str]]:
    """File, line and name."""
    portal = ROOT / "portal"
    files = [file for file in portal.rglob("*.py") if _of(file, portal) not in NO_FACES]
    assert len(files) > 40
    for file in files:
        for line, name in _names(file):
            if name in WRITES | WRITERS:
                yield str(file.relative_to(portal)), line, name


def _of(file: Path, portal: Path) -> str:
    """The folder or module of portal/ in which a file is."""
    return file.relative_to(portal).parts[0].removesuffix(".py")


def _names(file: Path) -> Iterator[tuple[int, str]]:
    """What is called as a thing's own, and what classes are made from."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.lineno, node.func.attr
        elif isinstance(node, ast.ClassDef):
            for base in node.bases:
                yield node.lineno, ast.unparse(base).rpartition(".")[2]
