"""What a wrong password costs the guesser, and nobody else.

Failures are counted by pair: this login name from this network. How many names failed from a network, and how often a
name failed from everywhere, is counted besides, against guessing in breadth. None of that concerns a pair that signed
in lately: it is refused for nothing but failures of the very same address, of which the one that signed in may make
many, and it need not queue behind strangers.

Nothing but time clears a count: a success of one account says nothing about another's guesser.
Every process counts for itself, and remembers by itself who signed in; where Redis answers, it also sees what the
others saw. So a Redis that is down makes the limits looser (per process instead of shared), never absent, and sign-ins
go on.

Names and networks are kept as keyed digests: what people type as a login name may be a password.
"""

import asyncio
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import redis
from django.utils.crypto import salted_hmac
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from .errors import Overloaded
from .peers import network_of

log = logging.getLogger("gateway.limits")

WINDOW_SECONDS = 600
PER_PAIR = 20  # failures; an archiver that polls every minute with an old password stays below it
PER_PROVEN = 200  # failures by the very address that signed in lately
PER_NETWORK = 60  # names that failed, however often each: archivers with old passwords fail at the same few
PER_LOGIN = 1000  # failures from all networks together
PROVEN_SECONDS = 14 * 24 * 3600  # how long a success vouches for its pair; archivers come at least daily
PROVEN_AGAIN_SECONDS = 3600  # how often a success is written down anew
PROVEN_KEPT = 100_000  # pairs and addresses that a process remembers; the ones written down last
REDIS_SECONDS = 0.5  # how long one question to Redis may take
REDIS_PAUSE_SECONDS = 10  # how long Redis is left alone after it failed

PLACES = 2  # sign-ins of a lane at a time, per process; the rest wait their turn
MAX_WAITING = 512  # sign-ins in a lane's queue
MAX_WAITING_OF_ONE = 128  # of which one network's; an archiver may come for 100 mailboxes at once
WAIT_SECONDS = 30


class _Keys(NamedTuple):
    pair: str
    address: str  # the login name from this very address
    login: str
    network: str


class Standing(NamedTuple):
    """What is known of a login name and an address, at one moment."""

    group: str  # whose sign-ins are counted together: this very address's if it signed in lately, else its network's
    known: bool  # this very address signed in lately
    goes_ahead: (
        bool  # the pair signed in lately and has not failed much since: it need not queue with strangers
    )
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        def limit(amount: int, namespace: str) -> RateLimitItem:
            return RateLimitItemPerSecond(amount, window_seconds, namespace=f"gatehouse-{namespace}")

        self._pair = limit(per_pair, "pair")
        self._address = limit(per_pair, "address")
        self._proven_address = limit(per_proven, "proven-address")
        self._network = limit(per_network, "network")
        self._login = limit(per_login, "login")
        self._here = MovingWindowRateLimiter(MemoryStorage())
        pool = _redis_pool(redis_url) if redis_url else None
        self._shared = RedisStorage("redis://", connection_pool=pool) if pool else None
        self._redis = redis.Redis(connection_pool=pool) if pool else None
        self._shared_again_at = 0.0
        self._clock = clock
        self._proven: OrderedDict[str, float] = OrderedDict()  # when each pair and address signed in last

    def knows(self, login: str, peer: str) -> bool:
        """Whether this process remembers that this very address signed in lately. Does not block."""
        return self._remembers(_keys(login, peer).address)

    def standing(self, login: str, peer: str) -> Standing:
        """Asking counts nothing, and asks Redis once."""
        keys = _keys(login, peer)
        counts = self._counts(keys)
        here = [count(self._here) for count in counts]
        known, pair_known = self._remembers(keys.address), self._remembers(keys.pair)
        shared = self._ask_redis(lambda storage, server: _look(storage, server, keys, counts), otherwise=None)
        if shared is not None:
            known, pair_known = known or shared[0], pair_known or shared[1]
            here = [max(both) for both in zip(here, shared[2], strict=True)]
        pair, address, proven_address, login_, network = (
            seen < count.item.amount for seen, count in zip(here, counts, strict=True)
        )
        if known:
            return Standing(keys.address, known, address, proven_address)
        if pair_known:
            return Standing(keys.pair, known, pair, address)
        return Standing(keys.pair, known, False, pair and network and login_)

    def failed(self, login: str, peer: str) -> None:
        """Count one wrong password."""
        *counts, network = self._counts(_keys(login, peer))
        if not counts[0](self._here):
            self._here.hit(network.item, network.key)
        for count in counts:
            self._here.hit(count.item, count.key)
        self._ask_redis(lambda storage, server: _hit(storage, server, counts, network), otherwise=None)

    def succeeded(self, login: str, peer: str) -> None:
        """Remember that this pair has the right password."""
        keys = _keys(login, peer)
        for key in (keys.pair, keys.address):
            known_since = self._proven.get(key)
            if known_since is None or self._clock() - known_since >= PROVEN_AGAIN_SECONDS:
                self._remember(key)

    def _counts(self, keys: _Keys) -> "list[_Count]":
        """The pair's first, the network's last."""
        return [
            _Count(self._pair, keys.pair),
            _Count(self._address, keys.address),
            _Count(self._proven_address, keys.address),
            _Count(self._login, keys.login),
            _Count(self._network, keys.network),
        ]

    def _remembers(self, key: str) -> bool:
        known_since = self._proven.get(key)
        return known_since is not None and self._clock() - known_since < PROVEN_SECONDS

    def _remember(self, key: str) -> None:
        self._proven.pop(key, None)  # so that it comes to the end, whatever other threads drop meanwhile
        self._proven[key] = self._clock()
        if len(self._proven) > PROVEN_KEPT:
            self._proven.popitem(last=False)
        self._ask_redis(lambda _, server: server.set(_proven_key(key), 1, ex=PROVEN_SECONDS), otherwise=None)

    def _ask_redis(self, question: Callable[[RedisStorage, "redis.Redis"], Any], *, otherwise: Any) -> Any:
        if self._shared is None or self._redis is None or self._clock() < self._shared_again_at:
            return otherwise
        try:
            return question(self._shared, self._redis)
        except (redis.RedisError, OSError) as error:
            self._shared_again_at = self._clock() + REDIS_PAUSE_SECONDS
            log.warning("guesses are counted by this process alone: Redis failed (%s)", type(error).__name__)
            return otherwise


