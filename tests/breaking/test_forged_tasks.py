"""Who can write to Redis can ring, but not make workers do anything else."""

import json
import os
import pickle
from uuid import uuid4

import kombu
import pytest
from django.conf import settings

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


@pytest.fixture
def forge(bell):
    """Puts a task into the workers' queue, as somebody who can reach Redis may."""

    def put(*arguments, task=WORK_JOB, body=None, content_type="application/json"):
        headers = {"lang": "py", "task": task, "id": str(uuid4()), "root_id": None, "parent_id": None}
        with kombu.Connection(settings.CELERY_BROKER_URL) as connection:
            connection.Producer().publish(
                body if body is not None else json.dumps([arguments, {}, {}]),
                routing_key=QUEUE,
                content_type=content_type,
                content_encoding="binary" if isinstance(body, bytes) else "utf-8",
                headers=headers,
            )

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
        forge(body=pickle.dumps(payload), content_type="application/x-python-serialize")
    forge("no_such_schema", str(job.pk))
    forge("public", str(job.pk))
    forge(f'{schema}"; DROP SCHEMA {schema} CASCADE; --', str(job.pk))
    forge(schema, str(uuid4()))
    forge(schema, "no number")
    forge(globex.schema_name, str(job.pk))
    forge()
    forge(str(trap), task="os.mkdir")
    until(bell.is_silent, "all of them were taken")

    assert not trap.exists()
    assert list(table_rows("public", schema, globex.schema_name)) == before
    assert worker.is_alive()
    job = box.reset()
    box.await_state(job, "done")
    prove_whole(box, job, total=50)
