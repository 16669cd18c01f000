"""What workers take from Redis: the name of a task of ours and a few ids, whatever else lies there.

Redis asks for a password at best, and who has it can put anything into the queue. So an item is read down to the name
and the arguments, and the message that Celery gets is made anew here: none of Celery's other means, such as tasks that
call tasks, times of execution, time limits, compression or replies, can be ordered from outside. An item that is
anything else is dropped and told in the log, a key of another kind too; the bell rings again for what has to be done
(docs/jobs.md).
"""

import base64
import json
import logging
from collections.abc import Iterable
from datetime import datetime
from queue import Empty
from typing import Any
from uuid import UUID

from celery import current_app
from celery.worker import consumer
from django.conf import settings
from kombu.transport import redis, virtual
from redis import Redis, ResponseError, WatchError
from redis.client import Pipeline

log = logging.getLogger(__name__)

MAX_OCTETS = 8192  # of an item; ours have less than 2,000
MAX_ARGUMENTS = 4
MAX_CHARACTERS = 100  # of an argument: a schema's name has at most 63
SHOWN = 200  # characters of a dropped item that the log shows


class NotOurs(ValueError):
    """An item that no process of ours has put there."""


def read(item: bytes) -> dict[str, Any]:
    """The message for Celery. Raises NotOurs."""
    if len(item) > MAX_OCTETS:
        raise NotOurs(f"it has {len(item)} octets")
    try:
        found = json.loads(item)
        headers, properties = found["headers"], found["properties"]
        name, task_id, tag = headers["task"], str(UUID(headers["id"])), str(UUID(properties["delivery_tag"]))
        arguments = json.loads(base64.b64decode(found["body"], validate=True))[0]
        expires = headers.get("expires")
        expires = expires and datetime.fromisoformat(expires).isoformat()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise NotOurs(f"it is no task: {type(error).__name__}") from error
    if not (isinstance(name, str) and _is_ours(name)):
        raise NotOurs("its task is none of ours")
    if not (isinstance(arguments, list) and len(arguments) <= MAX_ARGUMENTS and all(map(_is_id, arguments))):
        raise NotOurs("its arguments are not a few ids")
    return _message(name, task_id, tag, arguments, expires)


def _is_ours(name: str) -> bool:
    # Those of Celery itself call whatever tasks their arguments name.
    return name in current_app.tasks and not name.startswith("celery.")


def _is_id(argument: object) -> bool:
    return type(argument) is int or (isinstance(argument, str) and len(argument) <= MAX_CHARACTERS)


