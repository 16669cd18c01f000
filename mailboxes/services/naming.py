"""What people may call a mailbox, and say of it."""

from unicodedata import category
from uuid import UUID

from accounts.names import is_a_line
from mailboxes import errors
from mailboxes.models import Mailbox

NAME_LENGTH, DESCRIPTION_LENGTH, REASON_LENGTH = 100, 500, 500

SPACE, INVISIBLE = "Zs", "Cf"  # of Unicode's categories


def clean_name(name: str) -> str:
    """Raises InvalidName."""
    name = _with_plain_spaces(name)
    if not seen(name) or len(name) > NAME_LENGTH or not is_a_line(name):
        raise errors.InvalidName
    return name


def clean_description(description: str) -> str:
    """Raises InvalidDescription."""
    description = _with_plain_spaces(description)
    if len(description) > DESCRIPTION_LENGTH or not is_a_line(description):
        raise errors.InvalidDescription
    return description


def clean_reason(reason: str) -> str:
    """Raises InvalidReason."""
    reason = _with_plain_spaces(reason)
    if len(reason) > REASON_LENGTH or not is_a_line(reason):
        raise errors.InvalidReason
    return reason


def seen(name: str) -> str:
    """What people see of a name, and can type after it."""
    return "".join(char for char in _with_plain_spaces(name) if category(char) != INVISIBLE).strip()


def _with_plain_spaces(text: str) -> str:
    return "".join(" " if category(char) == SPACE else char for char in text).strip()


def refuse_taken(name: str, *, but: UUID | None = None) -> None:
    """Raises NameTaken when a mailbox other than `but` has this name; runs in the customer's schema."""
    others = Mailbox.objects.filter(name__iexact=name)
    if (others.exclude(pk=but) if but else others).exists():
        raise errors.NameTaken(name=name)
