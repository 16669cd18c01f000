"""Octets of one command line to a command (RFC 5321 4.1.1, 4.1.2; RFC 6531 for SMTPUTF8).

Strict where laxness lets two readers disagree (brackets, control characters, what follows the address), lax where
only the sender's taste is concerned (dots in a local part, underscores in a host name).
"""

import re
from typing import NamedTuple

from . import replies
from .replies import Refused, Reply

COMMAND_OCTETS = 512  # RFC 5321 4.5.3.1.4, with CRLF
MAIL_OCTETS = COMMAND_OCTETS + 26 + 17 + 10  # what SIZE, BODY and SMTPUTF8 add (RFC 1870, 6152, 6531)
LINE_OCTETS = 2048  # read up to here before giving up on a line; nearly all clients stay below 200
PATH_OCTETS = 256  # RFC 5321 4.5.3.1.3

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HELLO = re.compile(r"[!-~]{1,255}")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a0-\U0010ffff-]+"
_QUOTED = r'"(?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*"'
_NAME = r"[A-Za-z0-9_\u00a0-\U0010ffff](?:[A-Za-z0-9_.\u00a0-\U0010ffff-]*[A-Za-z0-9_\u00a0-\U0010ffff])?"
_LITERAL = r"\[[!-Z^-~]+\]"
_ADDRESS = rf"(?:{_ATEXT}|{_QUOTED})@(?:{_NAME}|{_LITERAL})"
_ROUTE = rf"(?:@{_NAME}(?:,@{_NAME})*:)?"  # obsolete; must be accepted and ignored (RFC 5321 appendix C)
_SENDER = re.compile(rf"FROM:[ ]*<(?:{_ROUTE}({_ADDRESS}))?>(.*)", re.IGNORECASE)
_RECIPIENT = re.compile(rf"TO:[ ]*<(?:{_ROUTE}({_ADDRESS})|(postmaster))>(.*)", re.IGNORECASE)
_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)


class Command(NamedTuple):
    verb: str
    argument: str


class Sender(NamedTuple):
    address: str  # empty: the null reverse-path of reports
    size: int | None
    smtputf8: bool


def parse_command(line: bytes) -> Command:
    """One line without its CRLF. Raises Refused when it can't be a command at all."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(replies.SYNTAX) from None
    if _CONTROL.search(text):
        raise Refused(replies.SYNTAX)
    verb, _, argument = text.partition(" ")
    if not verb.isascii() or not verb.isalpha():
        raise Refused(replies.SYNTAX)
    verb = verb.upper()
    if len(line) + 2 > (MAIL_OCTETS if verb == "MAIL" else COMMAND_OCTETS):
        raise Refused(replies.LINE_TOO_LONG)
    return Command(verb, argument.strip(" "))


def parse_hello(argument: str) -> str:
    """The name a client gives itself; any printable word will do, for nothing is decided by it."""
    if not _HELLO.fullmatch(argument):
        raise Refused(replies.ARGUMENT)
    return argument


def parse_sender(argument: str, *, extended: bool, max_octets: int) -> Sender:
    """`FROM:<address> [parameters]`; parameters only after EHLO. Raises Refused."""
    match = _SENDER.fullmatch(argument)
    if match is None:
        raise Refused(replies.BAD_SENDER)
    address = match[1] or ""
    parameters = _parameters(match[2], wrong=replies.BAD_SENDER)
    if parameters and not extended:
        raise Refused(replies.UNKNOWN_PARAMETER)
    smtputf8 = _flag(parameters, "SMTPUTF8")
    _body(parameters)
    size = _size(parameters, max_octets=max_octets)
    if parameters:
        raise Refused(replies.UNKNOWN_PARAMETER)
    _check_address(address, smtputf8=smtputf8, wrong=replies.BAD_SENDER)
    return Sender(address, size, smtputf8)


def parse_recipient(argument: str, *, smtputf8: bool) -> str:
    """`TO:<address>`, without parameters, for we announce none. Raises Refused."""
    match = _RECIPIENT.fullmatch(argument)
    if match is None:
        raise Refused(replies.BAD_RECIPIENT)
    if _parameters(match[3], wrong=replies.BAD_RECIPIENT):
        raise Refused(replies.UNKNOWN_PARAMETER)
    address = match[1] or match[2]
    _check_address(address, smtputf8=smtputf8, wrong=replies.BAD_RECIPIENT)
    return address


def _parameters(text: str, *, wrong: Reply) -> dict[str, str | None]:
    if text and not text.startswith(" "):
        raise Refused(wrong)
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


def _body(parameters: dict[str, str | None]) -> None:
    # Checked and forgotten: whatever is announced, the octets are taken as they come.
    if "BODY" in parameters and (parameters.pop("BODY") or "").upper() not in ("7BIT", "8BITMIME"):
        raise Refused(replies.ARGUMENT)


def _size(parameters: dict[str, str | None], *, max_octets: int) -> int | None:
    if "SIZE" not in parameters:
        return None
    value = parameters.pop("SIZE") or ""
    if not _SIZE.fullmatch(value):
        raise Refused(replies.ARGUMENT)
    if int(value) > max_octets:
        raise Refused(replies.TOO_LARGE)
    return int(value)


def _check_address(address: str, *, smtputf8: bool, wrong: Reply) -> None:
    if len(address.encode()) + 2 > PATH_OCTETS:
        raise Refused(wrong)
    if not address.isascii() and not smtputf8:
        raise Refused(replies.NEEDS_SMTPUTF8)