def _message(name: str, task_id: str, tag: str, arguments: list[Any], expires: str | None) -> dict[str, Any]:
    """In the form that kombu and Celery's protocol 2 have for it."""
    body = json.dumps([arguments, {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "lang": "py",
            "task": name,
            "id": task_id,
            "root_id": task_id,
            "parent_id": None,
            "group": None,
            "expires": expires,
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": settings.CELERY_TASK_DEFAULT_QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": tag,
        },
    }


# The commands that kombu sends, of those that mind what lies at their key; the key stands behind the name.
KINDS = {
    name: kind
    for kind, names in {
        b"list": "LPUSH RPUSH LPOP RPOP LLEN LREM LRANGE",
        b"hash": "HSET HGET HDEL HLEN HGETALL",
        b"zset": "ZADD ZREM ZRANGE ZREVRANGEBYSCORE ZRANGEBYSCORE",
        b"set": "SADD SREM SMEMBERS SISMEMBER SCARD",
        b"string": "GET",
    }.items()
    for name in names.split()
}
SCRIPTS = frozenset({"EVAL", "EVALSHA"})  # of its lock, which is a string


def _make_room(connection: Any, error: ResponseError, commands: Iterable[tuple[Any, ...]]) -> None:
    """Delete what is of another kind than these commands need: it would end workers at each start, and silence beat
    and pages. Raises the error when it is another one.
    """
    found = False
    if "WRONGTYPE" in str(error):
        for key, kind in (needed for command in commands for needed in _needed(command)):
            if connection.type(key) not in (kind, b"none"):
                connection.delete(key)
                found = True
                log.error("a key in Redis of a kind that is not ours is deleted: %.*r", SHOWN, key)
    if not found:
        raise error


def _needed(command: tuple[Any, ...]) -> list[tuple[Any, bytes]]:
    """The keys that a command works on, and of which kind they have to be."""
    name = str(command[0])
    if name in SCRIPTS:
        return [(key, b"string") for key in command[3 : 3 + int(command[2])]]
    return [(command[1], KINDS[name])] if name in KINDS else []


class RoomyPipeline(Pipeline):
    """Several commands; again, once keys of another kind are out of their way."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = list(self.command_stack)
        try:
            return super().execute(raise_on_error)
        except ResponseError as error:
            _make_room(Client(connection_pool=self.connection_pool), error, (args for args, _ in commands))
        self.command_stack = commands
        return super().execute(raise_on_error)

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            _make_room(Client(connection_pool=self.connection_pool), error, [args])
            raise WatchError("a key was of another kind") from error  # the transaction begins anew


class Client(Redis):
    """Goes on past keys of another kind."""

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        return RoomyPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            _make_room(super(), error, [args])
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]


class QoS(redis.QoS):
    """What was taken and not yet done lies in Redis as well, where it may be altered meanwhile.

    Who can't say that it is done, for Redis is away, gets its place back all the same. Else a worker all of whose tasks ended
    meanwhile would wait for ever: it asks Redis for no more until these are out of its hands, and so never notices that it has
    to connect anew. They are rung again after the visibility time-out, and find nothing to do.
    """

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def restore_visible(self, *args: Any, **options: Any) -> None:
        """Ring again for all whose workers have died."""
        with self.channel.conn_or_acquire() as connection:
            # A lock without an end, or of another kind, would be held for ever.
            left = connection.ttl(self.unacked_mutex_key)
            if left == -1 or left > self.unacked_mutex_expire:
                log.error("a lock in Redis that would not end is deleted")
                connection.delete(self.unacked_mutex_key)
        super().restore_visible(*args, **options)  # type: ignore[no-untyped-call]

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Ring again for a task whose worker has died."""

        def put_back(pipe: Any) -> None:
            held = pipe.hget(self.unacked_key, tag)
            pipe.multi()
            pipe.zrem(self.unacked_index_key, tag).hdel(self.unacked_key, tag)
            try:
                message = held and read(json.dumps(json.loads(held)[0]).encode())
            except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
                log.error("what Redis holds of a task under way is dropped: %s", error)
            else:
                if message:
                    push = pipe.lpush if leftmost else pipe.rpush
                    push(settings.CELERY_TASK_DEFAULT_QUEUE, json.dumps(message))

        with self.channel.conn_or_acquire(client) as connection:
            connection.transaction(put_back, self.unacked_key)


class Channel(redis.Channel):
    """kombu's, but for what becomes of an item that was taken."""

    QoS = QoS
    _in_poll: Any  # the connection that waits for an item
    _flush_brpop_reauth: Any

    def _get_client(self) -> type[Redis]:
        return Client

    def _brpop_read(self, **options: Any) -> bool:
        # kombu's own ends the worker when an item is no JSON, or JSON of another form than it expects.
        connection = self.client.connection
        try:
            taken = self.client.parse_response(connection, "BRPOP", **options)
        except self.connection_errors:
            connection.disconnect()
            raise
        except ResponseError as error:
            key_of: Any = self._q_for_pri
            waited_for = [key_of(queue, step) for queue in self.active_queues for step in self.priority_steps]
            with self.conn_or_acquire() as client:
                _make_room(client, error, [("RPOP", key) for key in waited_for])
            raise Empty from None
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        if not taken:
            raise Empty
        key, item = taken
        queue = key.decode().rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        try:
            message = read(item if isinstance(item, bytes) else str(item).encode())
        except NotOurs as error:
            log.error("an item in the queue is dropped: %s: %.*r", error, SHOWN, item[:SHOWN])
        else:
            self.connection._deliver(message, queue)
        return True


class Transport(redis.Transport):
    """The way to Redis of web, workers and beat (portal/celery.py)."""

    Channel = Channel


class Consumer(consumer.Consumer):
    """Celery's, deaf to other workers: they could be told apart from strangers by nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        alone = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
        super().__init__(*args, **{**options, **alone})
