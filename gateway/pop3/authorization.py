"""Verbs before the maildrop is open (RFC 1939 4). Credentials are taken over TLS only (RFC 2595 2.2)."""

from typing import TYPE_CHECKING

from mailboxes.vault import Secret

from .grammar import BadCommand, no_argument, parse_plain
from .replies import Refused, Reply, Then, err, ok

if TYPE_CHECKING:
    from .session import Session

_ALWAYS = ("TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER")
_ONLY_SECURE = ("USER", "SASL PLAIN")
_ONLY_CLEAR = ("STLS",)
_NEEDS_TLS = "Say STLS first, or use the port with TLS"


def capabilities(*, secure: bool) -> bytes:
    """RFC 2449 5. On a clear connection no way of logging in is listed, for there is none."""
    names = (*_ALWAYS, *(_ONLY_SECURE if secure else _ONLY_CLEAR), "IMPLEMENTATION Gatehouse")
    return b"".join(f"{name}\r\n".encode() for name in names)


async def capa(session: "Session", argument: str) -> Reply:
    """RFC 2449 5."""
    no_argument(argument)
    return ok("What this server can do", capabilities(secure=session.secure))


async def stls(session: "Session", argument: str) -> Reply:
    """RFC 2595 4. Nothing said before counts afterwards: no name is taken before TLS."""
    no_argument(argument)
    if session.secure:
        raise BadCommand("TLS is already on")
    return ok("Begin TLS", then=Then.START_TLS)


async def user(session: "Session", argument: str) -> Reply:
    """RFC 1939 7. The answer is the same whether there is such a mailbox or not."""
    if argument and not session.secure:
        session.maildrops.tell_of_clear_text(argument, peer=session.peer)
    _require_tls(session)
    if not argument:
        raise BadCommand("Syntax: USER name")
    session.login = argument
    return ok("Now the password")


async def password(session: "Session", argument: str) -> Reply:
    """RFC 1939 7, PASS."""
    _require_tls(session)
    login, session.login = session.login, None
    if login is None:
        raise BadCommand("Say USER first")
    if not argument:
        raise BadCommand("Syntax: PASS password")
    return await _enter(session, login, Secret(argument))


async def auth(session: "Session", argument: str) -> Reply:
    """RFC 1734, RFC 5034. PLAIN is the one mechanism, with or without its initial response."""
    _require_tls(session)
    mechanism, _, response = argument.partition(" ")
    if mechanism.upper() != "PLAIN":
        raise BadCommand("The only mechanism is PLAIN")
    if response:
        return await plain_response(session, response.encode())
    session.awaits_response = True
    return Reply("+ ")


async def plain_response(session: "Session", line: bytes) -> Reply:
    """RFC 4616, RFC 5034 4: `*` takes it back. An identity other than the login's own is refused like a wrong one."""
    session.login = None
    if line == b"*":
        return err("Taken back")
    plain = parse_plain(line)
    login, secret = plain.login, Secret(plain.password)
    if plain.authorization not in ("", login):
        raise BadCommand("Acting for another mailbox is not possible")
    return await _enter(session, login, secret)


async def noop(session: "Session", argument: str) -> Reply:
    """Not RFC 1939's here, but some clients keep a connection alive with it while a person types."""
    no_argument(argument)
    return ok()


async def quit_(session: "Session", argument: str) -> Reply:
    """RFC 1939 4, 5: nothing is open, nothing is deleted."""
    no_argument(argument)
    return ok("Bye", then=Then.CLOSE)


async def _enter(session: "Session", login: str, secret: Secret) -> Reply:
    try:
        maildrop = await session.maildrops.open(
            login, secret, peer=session.peer, tls=session.tls, on_lost=session.hang_up
        )
    except Refused as refused:
        return session.failed(refused)
    session.enter_transaction(maildrop)
    return ok(f"{len(maildrop.entries)} messages")


def _require_tls(session: "Session") -> None:
    if not session.secure:
        raise Refused(_NEEDS_TLS)
