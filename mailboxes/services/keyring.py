"""From a password to the private keys that it opens, and the rows that keep them locked."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction

from accounts.actors import Actor
from mailboxes import errors
from mailboxes.models import KeyLock, KeyTally, Mailbox, MailboxKey, TallyChange
from mailboxes.services import statuses
from mailboxes.services.statuses import Act
from mailboxes.vault import (
    LockContext,
    MessageContext,
    PrivateKey,
    Secret,
    WrongPassword,
    decoy_password_lock,
    has_todays_cost,
    lock_with_password,
    open_key_lock,
    open_password_lock,
)
from tenants import access, directory
from tenants.models import Customer

Keyring = dict[int, PrivateKey]  # by the primary key of MailboxKey


def open_keyring(customer_id: UUID, mailbox_id: UUID, password: Secret) -> Keyring:
    """The current private key by its password lock, and each retired one by the lock that it opens.

    Runs in the customer's schema. Raises WrongPassword; Tampered when a lock was altered.
    """
    return lock_and_keyring(customer_id, mailbox_id, password)[1]


def lock_and_keyring(customer_id: UUID, mailbox_id: UUID, password: Secret) -> tuple[KeyLock, Keyring]:
    """As open_keyring, with the password lock that was opened."""
    locks = KeyLock.objects.filter(key__mailbox_id=mailbox_id).select_related("key")
    lock = locks.filter(key__state=MailboxKey.State.CURRENT, kind=KeyLock.Kind.PASSWORD).first()
    if lock is None:
        spend_the_time(password)
        raise WrongPassword
    return lock, _open_from(lock, password, LockContext(customer_id, mailbox_id))


def renew_lock(lock: KeyLock, private: PrivateKey, password: Secret, context: LockContext) -> None:
    """Make the password lock of an earlier release anew, at today's cost; in a transaction that holds its key.

    Nobody else can: it takes the password. The new lock opens the same key by the same password, so whoever has a copy
    of the earlier one has no more and no less than before.
    """
    earlier = bytes(lock.data)
    if not has_todays_cost(earlier):
        KeyLock.objects.filter(pk=lock.pk, data=earlier).update(
            data=lock_with_password(private, password, context=context)
        )


def open_locked(customer_id: UUID, mailbox_id: UUID, password: Secret) -> Keyring:
    """The private keys of locked mail that an earlier password opens: its own key's, and those before it.

    Runs in the customer's schema. Raises WrongPassword; Tampered when a lock was altered.
    """
    locks = KeyLock.objects.filter(key__mailbox_id=mailbox_id, kind=KeyLock.Kind.PASSWORD).select_related(
        "key"
    )
    for lock in locks.filter(key__state=MailboxKey.State.LOCKED).order_by("-key__generation"):
        try:
            return _open_from(lock, password, LockContext(customer_id, mailbox_id))
        except WrongPassword:
            continue
    raise WrongPassword


def _open_from(lock: KeyLock, password: Secret, context: LockContext) -> Keyring:
    """The key in a password lock, and those whose successor lock it opens (each reset links them all to the newest)."""
    private = open_password_lock(bytes(lock.data), password, context=context, also=earlier_contexts(lock.key))
    earlier = KeyLock.objects.filter(opener_id=lock.key_id, kind=KeyLock.Kind.SUCCESSOR)
    return {lock.key_id: private} | {
        one.key_id: open_key_lock(
            bytes(one.data), private, kind="successor", context=context, also=earlier_contexts(one.key)
        )
        for one in earlier.select_related("key")
    }


def earlier_contexts(key: MailboxKey) -> list[LockContext]:
    """Those of its locks that came with a customer restored under another id. What is locked anew is bound to today's."""
    return [LockContext(customer, mailbox) for customer, mailbox in key.earlier_owners]


def earlier_messages(key: MailboxKey, uid: UUID) -> list[MessageContext]:
    """The same of a message that is sealed to it."""
    return [MessageContext(customer, mailbox, uid) for customer, mailbox in key.earlier_owners]


def spend_the_time(password: Secret) -> None:
    """Work as long as a wrong password does, so that the clock tells nobody which addresses exist."""
    lock, context = decoy_password_lock()
    try:
        open_password_lock(lock, password, context=context)
    except WrongPassword:
        return


