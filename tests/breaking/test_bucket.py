"""Workers, which are forked, on a message store in a bucket."""

from mailboxes.store import store
from tests.breaking.kit import mails


def test_mail_in_a_bucket_is_re_encrypted_and_removed_by_processes_that_were_forked(s3_store, workers, box):
    """The bucket's library has threads, which no fork takes along: who used it before would leave a worker that hangs."""
    box.seed(mails(70))
    job = box.reset()
    workers.start()
    box.await_state(job, "done")
    assert list(box.contents().values()) == list(box.ledger.values())
    box.await_state(box.delete(), "done")
    assert not store().holds_anything(box.customer.pk.hex)
