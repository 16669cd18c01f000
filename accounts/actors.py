"""Who acts: a person, or the system itself. Every verb is told, and none has a default."""

from typing import Any, Final

from accounts.errors import SomebodyElses
from accounts.models import User


class System:
    """Whoever stands behind a command on the server, a task or the making of the demo: no person has signed in.

    Named openly wherever it acts, so that a forgotten person is a refusal and never the system.
    """

    # As the audit trail and the rows that name their author write it down.
    pk: Final = None
    email: Final = ""

    def __repr__(self) -> str:
        return "SYSTEM"


SYSTEM: Final = System()

Actor = User | System


def require_self(by: Any, person: User) -> None:
    """An account is its person's own affair, or the system's. Raises SomebodyElses for everybody else.

    What others may do to people is for the rooms above: they ask for a right, and then act here as the system.
    """
    if isinstance(by, System):
        return
    if not isinstance(by, User) or not by.is_active or by.pk is None or by.pk != person.pk:
        raise SomebodyElses


def require_system(by: Any) -> None:
    """For what nobody does to an account as a person, not even to their own. Raises SomebodyElses."""
    if not isinstance(by, System):
        raise SomebodyElses
