"""A new password for a mailbox, with the current one or without, and the way back to locked mail (docs/jobs.md)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes import errors
from mailboxes.models import Job, KeyLock, Mailbox, MailboxKey, MaildropLock
from mailboxes.services import damage, jobs, offers, statuses, tallies, worker_keys
from mailboxes.services.finding import find_mailbox
from mailboxes.services.keyring import (
    Keyring,
    destroy_locks,
    drop_empty,
    hold_mailbox,
    open_keyring,
    open_locked,
)
from mailboxes.services.proving import prove
from mailboxes.services.removal import doom
from mailboxes.services.statuses import Act
from mailboxes.transactions import on_disk
from mailboxes.vault import (
    LockContext,
    Secret,
    WrongPassword,
    generate_key_pair,
    lock_to_key,
    lock_with_password,
    new_password,
)
from tenants import access, audit, directory
from tenants.models import Customer, OpenJob

SALT = "gatehouse.reset-offer"
KEEP, DELETE = "keep", "delete"
# Long enough for a job that nobody looked after over a weekend, short enough to be no second way in for good.
WORKER_LOCK_LIFE = timedelta(days=3)

State, Kind = MailboxKey.State, KeyLock.Kind


@dataclass(frozen=True)
class ResetOffer:
    """Step 1: the new password, to be shown once, and the signed token that step 2 brings back. Stored nowhere.

    `keeps_access`: the current password was given, so the new one will open what waits. Otherwise `waiting` messages
    will stay locked or be deleted, as `locked_mail` says.
    """

    password: Secret
    token: str
    address: str
    keeps_access: bool
    locked_mail: str
    waiting: int


@dataclass(frozen=True)
class _Handover:
    """An earlier key for those who may go on using it: the next key's owner, and the workers for a while."""

    successor: bytes
    worker: bytes


@dataclass(frozen=True)
class _NewKey:
    """What becomes the current key; `earlier` are those that the current password has opened."""

    generation: int
    public_key: bytes
    lock: bytes
    keeps_access: bool
    locked_mail: str
    earlier: dict[int, _Handover]


def offer_reset(
    customer: Customer,
    mailbox: Mailbox,
    *,
    by: Actor,
    current_password: str = "",
    locked_mail: str = "",
) -> ResetOffer:
    """Make the next password and key; nothing has changed yet.

    With the current password what waits stays readable. Without, `locked_mail` says what becomes of it: KEEP or
    DELETE. Raises NotAllowed, NothingToGiveUp for the current password with DELETE, PasswordMistyped,
    WrongCurrentPassword, TooManyGuesses, LockedMailUndecided, NoSuchMailbox, MailboxDeleting.
    """
    access.require(by, customer, access.Right.RESET_PASSWORD)
    password, key, waiting = _make(customer, mailbox, current_password, locked_mail, by)
    token = offers.sign(
        SALT,
        customer,
        by,
        mailbox=str(mailbox.pk),
        generation=key.generation,
        public_key=offers.to_text(key.public_key),
        lock=offers.to_text(key.lock),
        keeps_access=key.keeps_access,
        locked_mail=key.locked_mail,
        earlier={
            str(pk): [offers.to_text(handover.successor), offers.to_text(handover.worker)]
            for pk, handover in key.earlier.items()
        },
    )
    return ResetOffer(password, token, mailbox.address, key.keeps_access, key.locked_mail, waiting)


def accept_reset(
    customer: Customer, mailbox: Mailbox, token: str, *, by: Actor, understood: bool
) -> Job | None:
    """Step 2: from its return on only the new password opens the mailbox. The job, if there is work to do.

    Raises NotAllowed, OfferExpired, OfferAltered, OfferOutdated, AlreadyReset, NotUnderstood, NoSuchMailbox,
    MailboxDeleting; then nothing has changed.
    """
    access.require(by, customer, access.Right.RESET_PASSWORD)
    offered = offers.read(SALT, token, customer, by)
    if UUID(offered["mailbox"]) != mailbox.pk:
        raise errors.OfferAltered
    key = _NewKey(
        offered["generation"],
        offers.to_octets(offered["public_key"]),
        offers.to_octets(offered["lock"]),
        offered["keeps_access"],
        offered["locked_mail"],
        {
            int(pk): _Handover(*(offers.to_octets(text) for text in pair))
            for pk, pair in offered["earlier"].items()
        },
    )
    with tenant_context(customer):
        _refuse_a_second_time(mailbox.pk, key)
        if not understood:
            raise errors.NotUnderstood
        return _reset(customer, mailbox.pk, key, by)