class _Count(NamedTuple):
    """One window in which failures are counted."""

    item: RateLimitItem
    key: str

    def __call__(self, limiter: MovingWindowRateLimiter) -> int:
        return self.item.amount - limiter.get_window_stats(self.item, self.key).remaining

    def look(self, storage: RedisStorage, batch: Any) -> None:
        since = time.time() - self.item.get_expiry()
        storage.lua_moving_window([self._name(storage)], [since, self.item.amount], client=batch)

    def hit(self, storage: RedisStorage, batch: Any) -> None:
        window = [time.time(), self.item.amount, self.item.get_expiry(), 1]
        storage.lua_acquire_moving_window([self._name(storage)], window, client=batch)

    def _name(self, storage: RedisStorage) -> str:
        return storage.prefixed_key(self.item.key_for(self.key))


# The library asks Redis for each window by itself; one sign-in would wait for it a dozen times.


def _look(
    storage: RedisStorage, server: "redis.Redis", keys: _Keys, counts: list[_Count]
) -> tuple[bool, bool, list[int]]:
    """Whether address and pair signed in lately, and how many failures each window holds."""
    batch = server.pipeline(transaction=False)
    batch.exists(_proven_key(keys.address))
    batch.exists(_proven_key(keys.pair))
    for count in counts:
        count.look(storage, batch)
    address, pair, *windows = batch.execute()
    return bool(address), bool(pair), [int(window[1]) if window else 0 for window in windows]


def _hit(storage: RedisStorage, server: "redis.Redis", counts: list[_Count], network: _Count) -> None:
    """The network's window counts names: only the first failure of a pair is one for it."""
    batch = server.pipeline(transaction=False)
    counts[0].look(storage, batch)
    for count in counts:
        count.hit(storage, batch)
    window, *_ = batch.execute()
    if not window or not int(window[1]):
        network.hit(storage, batch)
        batch.execute()


def pair_of(login: str, peer: str) -> str:
    """A name for this login name from this network, which tells neither of them."""
    return _keys(login, peer).pair


def _keys(login: str, peer: str) -> _Keys:
    # The address and its local part alone name the same mailbox, so they share a count.
    name, network = login.strip().lower().partition("@")[0], network_of(peer)
    return _Keys(_digest(f"{network} {name}"), _digest(f"{peer} {name}"), _digest(name), _digest(network))


def _digest(text: str) -> str:
    octets = text.encode("utf-8", "replace")
    return salted_hmac("gatehouse.guesses", octets, algorithm="sha256").hexdigest()[:32]


def _proven_key(key: str) -> str:
    return f"gatehouse-proven/{key}"


def _redis_pool(url: str) -> "redis.ConnectionPool":
    # Celery spells a socket "redis+socket://", redis-py "unix://".
    url = url.replace("redis+socket://", "unix://", 1)
    return redis.ConnectionPool.from_url(
        url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )


class Gate:
    """Lets a few sign-ins at a time do their costly work, and a bounded number wait for a bounded time."""

    def __init__(
        self,
        *,
        places: int = PLACES,
        waiting: int = MAX_WAITING,
        waiting_of_one: int = MAX_WAITING_OF_ONE,
        seconds: float = WAIT_SECONDS,
    ) -> None:
        self._places = asyncio.Semaphore(places)
        self._max_waiting = waiting
        self._max_waiting_of_one = waiting_of_one
        self._waiting: Counter[str] = Counter()
        self._seconds = seconds

    @asynccontextmanager
    async def enter(self, network: str) -> AsyncIterator[None]:
        """Hold a place. Raises Overloaded when the queue is full, of this network or in all, or too slow."""
        if self._waiting.total() >= self._max_waiting or self._waiting[network] >= self._max_waiting_of_one:
            raise Overloaded
        self._waiting[network] += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]
        try:
            yield
        finally:
            self._places.release()


class Lanes:
    """Gates side by side, so that a volley of guesses keeps nobody waiting who has signed in before."""

    def __init__(self) -> None:
        self.proven = Gate()
        self.strangers = Gate()
        self.asking = Gate()  # how a stranger stands
