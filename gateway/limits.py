"""What a wrong password costs the guesser, and nobody else.

Who signed in to this mailbox lately decides. This very address: then nothing counts but its own failures. Its network:
then those of the address, and below a high ceiling those of the network. Neither: then those of the network; how often
the name failed from everywhere; and at how many names the network failed. But an address that signed in to another
mailbox lately answers for itself, not for its network.

What counts of a part is at most what the part may do alone: no address uses up its network's ceiling, no network that
of all. Nothing but time clears a count: a success of one account says nothing about another's guesser.

Every process counts for itself, and remembers by itself who signed in; where Redis answers, it also learns what the
others saw. Redis may vouch for somebody and may refuse strangers, but it never refuses a pair that signed in lately:
who can write to it must not keep archivers out. While it is down the limits are looser (per process), never absent.

Names and networks are kept as keyed digests: what people type as a login name may be a password.
"""

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

import redis
from django.utils.crypto import salted_hmac

from accounts.peers import network_of

from .peers import address_of

log = logging.getLogger("gateway.limits")

T = TypeVar("T")

WINDOW_SECONDS = 600
PER_PAIR = 20  # failures; an archiver that polls every minute with an old password stays below it
PER_PROVEN = 200  # failures by an address that signed in lately, or by all of a network where one did
PER_NETWORK = 60  # names that failed, however often each: archivers with old passwords fail at the same few
PER_LOGIN = 1000  # failures from all networks together, of each as many as PER_PAIR
PROVEN_SECONDS = 14 * 24 * 3600  # how long a success vouches; archivers come at least daily
PROVEN_AGAIN_SECONDS = 3600  # how often a success is written down anew
KEPT = 100_000  # successes that a process remembers, and as many counts of failures; 52 MB in all
REDIS_SECONDS = 0.5  # how long one question to Redis may take
COUNT_DIGITS = 6  # of a number in Redis that are read: more than any limit
REDIS_PAUSE_SECONDS = 10  # how long Redis is left alone after it failed


class Standing(NamedTuple):
    """What is known of a login name and an address, at one moment."""

    group: str  # whose sign-ins under way are counted together: an address's that signed in, or a network's
    known: bool  # this address signed in to this mailbox lately
    goes_ahead: bool  # this pair did, and has not failed much since: it need not queue with strangers
    allowed: bool  # another password may be tried


