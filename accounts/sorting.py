"""Where names stand in lists: where people look for them, whatever marks and case their letters have."""

from typing import Any

from django.db.models import Case, F, Func, IntegerField, TextField, When
from django.db.models.functions import Length, Lower
from django.db.models.lookups import Exact

# By PostgreSQL's own tables: not each build knows a language's order (ICU), and servers differ in theirs.
MARKS = r"[\u0300-\u036f\u064b-\u065f]"
LETTERS, LIKE = "ßæœøłđðþħŧı", "saoolddthti"  # which are no others with marks


class _Octets(Func):
    function = "octet_length"
    output_field = IntegerField()


class _Plain(Func):
    template = (
        f"translate(lower(regexp_replace(normalize(%(expressions)s, NFKD), '{MARKS}', '', 'g')),"
        f" '{LETTERS}', '{LIKE}')"
    )
    output_field = TextField()


def alphabetical(name: Any) -> Case:
    """For order_by(): Ö stands beside O, é beside e. Names that differ in nothing else are equal."""
    name = F(name) if isinstance(name, str) else name
    ascii_alone = Exact(Length(name), _Octets(name))  # it takes ten times as long to look for marks
    return Case(When(ascii_alone, then=Lower(name)), default=_Plain(name), output_field=TextField())


def by_name(field: str = "name") -> tuple[Case, str, str]:
    """For order_by(): each row has one place, or pages would show some twice and others never."""
    return alphabetical(field), field, "pk"
