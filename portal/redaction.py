"""What no log says: the secrets of links, which are worth as much as the passwords that they stand for."""

import logging
import re

_SLASH = r"(?:/|%2F)"
# Whatever follows one of these places up to the end of the address, or of the line, for paths hold spaces, too.
_SECRETS = re.compile(
    rf"""
    (
        {_SLASH}invitations{_SLASH}+(?!\d+/(?:again|withdraw)/)  # those with a number are an invitation's acts
      | {_SLASH}password{_SLASH}+reset{_SLASH}+key{_SLASH}+(?!done/)
      | {_SLASH}accounts{_SLASH}+(?:vouch|arrive){_SLASH}+  # portal/gates/companion.py
      | {_SLASH}login{_SLASH}+callback{_SLASH}+  # an identity provider's word
    )
    (?:(?!\ HTTP/|"\s)[^\n])+
    """,
    re.VERBOSE | re.IGNORECASE,
)

# What looks like one: a link that was broken before its secret leads to none of these places.
_LIKE_A_SECRET = re.compile(
    r"""
    (?<![A-Za-z0-9_-])
    (?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![A-Za-z0-9_-]))  # our things' ids
    (?=[A-Za-z_-]*[0-9])
    [A-Za-z0-9_-]{20,}
    """,
    re.VERBOSE,
)
# Whose lines name an address that anybody may have typed, and begin with it.
_TELL_ADDRESSES = ("django.request", "django.security", "gunicorn")


def redacted(text: str) -> str:
    return _SECRETS.sub(r"\1[hidden]", text)


def redacted_address(line: str) -> str:
    """Without what looks like a secret, too. Only the first line: below it a traceback names code."""
    first, *rest = line.split("\n", 1)
    return "\n".join([_LIKE_A_SECRET.sub("[hidden]", first), *rest])


class Redacted(logging.Formatter):
    """A line as it is written otherwise, without the secrets in it.

    The last thing that happens to a line, so that it does not matter who writes it: Django tells the address of all
    that is refused or fails, often before a view has been asked.
    """

    def __init__(self, fmt: str | None = None, *, line_of: logging.Formatter | None = None) -> None:
        super().__init__(fmt)
        self._line_of = line_of or logging.Formatter(fmt)

    def format(self, record: logging.LogRecord) -> str:
        line = self._line_of.format(record)
        if record.name.startswith(_TELL_ADDRESSES):
            line = redacted_address(line)
        return redacted(line)
