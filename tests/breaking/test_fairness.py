"""One customer's huge job beside another's small one."""

from tests.breaking.kit import Box, mails, short_or_long
from tests.breaking.proofs import prove_whole

LARGE = short_or_long(1500, 20_000)
SMALL = 50


def test_a_small_job_does_not_wait_for_a_huge_one(workers, box, globex):
    small = Box(globex)
    box.seed(mails(LARGE))
    small.seed(mails(SMALL))
    workers.start(slice_seconds=0.3, disk_ms=6)
    huge_job = box.reset()
    box.await_done(huge_job, 1)
    small_job = small.reset()
    small.await_state(small_job, "done")
    left = LARGE - box.job(huge_job).done
    assert left > LARGE / 2, "the huge one has most of its work before it"
    box.await_state(huge_job, "done")
    prove_whole(small, small_job, total=SMALL)
    prove_whole(box, huge_job, total=LARGE)
