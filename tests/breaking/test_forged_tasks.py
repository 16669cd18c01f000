"""Who can write to Redis can ring, but not make workers do anything else, nor stop them."""

import base64
import json
import os
import pickle
import re
import zlib
from uuid import uuid4

import pytest
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from redis import DataError, ResponseError
from redis.exceptions import LockNotOwnedError

from tests.breaking.kit import mails, until
from tests.breaking.proofs import prove_whole, table_rows
from tests.breaking.workers import QUEUE

WORK_JOB = "mailboxes.tasks.work_job"


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def item(*arguments, task=WORK_JOB, body=None, embed=None, content_type="application/json", **headers):
    """An item of the queue, as our own processes put it there but for what is given."""
    body = json.dumps([arguments, {}, embed or {}]).encode() if body is None else body
    number = str(uuid4())
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": content_type,
        "content-encoding": "utf-8",
        "headers": {
            "lang": "py",
            "task": task,
            "id": number,
            "root_id": number,
            "parent_id": None,
            **headers,
        },
        "properties": {
            "correlation_id": number,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }


def without(part, name):
    forged = item("public", str(uuid4()))
    del forged[part][name]
    return forged


@pytest.fixture
def forge(bell):
    """Puts an item into the workers' queue, as somebody who can write to Redis may."""

    def put(what):
        bell.redis.rpush(QUEUE, what if isinstance(what, bytes) else json.dumps(what))

    return put


def test_forged_tasks_run_nothing_and_the_worker_lives_on(workers, bell, box, globex, forge, tmp_path):
    box.seed(mails(50))
    job = box.reset()
    worker = workers.start(beat=False)
    box.await_state(job, "done")
    until(bell.is_silent, "all is quiet")
    schema, trap = box.customer.schema_name, tmp_path / "trap"
    before = list(table_rows("public", schema, globex.schema_name))

    for payload in (Trap(trap), ([Trap(trap)], {}, {})):
        forge(item(body=pickle.dumps(payload), content_type="application/x-python-serialize"))
        forge(pickle.dumps(payload))
    for arguments in (
        ("no_such_schema", str(job.pk)),
        ("public", str(job.pk)),
        (f'{schema}"; DROP SCHEMA {schema} CASCADE; --', str(job.pk)),
        (schema, str(uuid4())),
        (schema, "no number"),
        (schema, "x" * 5000),
        (schema, {"__type__": "uuid", "__value__": "no uuid"}),
        (globex.schema_name, str(job.pk)),
        (),
        (1, 2, 3, 4, 5, 6),
    ):
        forge(item(*arguments))
    for task in ("tidy_store", "tidy_mailbox", "fold_tallies"):
        forge(item("public", "../../..", -7, task=f"mailboxes.tasks.{task}"))
    forge(item(str(trap), task="os.mkdir"))
    for name in [name for name in current_app.tasks if name.startswith("celery.")]:
        forge(item([{"task": "os.mkdir", "args": [str(trap)]}], task=name))
        forge(item(1, task=name))
    # Celery would work on other tasks after this one, at another time, for longer, or unpack it.
    call = {"task": "celery.chain", "args": [str(trap)], "kwargs": {}, "options": {"serializer": "pickle"}}
    forge(item("public", embed={"callbacks": [call], "errbacks": [call], "chain": [call], "chord": call}))
    forge(item("public", eta="9999-12-31T23:59:59+00:00", timelimit=[1e9, 1e9], reply_to="x", retries=[]))
    forge(item("public", expires={"in": "no time"}))
    forge(item(body=zlib.compress(b"0" * 5_000_000), compression="application/x-gzip"))
    # No JSON, JSON that is no task, and tasks with a part missing or of another kind.
    for octets in (
        b"",
        b"\xff\xfe\x00",
        b"{",
        b"null",
        b"1e999",
        b"[]",
        b"{}",
        b"[" * 8000,
        b" " * 900_000,
    ):
        forge(octets)
    for name in ("headers", "properties", "body"):
        for other in (None, [], "text", 5):
            forge({**item(), name: other})
    for part, name in (("headers", "task"), ("headers", "id"), ("properties", "delivery_tag")):
        forge(without(part, name))
        broken = item()
        broken[part][name] = {"no": ["text"]}
        forge(broken)
    # What the worker notes of tasks under way, so that another takes them up again.
    for number, held in enumerate((b"{", b"[]", b'["x"]', b'[{"headers": {}}, "x", "y"]')):
        bell.redis.hset("unacked", f"tag{number}", held)
        bell.redis.zadd("unacked_index", {f"tag{number}": 1 + number})
    until(bell.is_silent, "all of them were taken")
    # Keys of another kind than Celery's, under its feet.
    for key in (QUEUE, f"{QUEUE}\x06\x163", "unacked"):
        bell.redis.set(key, "no list, no hash")
    until(lambda: not bell.redis.exists(QUEUE, f"{QUEUE}\x06\x163"), "the queue is out of the way")
    forge(item("public", str(uuid4())))
    until(lambda: bell.redis.type("unacked") != b"string", "so is what is under way")
    until(bell.is_silent, "workers go on")

    assert not trap.exists()
    assert not re.search(r"Task (?!mailboxes\.tasks\.)\S+ received|unregistered task", worker.words())
    assert list(table_rows("public", schema, globex.schema_name)) == before
    assert worker.is_alive()
    job = box.reset()
    box.await_state(job, "done")
    prove_whole(box, job, total=50)
    # Orders to workers go past the queue: nobody listens to them.
    assert bell.redis.pubsub_channels() == []
    assert not current_app.control.inspect(timeout=0.5).ping()


