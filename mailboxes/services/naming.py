"""What people may call a mailbox, and say of it; and when two names are one."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from unicodedata import category, normalize
from uuid import UUID

from django.db.models import Q

from accounts.names import WIDE_BLANKS, is_a_line, is_seen, refuse_too_many_marks, unless_kept, visible
from mailboxes import errors
from mailboxes.models import Mailbox

CANONICAL_LENGTH = 400  # one letter may stand for up to 18; an index entry has room for these

NAME_CONSTRAINTS = {"mailbox_canonical_name_unique", "mailbox_name_unique"}

SPACE = "Zs"  # of Unicode's categories


def clean_name(name: str) -> str:
    """Raises InvalidName or TooManyMarks."""
    name = _with_plain_spaces(name)
    refuse_too_many_marks(name)
    if not _fits(name, "name") or not is_seen(name):
        raise errors.InvalidName(most=_most("name"))
    canonical = canonical_name(name)
    if not 0 < len(canonical) <= CANONICAL_LENGTH:
        raise errors.InvalidName(most=_most("name"))
    return name


def canonical_name(name: str) -> str:
    """What is the same for two names that people can't tell apart: Unicode's NFKC with case folded, without what is
    invisible, with single spaces. Nobody reads it.
    """
    seen_of_it = visible(_with_plain_spaces(name))
    folded = normalize("NFKC", normalize("NFKC", seen_of_it).casefold())
    return " ".join(folded.split())


def clean_details(details: Mapping[str, str], *, of: Mailbox | None = None) -> dict[str, str]:
    """For a new mailbox, or `of` one that there is. Raises what Mailbox.DETAILS says of each, and TypeError for what stands
    not there.
    """
    if unknown := details.keys() - Mailbox.DETAILS:
        raise TypeError(f"not said of a mailbox: {', '.join(sorted(unknown))}")
    return {
        detail: unless_kept(text, getattr(of, detail, None), partial(_clean_detail, detail))
        for detail, text in details.items()
    }


def _clean_detail(detail: str, text: str) -> str:
    text = _clean(text)
    if not _fits(text, detail):
        raise Mailbox.DETAILS[detail](most=_most(detail))
    return text


def clean_reason(reason: str) -> str:
    """Raises InvalidReason."""
    reason = _clean(reason)
    if not _fits(reason, "suspension_reason"):
        raise errors.InvalidReason(most=_most("suspension_reason"))
    return reason


def seen(name: str) -> str:
    """What people see of a name, and can type after it."""
    return visible(_with_plain_spaces(name)).strip()


def _fits(text: str, field: str) -> bool:
    return len(text) <= _most(field) and is_a_line(text)


def _most(field: str) -> int:
    """How many characters the field holds."""
    kept: Any = Mailbox._meta.get_field(field)
    return int(kept.max_length)


def _clean(text: str) -> str:
    """Nothing, if there is nothing to see in it."""
    return _with_plain_spaces(text) if is_seen(text) else ""


def _with_plain_spaces(text: str) -> str:
    return "".join(" " if category(char) == SPACE or char in WIDE_BLANKS else char for char in text).strip()


def refuse_taken(name: str, *, but: UUID | None = None) -> None:
    """Raises NameTaken when a mailbox other than `but` has this name; runs in the customer's schema.

    Of two at the same moment the constraint refuses one.
    """
    canonical = canonical_name(name)
    # Few or none: two had one name before there was this rule, or the release before made them during the upgrade.
    unheld = Q(canonical_name__startswith="\n") | Q(canonical_name=None)
    same = Mailbox.objects.filter(Q(canonical_name=canonical) | unheld)
    others = same.exclude(pk=but) if but else same
    if any(canonical_name(other) == canonical for other in others.values_list("name", flat=True)):
        raise errors.NameTaken(name=name)
