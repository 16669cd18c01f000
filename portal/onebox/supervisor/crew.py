"""The children: started, listened to, restarted when they die, stopped in reverse order."""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from portal.onebox.embedded.errors import EmbeddedServiceError
from portal.onebox.embedded.process import spawn
from portal.onebox.supervisor.terminal import Console, LineBuffer

RESTARTS = 5
RESTARTS_WITHIN = 60.0
BACKOFF = (0.5, 1.0, 2.0, 4.0, 8.0)
SAME_WISH_SECONDS = 1.0
GRACE_SECONDS = 30.0  # a worker may finish its slice, the gateway the message it has begun


class Service(Protocol):
    """An embedded service as the crew sees it."""

    def is_alive(self) -> bool: ...
    def stop(self) -> None: ...


class Member(Protocol):
    """Whoever is watched: a child process or an embedded service."""

    name: str

    def start(self) -> None: ...
    def obituary(self) -> str | None:
        """How it ended, or None while it lives."""


@dataclass
class Watch:
    """A member's deaths of late, and when it may come back."""

    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=RESTARTS + 1))
    restart_at: float | None = None


class EmbeddedMember:
    """An embedded service, looked after like a child."""

    def __init__(self, name: str, start: Callable[[], Service]) -> None:
        self.name = name
        self._start = start
        self._service: Service | None = None

    def start(self) -> None:
        self._service = None
        self._service = self._start()

    def obituary(self) -> str | None:
        return None if self._service is not None and self._service.is_alive() else "has ended"

    def stop(self) -> None:
        if self._service is not None:
            self._service.stop()


class Child:
    """A process of ours, in a process group of its own that is gone when the child is."""

    def __init__(self, name: str, command: Sequence[str], env: dict[str, str], crew: "Crew") -> None:
        self.name = name
        self._command, self._env, self._crew = command, env, crew
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = spawn(self._command, env=self._env, output=subprocess.PIPE)
        self._crew.listen(self.name, self._process)

    def obituary(self) -> str | None:
        status = self.status()
        if status is None:
            return None
        return (
            f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        )

    def status(self) -> int | None:
        """The exit status, once it is there. Then whatever the child left behind in its group is killed too."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            # Seen before it is reaped: until then nobody else can get its number.
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            _signal_group(process.pid, signal.SIGKILL)
        return process.wait()

    def send(self, how: signal.Signals) -> None:
        """To the child alone: it decides how those it started itself end."""
        if self._process is not None and self.status() is None:
            self._process.send_signal(how)

    def kill_group(self) -> None:
        if self._process is not None and self.status() is None:
            _signal_group(self._process.pid, signal.SIGKILL)


class Crew:
    """All children and embedded services of one supervisor, and the signals that end them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.stop_wanted = False
        self.exhausted = False  # something died too often
        self._asked_at: float | None = None
        self._hurry = False
        self._members: list[tuple[Member, Watch]] = []
        self._selector = selectors.DefaultSelector()
        self._buffers: dict[int, tuple[str, LineBuffer]] = {}
        self._wake, wake_writer = socket.socketpair()
        self._wake.setblocking(False)
        wake_writer.setblocking(False)
        self._wake_writer = wake_writer
        self._selector.register(self._wake, selectors.EVENT_READ)

    @property
    def is_busy(self) -> bool:
        return bool(self._members)

    def catch_signals(self) -> None:
        """From now on SIGINT, SIGTERM and SIGHUP ask for an orderly end; a second one asks for a fast one."""
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup wants it
            signal.signal(signal.SIGHUP, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken

    def add(self, member: Member) -> None:
        """Start it and look after it from now on. Raises what its start raises."""
        member.start()
        self._members.append((member, Watch()))

    def child(self, name: str, command: Sequence[str], env: dict[str, str]) -> Child:
        return Child(name, command, env, self)

    def run_step(self, name: str, command: Sequence[str], env: dict[str, str]) -> bool:
        """Run something to its end; whether it succeeded. A wish to stop ends it early."""
        step = self.child(name, command, env)
        step.start()
        told = False
        while step.status() is None:
            self._listen_for(0.5)
            if self.stop_wanted and not told:
                step.send(signal.SIGTERM)
                told = True
        self._drain()
        return step.status() == 0

    def turn(self, seconds: float) -> None:
        """Relay what the children say for a moment, and see to those that died."""
        self._listen_for(min(seconds, self._until_next_restart()))
        for member, watch in self._members:
            self._see_to(member, watch)

    def stop(self) -> None:
        """End everything: the processes at once, last started first; then the services they needed."""
        members = [member for member, _ in reversed(self._members)]
        children = [member for member in members if isinstance(member, Child)]
        for child in children:
            child.send(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.status() is None for child in children):
            if self._hurry or time.monotonic() > deadline:
                names = ", ".join(child.name for child in children if child.status() is None)
                self.console.say(f"Ending {names} by force.")
                for child in children:
                    child.kill_group()
            self._listen_for(0.2)
        self._drain()
        for member in members:
            if isinstance(member, EmbeddedMember):
                member.stop()

    def listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        pipe = process.stdout
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._buffers[pipe.fileno()] = (name, LineBuffer())
            self._selector.register(pipe, selectors.EVENT_READ)

    def _see_to(self, member: Member, watch: Watch) -> None:
        now = time.monotonic()
        if watch.restart_at is not None:
            if now >= watch.restart_at and not self.stop_wanted:
                watch.restart_at = None
                try:
                    member.start()
                except EmbeddedServiceError as error:  # counts as a death at the next look
                    self.console.shout(str(error))
            return
        obituary = member.obituary()
        if obituary is None or self.stop_wanted:
            return
        watch.deaths.append(now)
        recent = sum(now - death < RESTARTS_WITHIN for death in watch.deaths)
        if recent > RESTARTS:
            self.console.shout(
                f"{member.name} {obituary}; that was the {recent}th time within {RESTARTS_WITHIN:.0f} s, so everything "
                "is stopped. The lines above say why."
            )
            self.exhausted = self.stop_wanted = True
            return
        pause = BACKOFF[min(recent, len(BACKOFF)) - 1]
        watch.restart_at = now + pause
        self.console.shout(
            f"{member.name} {obituary}. Starting it again in {pause:g} s (restart {recent} of {RESTARTS} "
            f"within {RESTARTS_WITHIN:.0f} s)."
        )

    def _until_next_restart(self) -> float:
        now = time.monotonic()
        due = [watch.restart_at - now for _, watch in self._members if watch.restart_at is not None]
        return max(0.0, min(due, default=60.0))

    def _listen_for(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._wake:
                with suppress(BlockingIOError):
                    self._wake.recv(4096)
            else:
                self._read(key)

    def _read(self, key: selectors.SelectorKey) -> bool:
        """Whether there was something."""
        name, buffer = self._buffers[key.fd]
        try:
            data = os.read(key.fd, 65536)
        except BlockingIOError:
            return False
        for line in buffer.feed(data) if data else buffer.finish():
            self.console.relay(name, line)
        if not data:
            self._selector.unregister(key.fileobj)
            del self._buffers[key.fd]
            key.fileobj.close()  # type: ignore[union-attr]
        return bool(data)

    def _drain(self) -> None:
        """The last words of those that are gone."""
        for key in list(self._selector.get_map().values()):
            while key.fileobj is not self._wake and self._read(key):
                pass

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        # `make` passes on what the whole group has been sent already: that is one wish, not two.
        self._hurry = now - self._asked_at > SAME_WISH_SECONDS
        self.stop_wanted = True


def _signal_group(group: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)
