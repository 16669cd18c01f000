"""Letters as people type them who have no others: without marks, in small ones. By this lists are sorted and searched."""

from functools import reduce
from typing import Any

from django.db.models import Case, F, Func, IntegerField, TextField, When
from django.db.models.functions import Length, Lower
from django.db.models.lookups import Exact

# By PostgreSQL's own tables: not each build knows a language's order (ICU), and servers differ in theirs.
MARKS = r"[\u0300-\u036f\u064b-\u065f]"
# Which are no others with marks; app.js has the same.
LETTERS = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", **dict(zip("øłđðħŧı", "olddhti", strict=True))}


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
