"""What a wrong password costs the guesser.

Only failures count, and nothing but time clears them: a success of one account says nothing about another's guesser.
Every process counts for itself; where Redis answers, it also sees what the others counted. So a Redis that is down
makes the limits looser (per process instead of shared), never absent, and logins go on.

Names are counted as digests: what people type as a login name may be a password.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import redis
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from .errors import Overloaded
from .peers import network_of

log = logging.getLogger("gateway.limits")

WINDOW_SECONDS = 600
PER_LOGIN = 20  # failures; an archiver that polls every minute with an old password stays below it
PER_NETWORK = 60  # failures; some archivers with old passwords behind one address must not lock out the rest
REDIS_SECONDS = 0.5  # how long one question to Redis may take
REDIS_PAUSE_SECONDS = 10  # how long Redis is left alone after it failed

MAX_ARGON2 = 4  # logins at a time, per process; the rest wait their turn
MAX_WAITING = 64  # logins in the queue for it
WAIT_SECONDS = 20


class GuessLimits:
    """Counts failed logins per login name and per network. Its calls block for at most a second: run it on a thread."""

    def __init__(
        self,
        redis_url: str | None,
        *,
        per_login: int = PER_LOGIN,
        per_network: int = PER_NETWORK,
        window_seconds: int = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._login = RateLimitItemPerSecond(per_login, window_seconds, namespace="gatehouse-login")
        self._network = RateLimitItemPerSecond(per_network, window_seconds, namespace="gatehouse-network")
        self._here = MovingWindowRateLimiter(MemoryStorage())
        self._shared = MovingWindowRateLimiter(_redis_storage(redis_url)) if redis_url else None
        self._shared_again_at = 0.0
        self._clock = clock

    def allow(self, login: str, peer: str) -> bool:
        """Whether another guess may be made. Asking costs nothing."""
        keys = self._keys(login, peer)
        if not all(self._here.test(item, key) for item, key in keys):
            return False
        return self._ask_redis(
            lambda shared: all(shared.test(item, key) for item, key in keys), otherwise=True
        )

    def failed(self, login: str, peer: str) -> None:
        """Count one wrong password."""
        keys = self._keys(login, peer)
        self._hit(self._here, keys)
        self._ask_redis(lambda shared: self._hit(shared, keys), otherwise=True)

    @staticmethod
    def _hit(limiter: MovingWindowRateLimiter, keys: list[tuple[RateLimitItem, str]]) -> bool:
        for item, key in keys:
            limiter.hit(item, key)
        return True

    def _keys(self, login: str, peer: str) -> list[tuple[RateLimitItem, str]]:
        # The address and its local part alone name the same mailbox, so they share a count.
        name = login.strip().lower().partition("@")[0]
        return [
            (self._login, hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]),
            (self._network, network_of(peer)),
        ]

    def _ask_redis(self, question: Callable[[MovingWindowRateLimiter], bool], *, otherwise: bool) -> bool:
        if self._shared is None or self._clock() < self._shared_again_at:
            return otherwise
        try:
            return question(self._shared)
        except (redis.RedisError, OSError) as error:
            self._shared_again_at = self._clock() + REDIS_PAUSE_SECONDS
            log.warning("guesses are counted by this process alone: Redis failed (%s)", type(error).__name__)
            return otherwise


def _redis_storage(url: str) -> RedisStorage:
    # Celery spells a socket "redis+socket://", redis-py "unix://".
    url = url.replace("redis+socket://", "unix://", 1)
    pool = redis.ConnectionPool.from_url(
        url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )
    return RedisStorage("redis://", connection_pool=pool)


class Gate:
    """Lets a few logins at a time do their Argon2, and a bounded number wait for a bounded time."""

    def __init__(
        self, *, places: int = MAX_ARGON2, waiting: int = MAX_WAITING, seconds: float = WAIT_SECONDS
    ) -> None:
        self._places = asyncio.Semaphore(places)
        self._max_waiting = waiting
        self._waiting = 0
        self._seconds = seconds

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Hold a place. Raises Overloaded when the queue is full or too slow."""
        if self._waiting >= self._max_waiting:
            raise Overloaded
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
        except TimeoutError:
            raise Overloaded from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
