"""What each status of a mailbox allows: one table, asked by the verbs, by mail that comes and goes, and by pages."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from mailboxes import errors
from tenants.access import Right
from tenants.models import DirectoryEntry


class Act(StrEnum):
    """What is done with a mailbox; templates ask by these words."""

    # By programs.
    TAKE_MAIL = "take-mail"
    COLLECT = "collect"
    WORK = "work"  # on its mail, by a job that is not its deletion
    # By people.
    EDIT = "edit"  # suspending and activating included
    RESET_PASSWORD = "reset-password"  # noqa: S105 - an act, not a password
    UNLOCK = "unlock"
    DELETE_LOCKED_MAIL = "delete-locked-mail"
    SEE_LOSSES = "see-losses"  # what its deletion would cost, and what has to come before it
    DELETE = "delete"


class Standing(NamedTuple):
    """What a status allows, and how everything else is refused."""

    allows: frozenset[Act]
    refusal: type[errors.MailboxError]  # of any act, so it says no more than how the mailbox stands
    of: Mapping[Act, type[errors.MailboxError]] = MappingProxyType({})  # where it can say what to do first

    def refusal_of(self, act: Act) -> type[errors.MailboxError] | None:
        return None if act in self.allows else self.of.get(act, self.refusal)


# The statuses of the directory, which has those of the mailbox and one more for the time after it. All is written out,
# and what stands nowhere is allowed nowhere.
STATUSES: dict[str, Standing] = {
    DirectoryEntry.Status.ACTIVE: Standing(
        frozenset(
            {
                Act.TAKE_MAIL,
                Act.COLLECT,
                Act.WORK,
                Act.EDIT,
                Act.RESET_PASSWORD,
                Act.UNLOCK,
                Act.DELETE_LOCKED_MAIL,
                Act.SEE_LOSSES,
            }
        ),
        errors.MailboxActive,
        of={Act.DELETE: errors.StillActive},
    ),
    DirectoryEntry.Status.SUSPENDED: Standing(
        frozenset(
            {
                Act.COLLECT,
                Act.WORK,
                Act.EDIT,
                Act.RESET_PASSWORD,
                Act.UNLOCK,
                Act.DELETE_LOCKED_MAIL,
                Act.SEE_LOSSES,
                Act.DELETE,
            }
        ),
        errors.MailboxSuspended,
    ),
    DirectoryEntry.Status.DELETING: Standing(frozenset(), errors.MailboxDeleting),
    DirectoryEntry.Status.RETIRED: Standing(frozenset(), errors.UnknownAddress),
}

# What a person needs besides, as the verbs ask for it.
RIGHTS: dict[Act, Right] = {
    Act.EDIT: Right.EDIT_MAILBOX,
    Act.RESET_PASSWORD: Right.RESET_PASSWORD,
    Act.UNLOCK: Right.RESET_PASSWORD,
    Act.DELETE_LOCKED_MAIL: Right.DELETE_MAILBOX,
    Act.SEE_LOSSES: Right.DELETE_MAILBOX,
    Act.DELETE: Right.DELETE_MAILBOX,
}


class HasStatus(Protocol):
    """A mailbox, or its entry in the directory."""

    status: str


def allows(mailbox: HasStatus, act: Act) -> bool:
    """Whether its status allows that."""
    return act in STATUSES[mailbox.status].allows


def refusal(mailbox: HasStatus, act: Act) -> errors.MailboxError | None:
    """Why its status does not allow that; None if it does."""
    kind = STATUSES[mailbox.status].refusal_of(act)
    return kind(name=str(mailbox)) if kind else None


def require(mailbox: HasStatus, act: Act) -> None:
    """Raises the refusal of a status that does not allow that."""
    if refused := refusal(mailbox, act):
        raise refused


def is_over(mailbox: HasStatus) -> bool:
    """Whether nothing can be done with it any more, for good."""
    return not STATUSES[mailbox.status].allows


def that_allow(act: Act) -> list[str]:
    """The statuses that do, for questions about rows."""
    return [status for status, standing in STATUSES.items() if act in standing.allows]


def acts_on(mailbox: HasStatus, rights: Collection[Right]) -> frozenset[Act]:
    """What a person with these rights may now do with it: what the rights allow and the status, too."""
    allowed = STATUSES[mailbox.status].allows
    return frozenset(act for act, right in RIGHTS.items() if right in rights and act in allowed)
