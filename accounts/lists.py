"""What lists have in common: their order, and how a row is found. Letters are as people type them who have no others."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Case, F, Func, IntegerField, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Length, Lower
from django.db.models.lookups import Contains, Exact

Rows = TypeVar("Rows", bound=QuerySet[Any])

WORDS = 8  # of a search; each is a look through all texts of a list

# By PostgreSQL's own tables: not each build knows a language's order (ICU), and servers differ in theirs.
MARKS = r"[\u0300-\u036f\u064b-\u065f]"
# Which are no others with marks; app.js has the same.
LETTERS = {
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    **dict(zip("øłđðħŧıς", "olddhti\N{GREEK SMALL LETTER SIGMA}", strict=True)),
}


class _Octets(Func):
    function = "octet_length"
    output_field = IntegerField()


class _Plain(Func):
    template = reduce(
        lambda found, pair: "replace({}, '{}', '{}')".format(found, *pair),
        LETTERS.items(),
        f"lower(regexp_replace(normalize(%(expressions)s, NFKD), '{MARKS}', '', 'g'))",
    )
    output_field = TextField()


def folded(text: Any) -> Case:
    """For order_by() and comparisons: Ö is O, É is e, ß is ss. Of a field, by its name, or of what is typed, as a Value."""
    text = F(text) if isinstance(text, str) else text
    ascii_alone = Exact(Length(text), _Octets(text))  # it takes ten times as long to look for marks
    return Case(When(ascii_alone, then=Lower(text)), default=_Plain(text), output_field=TextField())


def by_name(field: str = "name") -> tuple[Case, str, str]:
    """For order_by(): each row has one place, or pages would show some twice and others never."""
    return folded(field), field, "pk"


def sorted_by(found: Rows, columns: Mapping[str, Any], sort: str, *ties: Any) -> Rows:
    """By the column that `sort` names, with "-" for descending, rows without a value last, and then by `ties`; by these
    alone where there is no such column. The last of them gives each row a place of its own.
    """
    key = columns.get(sort.removeprefix("-"))
    if key is None:
        return found.order_by(*ties)
    return found.order_by(
        key.desc(nulls_last=True) if sort.startswith("-") else key.asc(nulls_last=True), *ties
    )


def each_word(search: str, *fields: Any) -> Q:
    """A row has each word of `search` in one of these fields, whatever marks and case letters have here or there.

    Without a word, each row does. Of more than WORDS the first ones are looked for.
    """
    found = Q()
    for word in search.split()[:WORDS]:
        typed = folded(Value(word, TextField()))
        found &= reduce(or_, (Q(Contains(folded(field), typed)) for field in fields))
    return found
