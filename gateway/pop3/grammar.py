"""Octets of one POP3 line to a command (RFC 1939 3, RFC 2449 4, RFC 5034 4)."""

import base64
import binascii
import re
from typing import NamedTuple

COMMAND_OCTETS = 255  # RFC 2449 4, with CRLF; AUTH's initial response has to fit as well (RFC 5034 4)
RESPONSE_OCTETS = 2048  # a line of a SASL exchange; PLAIN needs far less

_COMMAND = re.compile(rb"([A-Za-z0-9]{3,8})(?: ([^\x00-\x1f\x7f]*))?")
_NUMBER = re.compile(r"[0-9]{1,9}")


class BadCommand(ValueError):
    """This line is no command, or its arguments are not the command's. The text is ours and may be sent."""


class Command(NamedTuple):
    verb: str
    argument: str

    def __repr__(self) -> str:
        return f"Command({self.verb!r}, ...)"  # the argument may be a password


class Plain(NamedTuple):
    """What SASL PLAIN carries (RFC 4616)."""

    authorization: str
    login: str
    password: str

    def __repr__(self) -> str:
        return "Plain(...)"


def parse_command(line: bytes) -> Command:
    """One line without its CRLF. The argument keeps its spaces, for a password may have some (RFC 1939 7, PASS)."""
    match = _COMMAND.fullmatch(line)
    if match is None:
        raise BadCommand("Syntax error")
    argument = match[2] or b""
    # What is no UTF-8 can be no name or password of ours; it must reach its verb all the same, to be refused alike.
    return Command(match[1].decode("ascii").upper(), argument.decode("utf-8", "replace"))


def numbers(argument: str, *, least: int, most: int) -> list[int]:
    """Between `least` and `most` numbers separated by single spaces. Raises BadCommand."""
    words = argument.split(" ") if argument else []
    if not least <= len(words) <= most or not all(_NUMBER.fullmatch(word) for word in words):
        raise BadCommand("Syntax error in arguments")
    return [int(word) for word in words]


def no_argument(argument: str) -> None:
    """Raises BadCommand unless there is none."""
    if argument:
        raise BadCommand("This command takes no argument")


def parse_plain(response: str | bytes) -> Plain:
    """A base64 response of SASL PLAIN: authorization NUL login NUL password. Raises BadCommand."""
    try:
        octets = base64.b64decode(response, validate=True)
    except (binascii.Error, ValueError):
        raise BadCommand("Response is not base64") from None
    parts = octets.split(b"\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise BadCommand("Response is not SASL PLAIN")
    return Plain(*(part.decode("utf-8", "replace") for part in parts))
