"""`kill -9` of workers while they free the storage of a deleted mailbox."""

import pytest

from accounts.actors import SYSTEM
from mailboxes import errors, services
from tests.breaking.kit import mails, short_or_long, until
from tests.breaking.proofs import needles_of, prove_gone

KILLS = short_or_long(2, 20)
# At the beginning of a batch, in it, at its end, and when all rows are gone but the certificate is not there yet.
STEPS = "remove:1 remove:250 remove:500 rmdir:1"
# Of these one of two processes removes 500, however they share them: whose places a kill frees while the other looks for some.
SHARED = 1300


def test_a_deletion_killed_at_any_step_ends_with_its_certificate_after_the_last_blob(workers, box):
    box.seed(mails(SHARED))
    needles = needles_of(box)
    job = box.delete()
    workers.start(kill_at=STEPS)
    box.await_state(job, "done")
    assert workers.kills() == set(STEPS.split())
    prove_gone(box, job, needles, messages=SHARED, octets=sum(map(len, box.ledger.values())))


def test_a_deletion_whose_workers_are_killed_again_and_again_has_no_certificate_before_its_end(workers, box):
    count = KILLS * short_or_long(400, 600)
    box.seed(mails(count))
    needles = needles_of(box)[:1000]
    job = box.delete()
    for _ in range(KILLS):
        files = len(box.blobs())
        worker = workers.start(disk_ms=10)
        until(lambda files=files: len(box.blobs()) < files, "blobs are being removed")
        worker.kill()
        assert box.blobs(), "it was killed in the middle"
        with pytest.raises(errors.NoSuchCertificate):
            services.certificate_of(box.customer, box.mailbox.pk, by=SYSTEM)
        assert not box.opens(box.password)
    workers.start()
    box.await_state(job, "done")
    prove_gone(box, job, needles, messages=count, octets=sum(map(len, box.ledger.values())))
