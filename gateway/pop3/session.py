"""One POP3 session: which verbs each state knows (RFC 1939 3), and what is remembered between them.

No sockets here: lines go in, replies come out. UPDATE is not a state one can be in, for QUIT enters and leaves it.
"""

import enum
from collections.abc import Callable
from typing import Any

from mailboxes.services.delivery_log import Reason

from . import authorization, transaction
from .grammar import COMMAND_OCTETS, RESPONSE_OCTETS, BadCommand, parse_command
from .replies import Refused, Reply, Then, err

MAX_ERRORS = 20  # wrong commands by one client; then it is told no more
MAX_FAILURES = 3  # wrong passwords on one connection
MAX_BEFORE_SIGN_IN = 100  # commands; three sign-ins need a dozen
MAX_NOWHERE = 1000  # commands in a row that bring no message nearer; by a NOOP each minute it takes 16 hours

_VERBS = {
    "AUTHORIZATION": {
        "CAPA": authorization.capa,
        "STLS": authorization.stls,
        "USER": authorization.user,
        "PASS": authorization.password,
        "AUTH": authorization.auth,
        "NOOP": authorization.noop,
        "QUIT": authorization.quit_,
    },
    "TRANSACTION": {
        "CAPA": transaction.capa,
        "STAT": transaction.stat,
        "LIST": transaction.list_,
        "UIDL": transaction.uidl,
        "RETR": transaction.retr,
        "TOP": transaction.top,
        "DELE": transaction.dele,
        "RSET": transaction.rset,
        "NOOP": transaction.noop,
        "QUIT": transaction.quit_,
    },
}
_ABOUT_ONE_MESSAGE = frozenset({"LIST", "UIDL", "RETR", "TOP", "DELE"})
_ALL_VERBS = frozenset(verb for verbs in _VERBS.values() for verb in verbs)


class State(enum.Enum):
    AUTHORIZATION = "AUTHORIZATION"
    TRANSACTION = "TRANSACTION"


class Session:
    """Answers one line at a time. `maildrops` opens maildrops; what it opens is the session's until `end`."""

    def __init__(self, maildrops: Any, *, peer: str, secure: bool, hang_up: Callable[[], None]) -> None:
        self.maildrops = maildrops
        self.hang_up = hang_up  # for when another session took the maildrop over
        self.peer = peer
        self.secure = secure
        self.tls = ""  # version
        self.broken_by = Reason.BROKEN_OFF  # what ends it, unless QUIT does
        self.state = State.AUTHORIZATION
        self.login: str | None = None
        self.maildrop: Any = None
        self.deleted: set[int] = set()
        self.awaits_response = False  # AUTH PLAIN was said without its response
        self.failures = 0
        self._errors = 0
        self._nowhere = 0
        self._marked_octets = 0
        self._all_octets = 0

    @property
    def signed_in(self) -> bool:
        return self.state is State.TRANSACTION

    @property
    def line_limit(self) -> int:
        return RESPONSE_OCTETS if self.awaits_response else COMMAND_OCTETS

    async def answer(self, line: bytes) -> Reply:
        """The reply to one line without its CRLF. Raises nothing that a client can cause."""
        self._nowhere += 1
        reply = await self._answer(line)
        if reply.then is Then.GO_ON and self._nowhere > (
            MAX_NOWHERE if self.signed_in else MAX_BEFORE_SIGN_IN
        ):
            return err("Too many commands that lead nowhere", then=Then.CLOSE)
        return reply

    async def _answer(self, line: bytes) -> Reply:
        try:
            if self.awaits_response:
                self.awaits_response = False
                return await authorization.plain_response(self, line)
            command = parse_command(line)
            verb = _VERBS[self.state.value].get(command.verb)
            if verb is None:
                raise BadCommand("Not now" if command.verb in _ALL_VERBS else "Command not recognized")
            reply = await verb(self, command.argument)
            if self.signed_in and command.argument and command.verb in _ABOUT_ONE_MESSAGE:
                self._nowhere = 0
            return reply
        except BadCommand as error:
            return self.wrong(str(error))
        except Refused as refused:
            return refused.reply

    def wrong(self, text: str) -> Reply:
        """The reply to something that is not POP3; too much of that ends the session."""
        self._errors += 1
        return err(text, then=Then.CLOSE if self._errors >= MAX_ERRORS else Then.GO_ON)

    def failed(self, refused: Refused) -> Reply:
        """The reply to a wrong password; too many of them end the session."""
        self.failures += 1
        if self.failures < MAX_FAILURES:
            return refused.reply
        return refused.reply._replace(then=Then.CLOSE)

    def enter_transaction(self, maildrop: Any) -> None:
        self.maildrop = maildrop
        self.state = State.TRANSACTION
        self._nowhere = 0
        self._all_octets = sum(entry.octets for entry in maildrop.entries)

    def totals(self) -> tuple[int, int]:
        """How many messages are not marked as deleted, and their octets; the same work for many as for few."""
        return len(self.maildrop.entries) - len(self.deleted), self._all_octets - self._marked_octets

    def mark(self, index: int) -> None:
        """Delete this message at QUIT; it is not marked yet."""
        self.deleted.add(index)
        self._marked_octets += self.maildrop.entries[index].octets

    def unmark_all(self) -> None:
        self.deleted.clear()
        self._marked_octets = 0

    async def end(self) -> None:
        """Let go of the maildrop without deleting anything: RFC 1939 6, for every end but QUIT."""
        if self.maildrop is not None:
            await self.maildrop.release(self.broken_by)