class GuessLimits:
    """Who may try a password. Its calls block for at most some seconds: run them on a thread."""

    def __init__(
        self,
        redis_url: str | None,
        *,
        per_pair: int = PER_PAIR,
        per_proven: int = PER_PROVEN,
        per_network: int = PER_NETWORK,
        per_login: int = PER_LOGIN,
        window_seconds: int = WINDOW_SECONDS,
        kept: int = KEPT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Processes that share a Redis share the time of their clocks, too."""
        self._per_pair = per_pair
        self._per_proven = per_proven
        self._per_network = per_network
        self._per_login = per_login
        self._proofs = _Proofs(clock, kept)
        self._counts = _Counts(clock, window_seconds, kept)
        self._shared = _Shared(redis_url, clock, window_seconds) if redis_url else None

    def knows(self, login: str, peer: str) -> bool:
        """Whether this process remembers that this address signed in lately. Does not block."""
        keys = _keys(login, peer)
        return self._proofs.lately(keys, keys.own)

    def standing(self, login: str, peer: str) -> Standing:
        """Asking counts nothing, and asks Redis once; for an address that this process knows, not at all."""
        keys = _keys(login, peer)
        here = seen = self._here(keys)
        if self._shared and not here.proven.own:
            seen = here.and_what(self._shared.look(keys))
        proven = seen.proven
        failures = here.failures if proven.pair else seen.failures
        group = keys.own if proven.own or proven.address else keys.pair
        if proven.own:
            few = failures.own < self._per_pair
            return Standing(group, known=True, goes_ahead=few, allowed=failures.own < self._per_proven)
        few = failures.pair < self._per_pair
        ceiling = self._per_proven if proven.pair or proven.address else self._per_pair
        allowed = failures.own < self._per_pair and failures.pair < ceiling
        if proven.pair:
            return Standing(group, known=False, goes_ahead=few, allowed=allowed)
        names = failures.names_from_address if proven.address else failures.names_from_network
        allowed = allowed and names < self._per_network and failures.login < self._per_login
        return Standing(group, known=False, goes_ahead=False, allowed=allowed)

    def failed(self, login: str, peer: str) -> None:
        """Count one wrong password."""
        keys = _keys(login, peer)
        here = self._here(keys)
        shared = self._shared.look(keys) if self._shared else None
        proven = here.and_what(shared).proven
        self._counts.add(self._to_count(keys, proven, here.failures))
        if self._shared and shared:
            self._shared.add(self._to_count(keys, proven, shared.failures))

    def succeeded(self, login: str, peer: str) -> None:
        """Remember that this pair has the right password."""
        keys = _keys(login, peer)
        new = [
            proof
            for proof in keys.proofs
            if not self._proofs.lately(keys, proof, within=PROVEN_AGAIN_SECONDS)
        ]
        for proof in new:
            self._proofs.add(keys, proof)
        if new and self._shared:
            self._shared.vouch(new)

    def _here(self, keys: "_Keys") -> "_Seen":
        return _Seen(
            _Proven(*(self._proofs.lately(keys, proof) for proof in keys.proofs)),
            _Windows(*map(self._counts.get, keys.windows)),
        )

    def _to_count(self, keys: "_Keys", proven: "_Proven", failures: "_Windows[int]") -> list[str]:
        """The windows in which one more failure counts."""
        windows = keys.windows
        counted = [windows.own]
        if failures.own < self._per_pair:
            counted.append(windows.pair)
        if failures.pair < self._per_pair:
            counted.append(windows.login)
        # A name counts once; and not at all where its password was right lately, for there it is not guessed at.
        if not failures.pair and not proven.pair:
            counted.append(windows.names_from_address if proven.address else windows.names_from_network)
        return counted


class _Proven(NamedTuple):
    """Who signed in lately."""

    own: bool
    pair: bool
    address: bool  # to whatever mailbox


class _Windows(NamedTuple, Generic[T]):
    """What is counted: failures of a login name, and names that failed."""

    own: T  # from this address
    pair: T  # from this network
    login: T  # from everywhere
    names_from_address: T
    names_from_network: T


class _Seen(NamedTuple):
    proven: _Proven
    failures: _Windows[int]

    def and_what(self, others_saw: "_Seen | None") -> "_Seen":
        """The larger of both counts: one process's failures are in either."""
        if others_saw is None:
            return self
        return _Seen(
            _Proven(*map(max, self.proven, others_saw.proven)),
            _Windows(*map(max, self.failures, others_saw.failures)),
        )


class _Keys(NamedTuple):
    own: str  # the login name from this address
    pair: str  # the login name from this network
    login: str
    address: str
    network: str

    @property
    def proofs(self) -> tuple[str, str, str]:
        """As in _Proven."""
        return self.own, self.pair, self.address

    @property
    def windows(self) -> _Windows[str]:
        return _Windows(
            f"own/{self.own}",
            f"pair/{self.pair}",
            f"login/{self.login}",
            f"names/{self.address}",
            f"names/{self.network}",
        )


def pair_of(login: str, peer: str) -> str:
    """A name for this login name from this network, which tells neither of them."""
    return _keys(login, peer).pair


def _keys(login: str, peer: str) -> _Keys:
    # The address and its local part alone name the same mailbox, so they share a count.
    name = login.strip().lower().partition("@")[0]
    address, network = address_of(peer), network_of(peer)
    return _Keys(*map(_digest, (f"{address} {name}", f"{network} {name}", name, address, network)))


def _digest(text: str) -> str:
    octets = text.encode("utf-8", "replace")
    return salted_hmac("gatehouse.guesses", octets, algorithm="sha256").hexdigest()[:32]


class _Proofs:
    """Successes, as this process remembers them. When they are too many, the network with the most forgets its oldest."""

    def __init__(self, clock: Callable[[], float], kept: int) -> None:
        self._clock = clock
        self._kept = kept
        self._lock = threading.Lock()
        self._networks: dict[str, OrderedDict[str, float]] = {}
        self._number = 0

    def lately(self, keys: _Keys, proof: str, *, within: float = PROVEN_SECONDS) -> bool:
        proofs = self._networks.get(keys.network)
        last = proofs.get(proof) if proofs else None
        return last is not None and self._clock() - last < within

    def add(self, keys: _Keys, proof: str) -> None:
        with self._lock:
            proofs = self._networks.setdefault(keys.network, OrderedDict())
            self._number += proof not in proofs
            proofs[proof] = self._clock()
            proofs.move_to_end(proof)
            if self._number > self._kept:
                self._forget_one()

    def _forget_one(self) -> None:
        fullest = max(self._networks, key=lambda network: len(self._networks[network]))
        self._networks[fullest].popitem(last=False)
        self._number -= 1
        if not self._networks[fullest]:
            del self._networks[fullest]


class _Step(NamedTuple):
    """Failures are counted in steps as long as the window; of the step before, the part still in the window counts.

    So a count is one number under one name, here and in Redis, and is over by itself.
    """

    number: int
    rest: float  # the part of the step before that still counts

    @classmethod
    def at(cls, now: float, seconds: int) -> "_Step":
        number, part = divmod(now, seconds)
        return cls(int(number), 1 - part / seconds)

    def failures(self, current: int, before: int) -> int:
        return math.ceil(current + before * self.rest)


class _Counts:
    """Failures, as this process saw them. When there are too many counts the oldest go."""

    def __init__(self, clock: Callable[[], float], window_seconds: int, kept: int) -> None:
        self._clock = clock
        self._kept = kept
        self._seconds = window_seconds
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[int, str], int] = OrderedDict()

    def get(self, window: str) -> int:
        step = _Step.at(self._clock(), self._seconds)
        current, before = (self._counts.get((number, window), 0) for number in (step.number, step.number - 1))
        return step.failures(current, before)

    def add(self, windows: Iterable[str]) -> None:
        now = _Step.at(self._clock(), self._seconds).number
        with self._lock:
            for window in windows:
                self._counts[now, window] = self._counts.get((now, window), 0) + 1
            while len(self._counts) > self._kept or next(iter(self._counts))[0] < now - 1:
                self._counts.popitem(last=False)


