"""Ports of this machine that nobody has."""

import random
import socket
from contextlib import ExitStack, suppress

# Below those that the kernel gives to whoever connects (ip_local_port_range): one of these would be taken now and then
# between our finding it and somebody's listening there.
OURS = range(10_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Each another one: all are held until the last is found."""
    held: list[int] = []
    with ExitStack() as stack:
        while len(held) < count:
            port = random.choice(OURS)
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                held.append(port)
    return held


def free_port() -> int:
    [port] = free_ports(1)
    return port
