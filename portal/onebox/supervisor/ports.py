"""Are the ports free, before anything is started that would have to be stopped again?"""

import errno
import os
import socket
from dataclasses import dataclass

from django.conf import LazySettings


@dataclass(frozen=True)
class Port:
    number: int
    purpose: str
    variable: str


def wanted(settings: LazySettings) -> list[Port]:
    return [
        Port(settings.HTTP_PORT, "the web server", "GATEHOUSE_HTTP_PORT"),
        Port(settings.SMTP_PORT, "SMTP", "GATEHOUSE_SMTP_PORT"),
        Port(settings.SMTPS_PORT, "SMTP over TLS", "GATEHOUSE_SMTPS_PORT"),
        Port(settings.POP3_PORT, "POP3", "GATEHOUSE_POP3_PORT"),
        Port(settings.POP3S_PORT, "POP3 over TLS", "GATEHOUSE_POP3S_PORT"),
    ]


def complaints(bind: str, ports: list[Port]) -> list[str]:
    """A sentence for each port that can't be had: which, who wants it, which variable moves it."""
    return [text for text in (_complaint(bind, port) for port in ports) if text]


def _complaint(bind: str, port: Port) -> str | None:
    where = f"Port {port.number} on {bind} ({port.purpose})"
    remedy = f"Set {port.variable} to another port"
    if port.number == 0:
        return f"{where} must be a fixed one here. {remedy}."
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bind, port.number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As servers do, so that connections of an earlier run that still linger don't count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror:
        return f"{bind} is no address of this machine. Set GATEHOUSE_BIND, for example to 127.0.0.1."
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                f"{where} is taken by another program. Stop that program, or {remedy[0].lower()}{remedy[1:]}."
            )
        if error.errno == errno.EACCES:
            return f"{where} is reserved for the administrator. {remedy} from 1024 on."
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{bind} is no address of this machine. Set GATEHOUSE_BIND, for example to 127.0.0.1."
        return f"{where} cannot be opened: {os.strerror(error.errno or 0)}. {remedy}."
    return None
