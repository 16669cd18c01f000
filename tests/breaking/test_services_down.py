"""Redis, PostgreSQL or the disk fail in the middle of a re-encryption, and it goes on by itself."""

from mailboxes import services
from tests.breaking.kit import Box, mails, until
from tests.breaking.proofs import prove_whole
from tests.breaking.services import LARGEST_LOG
from tests.cast import customer

DISK_MS = 4


def test_a_flushed_redis_is_made_up_for_by_beat(workers, bell, box, gateway):
    box.seed(mails(500))
    job = box.reset()
    worker = workers.start(disk_ms=DISK_MS)
    box.await_done(job, 1)
    bell.flush()
    box.await_done(job, box.job(job).done + 100)
    worker.kill()
    bell.flush()  # what the worker was at is not even waiting to be sent again
    assert box.job(job).state == "running"
    workers.start(disk_ms=DISK_MS)
    box.await_state(job, "done")
    prove_whole(box, job, total=500, killed=True, clients=gateway)


def test_workers_all_of_whose_tasks_ended_while_redis_was_away_go_on(own_redis, workers, box):
    box.seed(mails(400))
    job = box.reset()
    worker = workers.start(slice_seconds=1, disk_ms=DISK_MS)
    until(lambda: worker.tasks("work_job") >= 2, "both processes are at it")
    own_redis.stop()
    until(
        lambda: worker.words().count("Couldn't ack") >= 2 or "Connection to broker lost" in worker.words(),
        "it notices, or none of them could say that it has ended",
    )
    own_redis.start()
    box.await_state(job, "done")


def test_a_restart_and_a_crash_of_postgresql_cost_no_message(server, own_workers):
    box = Box(customer("acme"))
    box.seed(mails(600))
    job = box.reset()
    own_workers.start(disk_ms=DISK_MS)
    box.await_done(job, 100)
    server.stop()
    server.start()
    box.await_done(job, box.job(job).done + 100)
    server.crash()
    server.start()
    assert box.job(job).state == "running"
    box.await_state(job, "done")
    prove_whole(box, job, total=600, killed=True)


def test_a_full_disk_is_told_and_when_there_is_room_the_job_goes_on_by_itself(
    small_disk, workers, box, gateway
):
    box.seed(mails(250, octets=LARGEST_LOG))
    job = box.reset()
    worker = workers.start(disk_ms=8)
    box.await_done(job, 1)

    def is_in_trouble() -> bool:
        small_disk.fill(worker)
        return box.job(job).error == "store-full"

    until(is_in_trouble, "the job notices that the disk is full")
    stuck = services.progress(box.job(job))
    assert str(stuck.trouble) == "The message store is full."
    assert (
        str(stuck.advice)
        == "Ask the platform's staff to free space there. Nothing is lost; the job goes on by itself."
    )
    assert stuck.next_try_at and stuck.may_retry and not stuck.needs_password
    assert stuck.done < stuck.total
    assert box.contents() == box.ledger, "all is readable while the job can't go on"
    small_disk.make_room(worker)
    box.await_state(job, "done")
    prove_whole(box, job, total=250, clients=gateway)
