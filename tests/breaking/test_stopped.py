"""Jobs and workers that stop: for a password, because their access to the keys has ended, for messages that can't be read, or as they are told to."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import KeyLock
from mailboxes.work.slices import work_slice
from tests.breaking.kit import hands_on, mails, short_or_long, until
from tests.breaking.proofs import prove_whole

DISK_MS = 8


@pytest.fixture
def end_access(box):
    """The workers' access to the earlier keys ends, as after days of trouble, or because somebody took it away."""

    def end(how):
        with tenant_context(box.customer):
            locks = KeyLock.objects.filter(key__mailbox=box.mailbox.pk, kind="worker")
            if how == "wiped":
                locks.delete()
            else:
                locks.update(expires_at=timezone.now() - timedelta(seconds=1))

    return end


@pytest.mark.parametrize("how", short_or_long(["expired"], ["expired", "wiped"]))
def test_a_job_whose_access_ended_asks_for_the_password_and_goes_on_with_it(
    workers, box, gateway, end_access, how
):
    box.seed(mails(300))
    job = box.reset()
    workers.start(disk_ms=DISK_MS)
    box.await_done(job, 20)
    end_access(how)
    stopped = services.progress(box.await_state(job, "waiting-for-password"))
    assert str(stopped.trouble) == "The workers' access to the earlier key has ended."
    assert stopped.needs_password
    assert stopped.done < stopped.total == 300
    assert box.contents() == box.ledger, "all is readable while the job waits"
    resumed = services.unlock(box.customer, box.mailbox, box.password, by=SYSTEM)
    assert resumed and resumed.pk == job.pk
    box.await_state(job, "done")
    prove_whole(box, job, total=300, clients=gateway)


def test_a_batch_that_ends_after_its_job_has_stopped_does_not_start_it_again(workers, bell, box, end_access):
    """Else nobody would know that it runs: beat looks only after those that are not over."""
    box.seed(mails(30))  # one batch
    job = box.reset()
    worker = workers.start(disk_ms=50, kill_at="remove:1", kill_whom="worker")
    until(lambda: bool(hands_on(job)) and len(box.blobs()) > 30, "the batch has begun")
    end_access("wiped")
    work_slice(box.customer, job.pk)
    assert box.job(job).state == "waiting-for-password"
    until(lambda: not worker.is_alive(), "the batch was committed")
    bell.flush()
    assert box.job(job).done == 30
    assert box.job(job).state == "waiting-for-password"
    services.unlock(box.customer, box.mailbox, box.password, by=SYSTEM)
    prove_whole(box, job, total=30, killed=True)


def test_damaged_and_missing_blobs_are_told_and_done_when_they_are_back(workers, box, gateway):
    box.seed(mails(100))
    uids = list(box.ledger)
    damaged, missing = (box.file_of(uids[number]) for number in (10, 60))
    kept = {file: file.read_bytes() for file in (damaged, missing)}
    damaged.write_bytes(kept[damaged][:-40] + bytes([kept[damaged][-40] ^ 1]) + kept[damaged][-39:])
    missing.unlink()
    job = box.reset()
    workers.start()
    failed = services.progress(box.await_state(job, "failed"))
    assert str(failed.trouble) == "2 messages can't be read: their files are missing or were altered.", (
        "the number is named"
    )
    assert "restore them from a backup" in str(failed.advice)
    assert (failed.done, failed.total, failed.may_retry, failed.needs_password) == (98, 100, True, True)
    with tenant_context(box.customer):
        assert not KeyLock.objects.filter(kind="worker").exists()
    assert [uids.index(uid) for uid, (generation, _) in box.rows().items() if generation == 1] == [10, 60]
    assert set(uids) - set(box.contents()) == {uids[10], uids[60]}
    for file, octets in kept.items():
        file.write_bytes(octets)
    services.retry(box.customer, failed.job, by=SYSTEM, password=box.password)
    box.await_state(job, "done")
    prove_whole(box, job, total=100, clients=gateway)


def test_a_worker_that_is_told_to_end_hands_its_job_on(workers, bell, box, gateway):
    """Nobody has to find out that it is gone: the next one goes on at once, without beat, as after no crash."""
    box.seed(mails(300))
    job = box.reset()
    first = workers.start(beat=False, disk_ms=DISK_MS)
    box.await_done(job, 20)
    assert first.end() == 0
    done = box.job(job).done
    assert 20 <= done < 300
    assert not hands_on(job), "what it had begun is done"
    assert not bell.redis.exists("unacked"), "nothing waits for a time-out"
    workers.start(beat=False)
    box.await_state(job, "done")
    prove_whole(box, job, total=300, clients=gateway)
