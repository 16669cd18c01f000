"""The gateway as processes: one that serves, or several that share the ports under one that watches them."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from .errors import PortTaken
from .server import PORT_VARIABLES, STOP_SECONDS, Configuration, Gateway

log = logging.getLogger("gateway")

MAX_RESTARTS = 5  # of a child within the window; then something is wrong that a restart does not mend
RESTART_WINDOW_SECONDS = 60
CHILD_STOP_SECONDS = 3 * STOP_SECONDS + 10


def serve(
    configuration: Configuration, *, ready: Callable[[Gateway], None], parent: int | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, or until the pipe `parent` breaks. SIGHUP reloads the certificate."""
    asyncio.run(_serve(configuration, ready, parent))


async def _serve(configuration: Configuration, ready: Callable[[Gateway], None], parent: int | None) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    gateway = Gateway(configuration)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, gateway.reload_certificate)
    if parent is not None:
        # A parent that was killed can't tell its children, but its end of the pipe closes all the same.
        loop.add_reader(parent, stop.set)
    await gateway.start()
    ready(gateway)
    await stop.wait()
    log.info("gateway stops")
    if parent is not None:
        loop.remove_reader(parent)
    await gateway.stop()


class Children:
    """Keeps `count` processes running that all listen on the same ports (SO_REUSEPORT)."""

    def __init__(self, command: list[str], count: int) -> None:
        self._command = command
        self._count = count
        self._children: list[subprocess.Popen[bytes]] = []
        self._restarts: list[float] = []
        self._stopping = False

    def run(self, configuration: Configuration) -> int:
        """Until a signal comes, or a child keeps dying. Gives the exit status. Raises PortTaken."""
        _check_ports(configuration)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, lambda number, frame: self._tell(number))
        self._children = [self._spawn() for _ in range(self._count)]
        status = 0
        while not self._stopping:
            pid, ended = os.waitpid(-1, 0)
            child = next((child for child in self._children if child.pid == pid), None)
            if child is None or self._stopping:
                continue
            log.error("gateway process ended pid=%d status=%d", pid, os.waitstatus_to_exitcode(ended))
            child.returncode = os.waitstatus_to_exitcode(ended)
            self._children.remove(child)
            if not self._may_restart():
                log.error("gateway processes keep dying; giving up")
                status = 1
                self._stop(signal.SIGTERM, None)
                break
            self._children.append(self._spawn())
        self._wait()
        return status

    def _spawn(self) -> "subprocess.Popen[bytes]":
        # The pipe carries nothing: it closes when this process ends, however it ends.
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)

    def _may_restart(self) -> bool:
        now = time.monotonic()
        self._restarts = [at for at in self._restarts if now - at < RESTART_WINDOW_SECONDS] + [now]
        return len(self._restarts) <= MAX_RESTARTS * self._count

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True
        self._tell(signal.SIGTERM)

    def _tell(self, number: int) -> None:
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)

    def _wait(self) -> None:
        deadline = time.monotonic() + CHILD_STOP_SECONDS
        for child in self._children:
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def child_command(arguments: list[str]) -> list[str]:
    """How this process was started, with more arguments."""
    return [sys.executable, *sys.argv[:2], *arguments]


def _check_ports(configuration: Configuration) -> None:
    """Raises PortTaken: with SO_REUSEPORT a second gateway would quietly take half of the connections."""
    for port, variable in zip(configuration.ports, PORT_VARIABLES.values(), strict=True):
        with socket.socket(socket.AF_INET6 if ":" in configuration.bind else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((configuration.bind, port))
            except OSError as error:
                raise PortTaken(configuration.bind, port, variable) from error
