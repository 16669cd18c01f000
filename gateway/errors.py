"""What can go wrong on the wire. What can go wrong with a mailbox is in `mailboxes/errors.py`.

GatewayError
├── CannotServe           the servers can't start, or not with these settings
│   ├── PortTaken
│   ├── NoCertificate
│   └── BadCertificate
├── Overloaded            a call to a service did not end, or not even start, within its bound
└── WireError             the other side broke off or broke the rules of lines
    ├── ConnectionEnded
    ├── LineTooLong
    │   └── EndlessLine
    └── BareLineFeed
"""

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _


class GatewayError(Exception):
    """Root of this room's errors; `code` is stable, `message` is for people."""

    code = "gateway"
    message: str | Promise = _("The mail gateway failed.")

    def __str__(self) -> str:
        return str(self.message)


class CannotServe(GatewayError):
    code = "cannot-serve"


class PortTaken(CannotServe):
    code = "port-taken"

    def __init__(self, address: str, port: int, variable: str) -> None:
        self.message = format_lazy(
            _(
                "Port {port} on {address} is taken. Set {variable} to another port, or stop what listens there."
            ),
            port=port,
            address=address,
            variable=variable,
        )
        super().__init__(address, port, variable)


class NoCertificate(CannotServe):
    code = "no-certificate"
    message = _(
        "The gateway needs a TLS certificate: set GATEHOUSE_TLS_CERT_FILE and GATEHOUSE_TLS_KEY_FILE to PEM files."
    )


class BadCertificate(CannotServe):
    code = "bad-certificate"

    def __init__(self, reason: object) -> None:
        self.message = format_lazy(
            _("The TLS certificate or its key cannot be used: {reason}. Check the two PEM files."),
            reason=reason,
        )
        super().__init__(reason)


class Overloaded(GatewayError):
    code = "overloaded"
    message = _("The service behind the gateway did not answer in time.")


class WireError(GatewayError):
    code = "wire"


class ConnectionEnded(WireError):
    code = "connection-ended"
    message = _("The other side closed the connection.")


class LineTooLong(WireError):
    code = "line-too-long"
    message = _("A command line was longer than the protocol allows.")


class EndlessLine(LineTooLong):
    code = "endless-line"
    message = _("A command line did not end; the connection is not worth keeping.")


class BareLineFeed(WireError):
    code = "bare-line-feed"
    message = _("A command line ended in LF instead of CRLF.")
