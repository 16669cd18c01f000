"""What is typed to find something in a list: words, in any order, each a part of what stands in a row."""

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q, TextField, Value
from django.db.models.lookups import Contains

from accounts.folding import folded

WORDS = 8  # each is a look through all texts of a list


def each_word(search: str, *fields: Any) -> Q:
    """A row has each word of `search` in one of these fields, whatever marks and case letters have here or there.

    Without a word, each row does. Of more than WORDS the first ones are looked for.
    """
    found = Q()
    for word in search.split()[:WORDS]:
        typed = folded(Value(word, TextField()))
        found &= reduce(or_, (Q(Contains(folded(field), typed)) for field in fields))
    return found
