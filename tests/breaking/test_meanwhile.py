"""What people, senders and archivers do with a mailbox while it is re-encrypted."""

import pytest

from mailboxes import services
from tests.breaking.kit import mails, short_or_long, until
from tests.breaking.proofs import needles_of, prove_gone, prove_whole
from tests.breaking.traffic import Traffic

DISK_MS = 4
RESETS = short_or_long(2, 10)


def test_mail_that_comes_and_goes_meanwhile_is_neither_lost_nor_back_again(workers, box, gateway):
    box.seed(mails(short_or_long(400, 4000)))
    traffic = Traffic(box, gateway)
    workers.start(disk_ms=10)
    with traffic.flowing():
        job = box.reset()
        box.await_done(job, 1)
        before = len(traffic.arrived), len(traffic.collected)
        box.await_state(job, "done")
        assert len(traffic.arrived) > before[0], "mail came in meanwhile"
        assert len(traffic.collected) > before[1], "and some was collected and deleted"
    box.ledger = traffic.prove(box.ledger, box.collected(gateway))
    prove_whole(box, job, total=None, clients=gateway)


@pytest.mark.parametrize("resets", short_or_long([2], [1, 2]))
def test_resets_in_the_middle_are_one_job_and_the_newest_password_opens_all_at_once(
    workers, box, gateway, resets
):
    box.seed(mails(300))
    job = box.reset()
    workers.start(disk_ms=20)
    for _ in range(resets):
        box.await_done(job, job.done + 20)
        job, first = box.reset(), job
        assert job.pk == first.pk
        assert job.total == job.done + 300, "each message once more, whichever key it has"
    assert box.contents(every=10) == dict(list(box.ledger.items())[::10])
    assert not any(box.opens(earlier) for earlier in box.passwords[:-1])
    box.await_state(job, "done")
    prove_whole(box, job, total=job.total, clients=gateway)


def test_resets_in_a_row_while_mail_comes_and_goes_lose_nothing(workers, box, gateway):
    box.seed(mails(short_or_long(300, 1000)))
    traffic = Traffic(box, gateway)
    job = box.reset()
    workers.start(disk_ms=DISK_MS)
    with traffic.flowing():
        for _ in range(RESETS):
            box.await_done(job, job.done + 20)
            job = box.reset()
        until(lambda: bool(traffic.arrived and traffic.collected), "mail comes and goes")
        box.await_state(job, "done")
    box.ledger = traffic.prove(box.ledger, box.contents())
    prove_whole(box, job, total=None)


def test_a_deletion_in_the_middle_leaves_a_certificate_and_nothing_else(workers, box):
    box.seed(mails(300))
    reset = box.reset()
    workers.start(disk_ms=20)
    box.await_done(reset, 20)
    needles = needles_of(box)
    job = box.delete()
    assert not any(box.opens(password) for password in box.passwords)
    box.await_state(job, "done")
    prove_gone(box, job, needles, messages=300, octets=sum(map(len, box.ledger.values())))
    overtaken = services.progress(box.job(reset))
    assert overtaken.job.state == "failed"
    assert str(overtaken.trouble) == "The mailbox was deleted while this job ran."
