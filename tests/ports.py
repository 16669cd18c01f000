"""Ports of this machine that nobody has."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Each another one: all are held until the last is found."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in held]


def free_port() -> int:
    [port] = free_ports(1)
    return port
