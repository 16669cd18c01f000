"""One message's text on its way in, by DATA or by BDAT: how much of it, how fast, and whether it is refused yet."""

from typing import NamedTuple

from . import replies
from .ingress import Intake
from .replies import Refused, Reply

DISCARD_OCTETS = 64 * 1024 * 1024  # beyond the limit, that are read to stay in step; then the connection ends


class Pace(NamedTuple):
    """How long a sender may take for a text: so many seconds, and more for what has come."""

    seconds: float = 300
    octets_per_second: float = 4096  # half of an ISDN line: 100 MB may take seven hours


class Text:
    """Takes the octets of one message. Refused ones are counted and dropped, so that the dialogue stays in step."""

    def __init__(
        self, intake: Intake | None, *, max_octets: int, pace: Pace, refusal: Reply | None = None
    ) -> None:
        """Without an intake it is refused already."""
        self.octets = 0
        self.refusal = refusal
        self._intake = intake
        self._max_octets = max_octets
        self._pace = pace
        self._waited = 0.0

    @property
    def id(self) -> str:
        """What the log and `Received:` call it."""
        return self._intake.id if self._intake is not None else ""

    @property
    def patience(self) -> float:
        """Seconds that the sender has left for what is still to come."""
        return self._pace.seconds + self.octets / self._pace.octets_per_second - self._waited

    @property
    def is_endless(self) -> bool:
        return self.octets > self._max_octets + max(self._max_octets, DISCARD_OCTETS)

    def waited(self, seconds: float) -> None:
        """Count what the sender took for its turn; our own work is not its fault."""
        self._waited += seconds

    def refuse(self, reply: Reply) -> None:
        """Keep nothing of it; the first reason counts."""
        if self.refusal is None:
            self.refusal = reply
            self.abandon()

    async def take(self, octets: bytes) -> None:
        """More of the text."""
        self._count(octets)
        if self.refusal is None and self._intake is not None and octets:
            try:
                await self._intake.write(octets)
            except Refused as refused:
                self.refuse(refused.reply)

    async def keep(self, octets: bytes = b"") -> None:
        """The last of the text. Afterwards the message is kept for good, or there is a `refusal`."""
        self._count(octets)
        if self.refusal is None and self._intake is not None:
            try:
                await self._intake.commit(octets)
            except Refused as refused:
                self.refuse(refused.reply)

    def abandon(self) -> None:
        """Leave nothing behind. Safe at any time, also after the commit."""
        if self._intake is not None:
            self._intake.abandon()

    def end(self, said_last: Reply | None) -> None:
        """Nothing more comes. What was not kept is told of: with its refusal, or with what ended the connection, if it was us."""
        self.abandon()
        if self._intake is not None:
            self._intake.tell(self.refusal or said_last, self.octets)

    def _count(self, octets: bytes) -> None:
        self.octets += len(octets)
        if self.octets > self._max_octets:
            self.refuse(replies.TOO_LARGE)
