"""What a POP3 verb answers, and what the connection has to do afterwards."""

import enum
from collections.abc import AsyncGenerator
from typing import NamedTuple


class Then(enum.Enum):
    """What follows a reply."""

    GO_ON = enum.auto()
    START_TLS = enum.auto()
    CLOSE = enum.auto()


class Reply(NamedTuple):
    """A first line (RFC 1939 3), with a multi-line body if there is one: octets, dots not yet doubled."""

    line: str
    body: AsyncGenerator[bytes, None] | bytes | None = None
    then: Then = Then.GO_ON


class Refused(Exception):
    """Ends a command with this `-ERR`."""

    def __init__(self, text: str, code: str = "", *, then: Then = Then.GO_ON) -> None:
        self.reply = err(text, code, then=then)
        super().__init__(self.reply.line)


class Interrupted(Exception):
    """A message broke off while it was being sent: the connection must end before its final dot."""


def ok(
    text: str = "", body: AsyncGenerator[bytes, None] | bytes | None = None, *, then: Then = Then.GO_ON
) -> Reply:
    return Reply(f"+OK {text}".rstrip(), body, then)


def err(text: str, code: str = "", *, then: Then = Then.GO_ON) -> Reply:
    """`code` is a response code of RFC 2449, 3206: it tells a client what a person would read from the text."""
    return Reply(f"-ERR [{code}] {text}" if code else f"-ERR {text}", None, then)
