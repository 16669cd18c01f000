"""Who does costly work next. Sign-ins take turns, so that a volley from one place keeps nobody else waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .errors import Overloaded
from .peers import levels_of

PLACES = 2  # sign-ins of a lane at a time, per process; the rest wait their turn
MAX_WAITING = 512  # in a lane
WAIT_SECONDS = 30


class _Turn:
    """One sign-in that waits. `comes` is whether it got a place, or somebody else its place in the queue."""

    def __init__(self, peer: str) -> None:
        self.levels = levels_of(peer)
        self.comes: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class _Line:
    """Who waits, of all, of a network, or of an address. In each of the dictionaries the first is the next."""

    def __init__(self) -> None:
        self.size = 0
        self.lines: dict[str, _Line] = {}
        self.turns: dict[_Turn, None] = {}  # of an address

    def add(self, turn: _Turn, level: int = 0) -> None:
        self.size += 1
        if level == len(turn.levels):
            self.turns[turn] = None
        else:
            self.lines.setdefault(turn.levels[level], _Line()).add(turn, level + 1)

    def remove(self, turn: _Turn, level: int = 0) -> bool:
        """Whether it was there."""
        if level == len(turn.levels):
            found = self.turns.pop(turn, turn) is None
        else:
            line = self.lines.get(turn.levels[level])
            found = line is not None and line.remove(turn, level + 1)
            if line is not None and not line.size:
                del self.lines[turn.levels[level]]
        self.size -= found
        return found

    def take_next(self) -> _Turn:
        self.size -= 1
        if self.turns:
            turn = next(iter(self.turns))
            del self.turns[turn]
            return turn
        name = next(iter(self.lines))
        line = self.lines.pop(name)
        turn = line.take_next()
        if line.size:
            self.lines[name] = line  # at the end
        return turn

    def who_makes_room(self, newcomer: _Turn) -> _Turn | None:
        """The newest of whoever has more than the newcomer's provider; if none has, network; if none has, address."""
        line = self
        for name in newcomer.levels:
            fullest = max(line.lines.values(), key=lambda each: each.size)
            mine = line.lines.get(name)
            if mine is None or fullest.size > mine.size:
                return fullest._newest_of_most()
            line = mine
        return None

    def _newest_of_most(self) -> _Turn:
        if self.turns:
            return next(reversed(self.turns))
        return max(self.lines.values(), key=lambda each: each.size)._newest_of_most()


class Gate:
    """Lets a few sign-ins at a time do their costly work, and a bounded number wait for a bounded time.

    A place that becomes free goes to the networks in turn, and within a network to its addresses in turn, however many
    sign-ins each has waiting. When too many wait, whoever has the most gives one up for whoever has fewer.
    """

    def __init__(
        self, *, places: int = PLACES, waiting: int = MAX_WAITING, seconds: float = WAIT_SECONDS
    ) -> None:
        self._free = places
        self._max_waiting = waiting
        self._seconds = seconds
        self._line = _Line()

    @asynccontextmanager
    async def enter(self, peer: str) -> AsyncIterator[None]:
        """Hold a place. Raises Overloaded when none became free in time, or too many wait."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(_Turn(peer))
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, turn: _Turn) -> None:
        if self._line.size >= self._max_waiting:
            self._make_room(turn)
        self._line.add(turn)
        try:
            async with asyncio.timeout(self._seconds):
                has_place = await turn.comes
        except BaseException as ended:
            self._line.remove(turn)
            if turn.comes.done() and not turn.comes.cancelled() and turn.comes.result():
                self._pass_on()  # the place came at the very moment, and others wait for it
            if isinstance(ended, TimeoutError):
                raise Overloaded from None
            raise
        if not has_place:
            raise Overloaded

    def _pass_on(self) -> None:
        while self._line.size:
            turn = self._line.take_next()
            if not turn.comes.done():  # one that was cancelled a moment ago is still in the queue
                turn.comes.set_result(True)
                return
        self._free += 1

    def _make_room(self, newcomer: _Turn) -> None:
        other = self._line.who_makes_room(newcomer)
        if other is None:
            raise Overloaded
        self._line.remove(other)
        if not other.comes.done():
            other.comes.set_result(False)


class Lanes:
    """Gates side by side, so that a volley of guesses keeps nobody waiting who has signed in before."""

    def __init__(self) -> None:
        self.proven = Gate()
        self.strangers = Gate()
        self.asking = Gate()  # how a stranger stands
