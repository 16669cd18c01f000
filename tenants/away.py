"""Which errors say that the database is away, and which that it is there and answers otherwise than it should."""

import psycopg
from django.db import InterfaceError, OperationalError

# By the first two characters of SQLSTATE: the connection is lost; no room (for connections, above all); shutting down,
# starting up, crashed or out of patience; its disk fails.
CLASSES = {"08", "53", "57", "58"}
# Somebody else holds what was asked for; a server that takes over does not write yet, or one that was taken over no more.
CODES = {"55P03", "25006"}
PROTOCOL_VIOLATION = "08P01"  # by which poolers say everything


class NotYetRestored(OperationalError):
    """The database is being brought back. Whoever asks it meanwhile hears what they hear while it is away: nothing is known yet."""


def is_away(error: BaseException) -> bool:
    """Of Django's errors, or psycopg's. Without a SQLSTATE nobody has answered, or nobody did any more.

    Not by PROTOCOL_VIOLATION: by that they say that they have no server for us, and also that they don't do what was asked.
    Whoever wants to know asks for something simple (tenants/pooling.py, `reach`).
    """
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if not isinstance(cause, psycopg.Error):
        return isinstance(error, OperationalError | InterfaceError)
    code = cause.sqlstate
    if code is None:
        return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return code in CODES or (code[:2] in CLASSES and code != PROTOCOL_VIOLATION)
