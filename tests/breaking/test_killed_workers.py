"""`kill -9` of workers while they re-encrypt, and tasks that come more often, or later, than they should."""

import random
import threading

from django.conf import settings

from mailboxes.tasks import work_job
from tests.breaking.kit import mails, short_or_long, until
from tests.breaking.proofs import prove_whole

DISK_MS = 4  # for each blob, so that a few hundred of them keep two processes busy for a while
KILLS = short_or_long(3, 100)
# In the order in which a batch goes through them, some in the first batch of a process and some in a later one.
STEPS = "read:1 draft:17 rename:1 rename:20 folder:2 remove:1 remove:20 read:70"


def test_kills_at_random_moments_lose_nothing_and_double_nothing(workers, box, gateway):
    count = KILLS * 160
    box.seed(mails(count))
    job = box.reset()
    chance = random.Random()
    pause = threading.Event()
    worker = workers.start(disk_ms=DISK_MS)
    for kill in range(KILLS):
        done = box.job(job).done
        share = (count - done) // (KILLS + 3 - kill)  # some is left after the last kill
        box.await_done(job, done + 1 + chance.randrange(max(1, share - 128)))
        pause.wait(chance.random() * 0.1)  # to be anywhere within a batch
        worker.kill()
        assert box.job(job).state == "running", "it was killed in the middle"
        worker = workers.start(disk_ms=DISK_MS)
    box.await_state(job, "done")
    prove_whole(box, job, total=count, killed=True, clients=gateway)


def test_a_process_killed_at_any_step_of_a_batch_costs_that_batch_only(workers, box, gateway):
    box.seed(mails(400))
    job = box.reset()
    workers.start(kill_at=STEPS)
    box.await_state(job, "done")
    assert workers.kills() == set(STEPS.split())
    prove_whole(box, job, total=400, killed=True, clients=gateway)


def test_two_workers_share_a_job_and_do_nothing_twice(workers, box, gateway):
    box.seed(mails(500))
    both = [workers.start(), workers.start()]
    for worker in both:
        worker.await_ready()
    job = box.reset()
    box.await_state(job, "done")
    prove_whole(box, job, total=500, clients=gateway)
    assert all(worker.tasks("work_job") for worker in both)


def test_the_same_task_ten_times_side_by_side_and_late_has_no_effect_twice(workers, bell, box):
    box.seed(mails(300))
    job = box.reset()
    task = box.customer.schema_name, str(job.pk)
    for _ in range(10):
        work_job.delay(*task)
    worker = workers.start(beat=False, disk_ms=DISK_MS)
    box.await_state(job, "done")
    ended = box.rows(), box.job(job).finished_at
    for _ in range(10):
        work_job.delay(*task)
    until(bell.is_silent, "all tasks have been taken and answered")
    assert worker.tasks("work_job") >= settings.JOB_SLICES_AT_ONCE + 2 * 10
    assert (box.rows(), box.job(job).finished_at) == ended
    prove_whole(box, job, total=300)


def test_a_slice_longer_than_the_visibility_timeout_comes_again_and_is_done_once(workers, box):
    box.seed(mails(300))
    job = box.reset()
    worker = workers.start(beat=False, visibility_seconds=1, slice_seconds=30, disk_ms=15)
    box.await_state(job, "done")
    assert worker.tasks("work_job") > settings.JOB_SLICES_AT_ONCE, "more than the reset has rung for"
    prove_whole(box, job, total=300)