def reset_password(
    customer: Customer,
    mailbox: Mailbox,
    *,
    by: Actor,
    current_password: str = "",
    locked_mail: str = "",
) -> tuple[Secret, Job | None]:
    """Both steps at once, for commands. Raises what they raise."""
    access.require(by, customer, access.Right.RESET_PASSWORD)
    password, key, _waiting = _make(customer, mailbox, current_password, locked_mail, by)
    with tenant_context(customer):
        return password, _reset(customer, mailbox.pk, key, by)


def unlock(
    customer: Customer, mailbox: Mailbox, password: str, *, by: Actor, earlier: bool = True
) -> Job | None:
    """Bring locked mail back with an earlier password, or let a stopped re-encryption go on with the current one.

    Either will do; `earlier` is which of them was asked for, and what the trail calls a wrong one.
    The job, or None when what was locked had been collected already. Raises NotAllowed, PasswordMistyped,
    WrongCurrentPassword, TooManyGuesses, NothingToUnlock, NoSuchMailbox, MailboxDeleting.
    """
    access.require(by, customer, access.Right.RESET_PASSWORD)
    with tenant_context(customer):
        keyring = prove(customer, mailbox.pk, password, _open_any, Act.UNLOCK, by=by, earlier=earlier)
        return _unlock(customer, mailbox.pk, keyring, by)


def _open_any(customer_id: UUID, mailbox_id: UUID, password: Secret) -> Keyring:
    try:
        return open_keyring(customer_id, mailbox_id, password)
    except WrongPassword:
        return open_locked(customer_id, mailbox_id, password)


def _make(
    customer: Customer, mailbox: Mailbox, current_password: str, locked_mail: str, by: Actor
) -> tuple[Secret, _NewKey, int]:
    with tenant_context(customer):
        mailbox = find_mailbox(mailbox.pk)  # as it is now, and in this customer's schema
        statuses.require(mailbox, Act.RESET_PASSWORD)
        keyring: Keyring = {}
        if current_password.strip():
            if locked_mail == DELETE:
                raise errors.NothingToGiveUp
            keyring = prove(
                customer,
                mailbox.pk,
                current_password,
                open_keyring,
                Act.RESET_PASSWORD,
                by=by,
                field="current_password",
            )
            locked_mail = ""
        elif locked_mail not in (KEEP, DELETE):
            if _readable(mailbox):
                raise errors.LockedMailUndecided
            locked_mail = KEEP
        current = MailboxKey.objects.filter(mailbox=mailbox, state=State.CURRENT).first()
        if current is None:
            raise errors.MailboxDeleting
        waiting = _readable(mailbox)
    context = LockContext(customer.pk, mailbox.pk)
    password, pair = new_password(), generate_key_pair()
    key = _NewKey(
        current.generation + 1,
        pair.public,
        lock_with_password(pair.private, password, context=context),
        bool(keyring),
        locked_mail,
        {
            pk: _Handover(
                lock_to_key(private, pair.public, kind="successor", context=context),
                lock_to_key(private, worker_keys.public_key(), kind="worker", context=context),
            )
            for pk, private in keyring.items()
        },
    )
    return password, key, waiting


def _refuse_a_second_time(mailbox_id: UUID, key: _NewKey) -> None:
    mine = MailboxKey.objects.filter(mailbox_id=mailbox_id, public_key=key.public_key)
    if mine.filter(state=State.CURRENT).exists():
        raise errors.AlreadyReset


def _readable(mailbox: Mailbox) -> int:
    """How many messages the current password opens."""
    open_keys = MailboxKey.objects.filter(mailbox=mailbox, state__in=[State.CURRENT, State.RETIRED])
    return tallies.sealed_to(open_keys).messages


@on_disk()
def _reset(customer: Customer, mailbox_id: UUID, key: _NewKey, by: Actor) -> Job | None:
    mailbox = hold_mailbox(customer, mailbox_id, Act.RESET_PASSWORD, by=by)
    keys = MailboxKey.objects.filter(mailbox=mailbox)
    # Again, for a double press waits here: what it brought is no outdated offer.
    _refuse_a_second_time(mailbox_id, key)
    current = keys.get(state=State.CURRENT)
    if current.generation + 1 != key.generation:
        raise errors.OfferOutdated
    open_keys = set(keys.filter(state__in=[State.CURRENT, State.RETIRED]).values_list("pk", flat=True))
    if key.keeps_access and not open_keys <= key.earlier.keys():
        raise errors.OfferOutdated  # mail was unlocked meanwhile, and would be lost
    # Waits for deliveries under the old key to commit; later ones find that it is no longer current.
    keys.filter(pk__in=open_keys).update(state=State.RETIRED if key.keeps_access else State.LOCKED)
    newest = MailboxKey.objects.create(mailbox=mailbox, generation=key.generation, public_key=key.public_key)
    KeyLock.objects.create(key=newest, kind=Kind.PASSWORD, data=key.lock)
    MaildropLock.objects.filter(mailbox=mailbox).delete()  # whoever came in by the old password leaves
    directory.publish(
        address=mailbox.address,
        customer=customer,
        mailbox_id=mailbox.pk,
        status=mailbox.status,
        public_key=key.public_key,
        generation=key.generation,
    )
    if key.keeps_access:
        _hand_over(newest, {pk: key.earlier[pk] for pk in open_keys})
        job = _reencrypt(customer, mailbox, by)
    else:
        job = _shut_out(customer, mailbox, open_keys, key.locked_mail, by)
    audit.record(
        "mailbox.password-reset",
        by=by,
        customer=customer,
        target=("mailbox", str(mailbox.pk), mailbox.name),
        data={
            "generation": key.generation,
            "fingerprint": newest.fingerprint,
            "with_current_password": key.keeps_access,
            "locked_mail": key.locked_mail,
            "job": str(job.pk) if job else None,
        },
    )
    return job