class _Shared:
    """Both, as all processes saw them, in Redis. Each call is one round trip; nothing happens when that fails.

    Who else writes there can do no more than vouch and count: what is no number counts as none and is no reason to leave
    Redis alone, of what is long a few octets are read, and what they write counts for two steps at most.
    """

    def __init__(self, url: str, clock: Callable[[], float], window_seconds: int) -> None:
        # Celery spells a socket "redis+socket://", redis-py "unix://".
        url = url.replace("redis+socket://", "unix://", 1)
        self._server = redis.Redis.from_url(
            url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        )
        self._clock = clock
        self._seconds = window_seconds
        self._failed_at = -math.inf

    def look(self, keys: _Keys) -> _Seen | None:
        step = _Step.at(self._clock(), self._seconds)
        batch = self._server.pipeline(transaction=False)
        for proof in keys.proofs:
            batch.exists(_proof_key(proof))
        for window in keys.windows:
            for number in (step.number, step.number - 1):
                batch.getrange(_count_key(window, number), 0, COUNT_DIGITS - 1)
        replies = self._execute(batch)
        if replies is None:
            return None
        proofs, counts = replies[: len(keys.proofs)], replies[len(keys.proofs) :]
        numbers = [int(reply) if isinstance(reply, bytes) and reply.isdigit() else 0 for reply in counts]
        failures = map(step.failures, numbers[::2], numbers[1::2])
        return _Seen(_Proven(*(reply == 1 for reply in proofs)), _Windows(*failures))

    def add(self, windows: Iterable[str]) -> None:
        number = _Step.at(self._clock(), self._seconds).number
        batch = self._server.pipeline(transaction=False)
        for window in windows:
            batch.incr(_count_key(window, number))
            batch.expire(_count_key(window, number), 2 * self._seconds)
        self._execute(batch)

    def vouch(self, proofs: Iterable[str]) -> None:
        batch = self._server.pipeline(transaction=False)
        for proof in proofs:
            batch.set(_proof_key(proof), 1, ex=PROVEN_SECONDS)
        self._execute(batch)

    def _execute(self, batch: "redis.client.Pipeline") -> list[object] | None:
        if 0 <= self._clock() - self._failed_at < REDIS_PAUSE_SECONDS:
            return None
        try:
            replies = batch.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and not str(reply).startswith(_FAULTS_OF_A_KEY):
                    raise reply
        except (redis.RedisError, OSError) as error:
            self._failed_at = self._clock()
            log.warning("guesses are counted by this process alone: Redis failed (%s)", type(error).__name__)
            return None
        return replies


_FAULTS_OF_A_KEY = ("WRONGTYPE", "value is not an integer", "increment or decrement would overflow")


def _proof_key(proof: str) -> str:
    return f"gatehouse-proven/{proof}"


def _count_key(window: str, step: int) -> str:
    # Under a name that nobody else can tell beforehand: who writes to Redis fills no count of the future.
    return f"gatehouse-failed/{_digest(f'{window}/{step}')}"
