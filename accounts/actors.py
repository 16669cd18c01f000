"""Who acts: a person, or the system itself. Every verb is told, and none has a default."""

from typing import Final

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
