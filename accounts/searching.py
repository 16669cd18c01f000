"""What is typed to find something in a list: words, in any order, each a part of what stands in a row."""

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, TextField, Value
from django.db.models.lookups import Contains

from accounts.folding import folded


def each_word(search: str, *fields: Any) -> Q:
    """A row has each word of `search` in one of these fields, whatever marks and case letters have here or there.

    Without a word, each row does.
    """
    found = Q()
    for word in search.split():
        typed = folded(Value(word, TextField()))
        found &= reduce(or_, (Q(Contains(folded(field), typed)) for field in fields))
    return found
