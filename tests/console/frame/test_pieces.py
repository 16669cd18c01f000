"""What a piece of a page reads is passed to it by whoever includes it, or named by the piece itself: nothing is hidden."""

import inspect
import re
from collections import defaultdict

import pytest
from django.template import engines
from django.template.base import Token, TokenType, Variable
from django.template.loader_tags import IncludeNode

from portal.console.templatetags import look
from tests.console.frame.test_stylesheets import CONSOLE

FOLDER = CONSOLE / "templates"
# Of every page: by the context processors, and by Django.
OF_ALL = {
    *("customer", "rights", "frame", "request", "user", "messages", "csrf_token"),
    *("block", "forloop", "True", "False", "None"),
}
BINDS = {"asvar", "var_name", "variable", "target_var", "countervar", "loopvars"}
UP = {"token", "origin", "parent", "template"}


class Read:
    """The names that a template reads and does not set, and what it includes."""

    def __init__(self, name):
        self.names, self.set_here, self.includes, self._seen = set(), set(), [], set()
        self._walk(engines["django"].engine.get_template(name).nodelist)
        self.names -= self.set_here

    def _walk(self, thing):
        if id(thing) in self._seen:
            return
        self._seen.add(id(thing))
        if isinstance(thing, Variable):
            self.names |= {thing.lookups[0]} if thing.lookups else set()
        elif isinstance(thing, Token):  # of a translated block
            if thing.token_type is TokenType.VAR:
                self.names.add(re.split(r"[.|]", thing.contents)[0])
        elif isinstance(thing, dict | list | tuple):
            for each in thing.values() if isinstance(thing, dict) else thing:
                self._walk(each)
        elif type(thing).__module__.startswith(("django.template", "django.templatetags")):
            self._walk_node(thing)

    def _walk_node(self, node):
        kept = getattr(node, "__dict__", None) or {
            key: getattr(node, key) for key in getattr(node, "__slots__", ())
        }
        for key, value in kept.items():
            if key in BINDS and value:
                self.set_here |= {value} if isinstance(value, str) else set(value)
            elif key == "extra_context" and not isinstance(node, IncludeNode):
                self.set_here |= value.keys()
            if key not in UP:
                self._walk(value)
        if isinstance(node, IncludeNode) and isinstance(node.template.var, str):
            self.includes.append(node)


@pytest.fixture(scope="module")
def read():
    return {name: Read(name) for name in (str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.html"))}


@pytest.fixture(scope="module")
def included(read):
    """By a piece's name: the templates that include it, with the nodes."""
    found = defaultdict(list)
    for name, template in read.items():
        for node in template.includes:
            if str(node.template.var) in read:
                found[str(node.template.var)].append((name, node))
    return found


def test_what_a_shared_piece_reads_is_passed_to_it_or_named_in_its_first_line(read, included):
    """By name pieces of one part of the console, whose pages have much in common; those of all parts are passed it."""
    hidden = {}
    for piece, by in included.items():
        if len({name for name, _ in by}) < 2:
            continue  # a page that was cut in two
        first_line = (FOLDER / piece).read_text().partition("\n")[0]
        named = set() if piece.startswith("frame/") else set(re.findall(r"`(\w+)`", first_line))
        for name, node in by:
            if not node.isolated_context and (
                missing := read[piece].names - OF_ALL - named - node.extra_context.keys()
            ):
                hidden[name, piece] = missing
    assert hidden == {}


@pytest.mark.parametrize("tag", [look.dialog, look.notice, look.nothing])
def test_what_stands_around_a_block_is_what_its_tag_is_told(read, tag):
    told = inspect.signature(tag).parameters
    assert read[f"frame/{tag.__name__}.html"].names - OF_ALL <= set(told)
    assert all(each.kind is not each.VAR_KEYWORD for each in told.values())
