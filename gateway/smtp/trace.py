"""The two header fields that delivery puts on top of a message (RFC 5321 4.4); below them nothing changes."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._:\[\]\u00a0-\U0010ffff-]+")


class Arrival(NamedTuple):
    """What a transaction knows about itself; the same for all its recipients."""

    helo: str
    peer: str
    host: str
    extended: bool
    secure: bool
    smtputf8: bool
    sender: str
    id: str
    at: datetime
    tls: str = ""  # version

    @property
    def protocol(self) -> str:
        """Keyword of the IANA registry "Mail Transmission Types" (RFC 3848, RFC 6531 3.7.3)."""
        name = "UTF8SMTP" if self.smtputf8 else "ESMTP" if self.extended else "SMTP"
        return name + "S" if self.secure and name != "SMTP" else name


def trace(arrival: Arrival, recipient: str) -> bytes:
    """`Return-Path:` and `Received:` for one recipient, folded, with CRLF; it names no other recipient."""
    name = _name(arrival.helo)
    literal = f"[IPv6:{arrival.peer}]" if ":" in arrival.peer else f"[{arrival.peer}]"
    date = format_datetime(arrival.at.astimezone(UTC))
    return (
        f"Return-Path: <{arrival.sender}>\r\n"
        f"Received: from {name} ({literal})\r\n"
        f"\tby {arrival.host} with {arrival.protocol} id {arrival.id}\r\n"
        f"\tfor <{recipient}>; {date}\r\n"
    ).encode("utf-8", "surrogateescape")


def _name(helo: str) -> str:
    """A client's name for itself, as a quoted-string where it could be read as something else."""
    readable = helo.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if _PLAIN_NAME.fullmatch(readable):
        return readable
    return '"{}"'.format(re.sub(r'(["\\])', r"\\\1", readable))
