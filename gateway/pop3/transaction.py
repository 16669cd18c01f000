"""Verbs on an open maildrop (RFC 1939 5, 6, 7). A deletion is a mark until QUIT."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from .authorization import capabilities
from .grammar import no_argument, numbers
from .replies import Refused, Reply, Then, ok
from .stuffing import TopFilter

if TYPE_CHECKING:
    from .session import Session

BATCH_LINES = 1000  # of a listing, written at once


async def capa(session: "Session", argument: str) -> Reply:
    """RFC 2449 5."""
    no_argument(argument)
    return ok("What this server can do", capabilities(secure=session.secure))


async def stat(session: "Session", argument: str) -> Reply:
    """RFC 1939 5."""
    no_argument(argument)
    messages, octets = session.totals()
    return ok(f"{messages} {octets}")


async def list_(session: "Session", argument: str) -> Reply:
    """RFC 1939 5."""
    if argument:
        index = _index(session, argument)
        return ok(f"{index + 1} {session.maildrop.entries[index].octets}")
    return ok("Sizes follow", _listing((number, entry.octets) for number, entry in _present(session)))


async def uidl(session: "Session", argument: str) -> Reply:
    """RFC 1939 7. The id is the message's for ever."""
    if argument:
        index = _index(session, argument)
        return ok(f"{index + 1} {session.maildrop.entries[index].uid}")
    return ok("Ids follow", _listing((number, entry.uid) for number, entry in _present(session)))


async def retr(session: "Session", argument: str) -> Reply:
    """RFC 1939 5. What fails before the first octet was sent is answered; later the connection breaks off."""
    index = _index(session, argument)
    return ok(f"{session.maildrop.entries[index].octets} octets", await session.maildrop.read(index))


async def top(session: "Session", argument: str) -> Reply:
    """RFC 1939 7."""
    number, lines = numbers(argument, least=2, most=2)
    index = _index(session, str(number))
    return ok("Top of message follows", _top(await session.maildrop.read(index, whole=False), lines))


async def dele(session: "Session", argument: str) -> Reply:
    """RFC 1939 5."""
    index = _index(session, argument)
    session.mark(index)
    return ok("Marked for deletion")


async def rset(session: "Session", argument: str) -> Reply:
    """RFC 1939 5."""
    no_argument(argument)
    session.unmark_all()
    return ok(f"{len(session.maildrop.entries)} messages")


async def noop(session: "Session", argument: str) -> Reply:
    """RFC 1939 5."""
    no_argument(argument)
    return ok()


async def quit_(session: "Session", argument: str) -> Reply:
    """RFC 1939 6: UPDATE. Either all marked messages go or the reply says that some did not."""
    no_argument(argument)
    maildrop, session.maildrop = session.maildrop, None
    try:
        await maildrop.commit(sorted(session.deleted))
    except Refused as refused:
        return refused.reply._replace(then=Then.CLOSE)
    return ok("Bye", then=Then.CLOSE)


def _present(session: "Session") -> Iterator[tuple[int, Any]]:
    entries = enumerate(session.maildrop.entries)
    return ((index + 1, entry) for index, entry in entries if index not in session.deleted)


def _index(session: "Session", argument: str) -> int:
    """A message-number of a message that is not marked as deleted. Raises Refused, and what `numbers` raises."""
    index = numbers(argument, least=1, most=1)[0] - 1
    if not 0 <= index < len(session.maildrop.entries):
        raise Refused("No such message")
    if index in session.deleted:
        raise Refused("Message is marked for deletion")
    return index


async def _listing(pairs: Any) -> AsyncGenerator[bytes, None]:
    lines: list[bytes] = []
    for number, value in pairs:
        lines.append(f"{number} {value}\r\n".encode())
        if len(lines) >= BATCH_LINES:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


async def _top(message: AsyncGenerator[bytes, None], lines: int) -> AsyncGenerator[bytes, None]:
    wanted = TopFilter(lines)
    async with aclosing(message):
        async for octets in message:
            yield wanted.feed(octets)
            if wanted.done:
                return
