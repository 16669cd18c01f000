"""What is typed to find something in a list: words, in any order, each a part of what stands in a row."""

from functools import reduce
from operator import or_

from django.db.models import Q


def each_word(search: str, *fields: str) -> Q:
    """A row has each word of `search` in one of these fields, in large or small letters. Without a word, each row does."""
    found = Q()
    for word in search.split():
        found &= reduce(or_, (Q(**{f"{field}__icontains": word}) for field in fields))
    return found