def _hand_over(newest: MailboxKey, earlier: dict[int, _Handover]) -> None:
    """The newest key opens these from now on, directly: so none of them is needed to reach another."""
    destroy_locks(earlier)
    expires_at = timezone.now() + WORKER_LOCK_LIFE
    for pk, handover in earlier.items():
        KeyLock.objects.create(key_id=pk, kind=Kind.SUCCESSOR, data=handover.successor, opener=newest)
        KeyLock.objects.create(key_id=pk, kind=Kind.WORKER, data=handover.worker, expires_at=expires_at)


def _reencrypt(customer: Customer, mailbox: Mailbox, by: Actor) -> Job | None:
    """One job for all retired keys of a mailbox; one that is there already gets the more to do."""
    drop_empty(mailbox.pk, State.RETIRED)
    retired = MailboxKey.objects.filter(mailbox=mailbox, state=State.RETIRED)
    job = _unfinished(mailbox)  # held, so that what is done and what is left belong together
    left = tallies.sealed_to(retired).messages
    if not retired.exists():
        if job:
            jobs.close(job, Job.State.DONE)
        return None
    if job:
        return jobs.go_on(customer, job, more=job.done + left - job.total)
    return jobs.open_job(customer, mailbox, Job.Kind.REENCRYPTION, total=left, by=by)


def _unfinished(mailbox: Mailbox) -> Job | None:
    """The re-encryption that is live, or else the last one if it failed and can be taken up again."""
    mine = mailbox.jobs.filter(kind=Job.Kind.REENCRYPTION).order_by("-created_at").select_for_update()
    live = mine.live().first()
    last = live or mine.first()
    return last if last and (live or jobs.may_retry(last)) else None


def _shut_out(
    customer: Customer, mailbox: Mailbox, keys: set[int], locked_mail: str, by: Actor
) -> Job | None:
    """Nobody has proven to know what opens the earlier keys, so the workers may not go on with them either."""
    jobs.wipe_worker_locks(mailbox.pk)
    jobs.close_all(mailbox, OpenJob.Trouble.PASSWORD_LOST, Job.Kind.REENCRYPTION)
    if locked_mail == DELETE:
        return doom(customer, mailbox, keys, by=by)
    drop_empty(mailbox.pk, State.LOCKED)
    return None


@transaction.atomic(durable=True)
def _unlock(customer: Customer, mailbox_id: UUID, keyring: Keyring, by: Actor) -> Job | None:
    mailbox = hold_mailbox(customer, mailbox_id, Act.UNLOCK, by=by)
    keys = MailboxKey.objects.filter(mailbox=mailbox)
    current = keys.get(state=State.CURRENT)
    earlier = keys.filter(pk__in=keyring, state__in=[State.RETIRED, State.LOCKED])
    found = set(earlier.values_list("pk", flat=True))
    if not found:
        raise errors.NothingToUnlock
    was_locked = earlier.filter(state=State.LOCKED).exists()
    context = LockContext(customer.pk, mailbox.pk)
    earlier.update(state=State.RETIRED)
    _hand_over(
        current,
        {
            pk: _Handover(
                lock_to_key(keyring[pk], bytes(current.public_key), kind="successor", context=context),
                lock_to_key(keyring[pk], worker_keys.public_key(), kind="worker", context=context),
            )
            for pk in found
        },
    )
    damage.try_again(mailbox.pk)
    job = _reencrypt(customer, mailbox, by)
    audit.record(
        "mailbox.unlocked" if was_locked else "job.resumed",
        by=by,
        customer=customer,
        target=("mailbox", str(mailbox.pk), mailbox.name),
        data=_job_data(job),
    )
    return job


def _job_data(job: Job | None) -> dict[str, Any]:
    return {"job": str(job.pk) if job else None}