def test_celery_goes_on_past_keys_of_another_kind(bell):
    channel = current_app.connection().channel()
    bindings = (channel.keyprefix_queue, channel.keyprefix_binding_permanent)
    for key in (QUEUE, "unacked", "unacked_index", *(prefix % QUEUE for prefix in bindings)):
        bell.redis.set(key, "another kind")
    bell.redis.rpush("unacked_mutex", "held for ever")
    current_app.send_task(WORK_JOB, ("public", str(uuid4())))  # as pages and beat ring
    assert bell.redis.llen(QUEUE) == 1
    channel.queue_declare(QUEUE)  # as a worker starts
    channel._queue_bind(QUEUE, QUEUE, "", QUEUE)
    assert channel.get_table(QUEUE) == [(QUEUE, "", QUEUE)]
    channel.qos.restore_visible()
    channel.qos.restore_by_tag("tag")
    assert bell.redis.exists("unacked", "unacked_index", "unacked_mutex") == 0


def test_a_lock_that_turns_into_another_kind_is_one_that_somebody_else_has(bell):
    with current_app.connection().channel().conn_or_acquire() as client:
        lock = client.lock("unacked_mutex", timeout=10)
        assert lock.acquire(blocking=False)
        bell.redis.delete("unacked_mutex")
        bell.redis.rpush("unacked_mutex", "another kind")
        with pytest.raises(LockNotOwnedError):  # which kombu expects
            lock.release()
    assert not bell.redis.exists("unacked_mutex")


def test_only_what_lies_in_the_way_of_a_command_is_deleted(bell):
    """SETRANGE and RENAME begin like commands of sets and lists."""
    bell.redis.rpush("theirs", "a list")
    with current_app.connection().channel().conn_or_acquire() as client:
        with pytest.raises(ResponseError):
            client.setrange("theirs", 0, "text")
        assert bell.redis.type("theirs") == b"list"
        assert client.scard("theirs") == 0
    assert not bell.redis.exists("theirs")


def test_what_the_cache_holds_runs_no_code(bell, tmp_path):
    cache.set("known", {"history": [1.5, 2.5]})
    assert cache.get("known") == {"history": [1.5, 2.5]}
    trap = tmp_path / "trap"
    (key,) = bell.redis.keys("*known")
    bell.redis.set(key, pickle.dumps(Trap(trap)))
    with pytest.raises(DataError):
        cache.get("known")
    assert not trap.exists()
    for forged in (b'"abc"', b"5", b'["abc"]'):
        bell.redis.set(key, forged)
        with pytest.raises(DataError):  # of which a limit of sign-ins could make nothing
            cache.get("known", [])
    with pytest.raises(TypeError, match="tuple"):
        cache.set("known", ("is", "no", "list"))


def test_every_cache_in_redis_is_of_json():
    in_redis = [one for one in settings.CACHES.values() if "redis" in one["BACKEND"].lower()]
    assert in_redis
    assert {one["OPTIONS"]["serializer"] for one in in_redis} == {"portal.cache.JSONSerializer"}
