"""Octets of one command line to a command (RFC 5321 4.1.1, 4.1.2; RFC 6531 for SMTPUTF8).

Strict where laxness lets two readers disagree: brackets, control characters, what follows the address. Lax in what
nothing here is decided by, a reverse-path and a client's name for itself: the mail systems in front have taken them
already, and a journal's copy that we refused for its looks would be missed by nobody.
"""

import re
from typing import NamedTuple

from . import replies
from .replies import Refused

COMMAND_OCTETS = 512  # RFC 5321 4.5.3.1.4, with CRLF
# What mail systems in front take, and what SIZE, BODY and SMTPUTF8 add (RFC 1870, 6152, 6531).
TASTE_OCTETS = 2048 + 26 + 17 + 10
LINE_OCTETS = TASTE_OCTETS  # read up to here before giving up on a line; nearly all clients stay below 200
TASTE = frozenset(("EHLO", "HELO", "MAIL"))  # commands whose argument decides nothing here

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a0-\U0010ffff-]+"
_QUOTED = r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*"'
_NAME = r"[A-Za-z0-9_\u00a0-\U0010ffff](?:[A-Za-z0-9_.\u00a0-\U0010ffff-]*[A-Za-z0-9_\u00a0-\U0010ffff])?"
_LITERAL = r"\[[!-Z^-~]+\]"
_ADDRESS = rf"(?:{_ATEXT}|{_QUOTED})@(?:{_NAME}|{_LITERAL})"
# Obsolete; must be accepted and ignored (RFC 5321 appendix C).
_ROUTE = r'(?:@[^@,:<>" ]+(?:,@[^@,:<>" ]+)*:)?'
# What lies between the brackets is anybody's taste; but a bracket may stand in it only where quotes show that it is
# not the closing one.
_SENDER = re.compile(rf'FROM:[ ]*<{_ROUTE}((?:"(?:[^"\\]|\\.)*"|[^"<>])*|[^<>]*)>((?: .*)?)', re.IGNORECASE)
_RECIPIENT = re.compile(rf"TO:[ ]*<(?:{_ROUTE}({_ADDRESS})|(postmaster))>(.*)", re.IGNORECASE)
_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)
_CHUNK = re.compile(r"([0-9]{1,20})(?:[ ]+(LAST))?", re.IGNORECASE | re.ASCII)


class Command(NamedTuple):
    verb: str
    argument: str


class Sender(NamedTuple):
    address: str  # empty: the null reverse-path of reports
    size: int | None
    smtputf8: bool
    binary: bool  # BODY=BINARYMIME: its text comes by BDAT only (RFC 3030 3)


class Chunk(NamedTuple):
    octets: int
    last: bool


def parse_command(line: bytes) -> Command:
    """One line without its CRLF. Raises Refused when it can't be a command at all.

    Where the argument is a matter of taste, octets that are no UTF-8 come through as surrogates, so that they can be
    written down as they were.
    """
    text = line.decode("utf-8", "surrogateescape")
    if _CONTROL.search(text):
        raise Refused(replies.SYNTAX)
    verb, _, argument = text.partition(" ")
    if not verb.isascii() or not verb.isalpha():
        raise Refused(replies.SYNTAX)
    verb = verb.upper()
    if len(line) + 2 > (TASTE_OCTETS if verb in TASTE else COMMAND_OCTETS):
        raise Refused(replies.LINE_TOO_LONG)
    if verb not in TASTE and any("\ud800" <= character <= "\udfff" for character in argument):
        raise Refused(replies.SYNTAX)
    return Command(verb, argument.strip(" "))


def parse_hello(argument: str) -> str:
    """The name a client gives itself; anything but nothing will do, for nothing is decided by it. Raises Refused."""
    if not argument:
        raise Refused(replies.ARGUMENT)
    return argument


def parse_sender(argument: str, *, extended: bool, max_octets: int) -> Sender:
    """`FROM:<reverse-path> [parameters]`; parameters only after EHLO. Raises Refused.

    SMTPUTF8 is not asked for: a name that is not ASCII is the sender's affair, and we pass no mail on.
    """
    match = _SENDER.fullmatch(argument)
    if match is None:
        raise Refused(replies.BAD_SENDER)
    parameters = _parameters(match[2])
    if parameters and not extended:
        raise Refused(replies.UNKNOWN_PARAMETER)
    smtputf8 = _flag(parameters, "SMTPUTF8")
    binary = _body(parameters) == "BINARYMIME"
    size = _size(parameters, max_octets=max_octets)
    if parameters:
        raise Refused(replies.UNKNOWN_PARAMETER)
    return Sender(match[1], size, smtputf8, binary)


def parse_recipient(argument: str, *, smtputf8: bool) -> str:
    """`TO:<address>`, without parameters, for we announce none. Raises Refused."""
    match = _RECIPIENT.fullmatch(argument)
    if match is None:
        raise Refused(replies.BAD_RECIPIENT)
    if match[3] and not match[3].startswith(" "):
        raise Refused(replies.BAD_RECIPIENT)
    if _parameters(match[3]):
        raise Refused(replies.UNKNOWN_PARAMETER)
    address = match[1] or match[2]
    if not address.isascii() and not smtputf8:
        raise Refused(replies.NEEDS_SMTPUTF8)
    return address


def parse_chunk(argument: str) -> Chunk:
    """`octets [LAST]` (RFC 3030 2). Raises Refused; then nobody knows where the chunk would end."""
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise Refused(replies.ARGUMENT)
    return Chunk(int(match[1]), match[2] is not None)


def _parameters(text: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not name.isascii() or not name.replace("-", "").isalnum() or (equals and not value):
            raise Refused(replies.ARGUMENT)
        if name.upper() in found:
            raise Refused(replies.ARGUMENT)
        found[name.upper()] = value if equals else None
    return found


def _flag(parameters: dict[str, str | None], name: str) -> bool:
    if name not in parameters:
        return False
    if parameters.pop(name) is not None:
        raise Refused(replies.ARGUMENT)
    return True


def _body(parameters: dict[str, str | None]) -> str:
    # Whatever is announced, the octets are taken as they come.
    body = (parameters.pop("BODY") or "").upper() if "BODY" in parameters else "7BIT"
    if body not in ("7BIT", "8BITMIME", "BINARYMIME"):
        raise Refused(replies.ARGUMENT)
    return body


def _size(parameters: dict[str, str | None], *, max_octets: int) -> int | None:
    if "SIZE" not in parameters:
        return None
    value = parameters.pop("SIZE") or ""
    if not _SIZE.fullmatch(value):
        raise Refused(replies.ARGUMENT)
    if int(value) > max_octets:
        raise Refused(replies.TOO_LARGE)
    return int(value)
