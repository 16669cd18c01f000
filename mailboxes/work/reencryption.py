"""Re-encryption: each message is opened with its key and sealed to the current one; then its row moves over."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from mailboxes import errors
from mailboxes.batch import Batch, remove_all
from mailboxes.models import Job, KeyLock, MailboxKey, Message, TallyChange
from mailboxes.services import damage, jobs, worker_keys
from mailboxes.services.keyring import (
    drop_empty,
    earlier_contexts,
    earlier_messages,
    hold_current,
    hold_to_work,
)
from mailboxes.store import store
from mailboxes.transactions import on_disk
from mailboxes.vault import (
    LockContext,
    MessageContext,
    PrivateKey,
    Sealer,
    VaultError,
    open_key_lock,
    open_sealed,
)
from tenants.models import Customer, OpenJob

log = logging.getLogger(__name__)

# One transaction holds so many messages, so long; an archiver that wants to delete one of them waits for it.
BATCH = 64
BATCH_OCTETS = 16 * 1024 * 1024

State = MailboxKey.State


@dataclass
class _Moved:
    """A message, and the blob that holds it under the new key."""

    message: Message
    blob: str


def step(customer: Customer, job: Job) -> bool:
    """Move a batch to the current key, or finish. Raises StoreFull, StoreFailed."""
    if not Job.objects.filter(pk=job.pk, state__in=Job.WORKABLE).exists():
        return False  # a deletion or a reset without the password has overtaken it
    for key, private in _sources(customer, job):
        try:
            if _move_batch(customer, job, key, private):
                return True
        except errors.KeyChanged:
            return True  # reset again meanwhile: go on with the newest key
    if job.mailbox_id and damage.take_back_restored(job.mailbox_id):
        return True
    with suppress(errors.NoSuchMailbox, errors.MailboxDeleting):  # whose deletion has closed this job
        _finish(job)
    return False


def _sources(customer: Customer, job: Job) -> Iterator[tuple[MailboxKey, PrivateKey]]:
    """The retired keys that the workers have access to."""
    locks = KeyLock.objects.filter(
        key__mailbox=job.mailbox_id,
        key__state=State.RETIRED,
        kind=KeyLock.Kind.WORKER,
        expires_at__gt=timezone.now(),
    )
    for lock in locks.select_related("key").order_by("key__generation"):
        context = LockContext(customer.pk, lock.key.mailbox_id)
        yield (
            lock.key,
            open_key_lock(
                bytes(lock.data),
                worker_keys.private_key(),
                kind="worker",
                context=context,
                also=earlier_contexts(lock.key),
            ),
        )


def _move_batch(customer: Customer, job: Job, key: MailboxKey, private: PrivateKey) -> int:
    """How many messages of this key were dealt with. Raises KeyChanged, StoreFull, StoreFailed: then none was."""
    target = MailboxKey.objects.filter(mailbox=key.mailbox_id, state=State.CURRENT).first()
    if target is None:
        raise errors.KeyChanged
    damage.refuse_an_empty_store(customer)  # asked before a draft makes folders there
    batch = Batch(customer.pk, key.mailbox_id)
    with ExitStack() as undo, on_disk():  # the old blobs go after COMMIT
        undo.callback(batch.discard)
        claimed = _claim(key)
        if not claimed:
            return 0
        moved = list(_reseal(customer, key, claimed, private, bytes(target.public_key), batch))
        batch.keep()
        _write_down(job, key, hold_current(key.mailbox_id, target.generation), moved)
        undo.pop_all()  # an unanswered COMMIT may have succeeded: better an orphan than a row without its blob
    try:
        remove_all(one.message.blob for one in moved)
    except errors.StoreFailed:
        log.exception("old blobs of re-encrypted messages stay behind mailbox=%s", key.mailbox_id)
    return len(claimed)


def _claim(key: MailboxKey) -> list[Message]:
    waiting = Message.objects.filter(key=key, damaged_at=None).order_by("pk")
    claimed: list[Message] = []
    octets = 0
    for message in waiting.select_for_update(skip_locked=True)[:BATCH]:
        octets += message.octets
        if claimed and octets > BATCH_OCTETS:
            break  # the others are free again with the end of this transaction
        claimed.append(message)
    return claimed


def _reseal(
    customer: Customer,
    key: MailboxKey,
    claimed: list[Message],
    private: PrivateKey,
    public: bytes,
    batch: Batch,
) -> Iterator[_Moved]:
    """Each message sealed anew; one that can't be read is marked and left alone."""
    for message in claimed:
        context = MessageContext(customer.pk, message.mailbox_id, message.uid)
        also = earlier_messages(key, message.uid)
        draft = batch.draft()
        try:
            sealer = Sealer(public, context=context)
            for piece in open_sealed(store().chunks(message.blob), private, context=context, also=also):
                draft.write(sealer.update(piece))
            draft.write(sealer.finish())
        except (VaultError, errors.MessageGone) as error:
            # The row is held, so nobody has moved or deleted the message: its blob is missing or not what was sealed.
            batch.drop(draft)
            damage.mark(message.uid, message.blob, type(error).__name__)
            continue
        batch.finish(draft)
        yield _Moved(message, draft.name)


def _write_down(job: Job, key: MailboxKey, target_id: int, moved: list[_Moved]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mailboxes_message AS message SET key_id = %s, blob = moved.blob"
            " FROM unnest(%s::bigint[], %s::text[]) AS moved (id, blob) WHERE message.id = moved.id",
            [target_id, [one.message.pk for one in moved], [one.blob for one in moved]],
        )
    octets, now = sum(one.message.octets for one in moved), timezone.now()
    for key_id, sign in ((key.pk, -1), (target_id, 1)):
        TallyChange.objects.create(
            mailbox_id=key.mailbox_id,
            key_id=key_id,
            messages=sign * len(moved),
            octets=sign * octets,
            at=now,
        )
    jobs.count_done(job, len(moved), octets)


@on_disk()
def _finish(job: Job) -> None:
    """Destroy what no message needs any more, and close the job if nothing is left that workers can do."""
    assert job.mailbox_id, "a mailbox that is deleted ends this job"
    mailbox = hold_to_work(job.mailbox_id)
    job = Job.objects.select_for_update(of=("self",)).get(pk=job.pk)
    if job.state not in Job.WORKABLE:
        return
    drop_empty(mailbox.pk, State.RETIRED)
    left = Message.objects.filter(key__mailbox=mailbox, key__state=State.RETIRED)
    usable = KeyLock.objects.filter(kind=KeyLock.Kind.WORKER, expires_at__gt=timezone.now())
    if not left.exists():
        jobs.close(job, Job.State.DONE)
    elif left.filter(damaged_at=None).exclude(key__in=usable.values("key")).exists():
        if not left.filter(damaged_at=None, key__in=usable.values("key")).exists():
            jobs.close(job, Job.State.WAITING, OpenJob.Trouble.NO_LOCK)
    elif not left.filter(damaged_at=None).exists():
        jobs.close(job, Job.State.FAILED, OpenJob.Trouble.UNREADABLE)
    # Otherwise other slices are at the rest, and the last of them gets here again.
