"""What people may call a mailbox."""

from uuid import UUID

from mailboxes import errors
from mailboxes.models import Mailbox

NAME_LENGTH, DESCRIPTION_LENGTH, REASON_LENGTH = 100, 500, 500


def clean_name(name: str) -> str:
    """Raises InvalidName."""
    name = " ".join(name.split(" ")).strip()
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise errors.InvalidName
    return name


def clean_description(description: str) -> str:
    """Raises InvalidDescription."""
    description = description.strip()
    if len(description) > DESCRIPTION_LENGTH or not description.isprintable():
        raise errors.InvalidDescription
    return description


def clean_reason(reason: str) -> str:
    """Raises InvalidReason."""
    reason = reason.strip()
    if len(reason) > REASON_LENGTH or not reason.isprintable():
        raise errors.InvalidReason
    return reason


def refuse_taken(name: str, *, but: UUID | None = None) -> None:
    """Raises NameTaken when a mailbox other than `but` has this name; runs in the customer's schema."""
    others = Mailbox.objects.filter(name__iexact=name)
    if (others.exclude(pk=but) if but else others).exists():
        raise errors.NameTaken(name=name)