def hold_current(mailbox_id: UUID, generation: int) -> int:
    """The current key, if it is this generation, held until COMMIT: nobody retires or destroys it meanwhile.

    Returns its primary key. Raises KeyChanged.
    """
    with connection.cursor() as cursor:
        # Readers of the row don't wait for each other, so deliveries go side by side. Django has no FOR SHARE.
        cursor.execute(
            "SELECT id FROM mailboxes_mailboxkey"
            " WHERE mailbox_id = %s AND generation = %s AND state = 'current' FOR SHARE",
            [mailbox_id, generation],
        )
        row = cursor.fetchone()
    if row is None:
        raise errors.KeyChanged
    return int(row[0])


def hold_keys(keyring: Keyring) -> bool:
    """Whether the current key is among these, held until COMMIT."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM mailboxes_mailboxkey WHERE id = ANY(%s) AND state = 'current' FOR SHARE",
            [list(keyring)],
        )
        return cursor.fetchone() is not None


def hold_mailbox(customer: Customer, mailbox_id: UUID, act: Act, *, by: Actor) -> Mailbox:
    """The mailbox's row, held until COMMIT: whoever changes its keys, status or jobs does it alone.

    Deliveries don't wait for it. Raises NotAllowed for who lost the right to the act while they waited in line,
    NoSuchMailbox, and what the table of statuses says of an act that its status does not allow.
    """
    found = _hold(mailbox_id)
    access.require(by, customer, statuses.RIGHTS[act])
    return _allowing(act, found)


def hold_to_work(mailbox_id: UUID) -> Mailbox:
    """The same for work on its mail, which is a job's: whoever let that go on asks who may after this by themselves."""
    return _allowing(Act.WORK, _hold(mailbox_id))


def _hold(mailbox_id: UUID) -> Mailbox | None:
    return Mailbox.objects.select_for_update(no_key=True).filter(pk=mailbox_id).first()


def _allowing(act: Act, mailbox: Mailbox | None) -> Mailbox:
    if mailbox is None:
        raise errors.NoSuchMailbox
    statuses.require(mailbox, act)
    return mailbox


def destroy_locks(keys: Iterable[int]) -> None:
    """From the caller's COMMIT on nobody opens these keys any more: their mail is lost for good."""
    KeyLock.objects.filter(key__in=list(keys)).delete()


def drop_empty(mailbox_id: UUID, *states: str) -> None:
    """Remove keys in these states that no message needs, with all their locks; in the caller's transaction.

    One that opens another key stays as long as that one does.
    """
    keys = MailboxKey.objects.filter(mailbox_id=mailbox_id, state__in=states).order_by("generation")
    for key in keys:  # the eldest first, because a later one may be there for it only
        if key.messages.exists() or key.opens.exists():
            continue
        # In this order: a fold at this moment either has these changes or finds them without the key.
        TallyChange.objects.filter(key=key).update(key=None)
        KeyTally.objects.filter(key=key).delete()
        KeyLock.objects.filter(key=key).delete()
        MailboxKey.objects.filter(pk=key.pk).delete()


def publish(customer: Customer, mailbox: Mailbox) -> None:
    """The mailbox's line of the directory, as it is now and under its current key; in the caller's transaction.

    Raises AddressTaken.
    """
    key = MailboxKey.objects.get(mailbox=mailbox, state=MailboxKey.State.CURRENT)
    directory.publish(
        address=mailbox.address,
        customer=customer,
        mailbox_id=mailbox.pk,
        status=mailbox.status,
        public_key=bytes(key.public_key),
        generation=key.generation,
        name=mailbox.name,
        description=mailbox.description,
    )


def publish_names(customer: Customer) -> None:
    """Where the directory has other ones than the mailboxes: the release before knew nothing of names there. In the customer's schema."""
    known = {
        mailbox: called for mailbox, *called in directory.names_of(customer)
    }  # in two steps, for the two may lie on different servers
    for pk, *called in Mailbox.objects.values_list("pk", "name", "description"):
        if known.get(pk, called) != called:
            with transaction.atomic():
                mailbox = _hold(pk)
                if mailbox is not None and mailbox.status != Mailbox.Status.DELETING:
                    publish(customer, mailbox)
