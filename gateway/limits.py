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
        self._shared = (
            MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool)) if pool else None
        )
        self._redis = redis.Redis(connection_pool=pool) if pool else None
        self._shared_again_at = 0.0
        self._clock = clock
        self._proven: OrderedDict[str, float] = OrderedDict()  # when each pair and address signed in last

    def may_go_ahead(self, login: str, peer: str) -> bool:
        """Whether this pair has signed in lately and has not failed much since: it need not queue with strangers."""
        keys = _keys(login, peer)
        if self._is_proven(keys.address):
            return self._ask_all([(self._address, keys.address)])
        return self._is_proven(keys.pair) and self._ask_all([(self._pair, keys.pair)])

    def allow(self, login: str, peer: str) -> bool:
        """Whether another password may be tried. Asking costs nothing."""
        keys = _keys(login, peer)
        if self._is_proven(keys.address):
            return self._ask_all([(self._proven_address, keys.address)])
        if self._is_proven(keys.pair):
            return self._ask_all([(self._address, keys.address)])
        return self._ask_all(
            [(self._pair, keys.pair), (self._network, keys.network), (self._login, keys.login)]
        )

    def failed(self, login: str, peer: str) -> None:
        """Count one wrong password."""
        keys = _keys(login, peer)
        self._hit(self._here, keys)
        self._ask_redis(lambda shared, _: self._hit(shared, keys), otherwise=None)

    def succeeded(self, login: str, peer: str) -> None:
        """Remember that this pair has the right password."""
        keys = _keys(login, peer)
        for key in (keys.pair, keys.address):
            known_since = self._proven.get(key)
            if known_since is None or self._clock() - known_since >= PROVEN_AGAIN_SECONDS:
                self._remember(key)

    def _is_proven(self, key: str) -> bool:
        known_since = self._proven.get(key)
        if known_since is not None and self._clock() - known_since < PROVEN_SECONDS:
            return True
        return bool(self._ask_redis(lambda _, server: server.exists(_proven_key(key)), otherwise=False))

    def _remember(self, key: str) -> None:
        self._proven.pop(key, None)  # so that it comes to the end, whatever other threads drop meanwhile
        self._proven[key] = self._clock()
        if len(self._proven) > PROVEN_KEPT:
            self._proven.popitem(last=False)
        self._ask_redis(lambda _, server: server.set(_proven_key(key), 1, ex=PROVEN_SECONDS), otherwise=None)

    def _hit(self, limiter: MovingWindowRateLimiter, keys: _Keys) -> None:
        if limiter.get_window_stats(self._pair, keys.pair).remaining == self._pair.amount:
            limiter.hit(self._network, keys.network)
        for item, key in (
            (self._pair, keys.pair),
            (self._address, keys.address),
            (self._proven_address, keys.address),
            (self._login, keys.login),
        ):
            limiter.hit(item, key)

    def _ask_all(self, questions: list[tuple[RateLimitItem, str]]) -> bool:
        def below(limiter: MovingWindowRateLimiter) -> bool:
            return all(limiter.test(item, key) for item, key in questions)

        return below(self._here) and bool(self._ask_redis(lambda shared, _: below(shared), otherwise=True))

    def _ask_redis(
        self, question: Callable[[MovingWindowRateLimiter, "redis.Redis"], Any], *, otherwise: Any
    ) -> Any:
        if self._shared is None or self._redis is None or self._clock() < self._shared_again_at:
            return otherwise
        try:
            return question(self._shared, self._redis)
        except (redis.RedisError, OSError) as error:
            self._shared_again_at = self._clock() + REDIS_PAUSE_SECONDS
            log.warning("guesses are counted by this process alone: Redis failed (%s)", type(error).__name__)
            return otherwise


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
    """Two gates side by side, so that a volley of guesses keeps nobody waiting who has signed in before."""

    def __init__(self) -> None:
        self.proven = Gate()
        self.strangers = Gate()
