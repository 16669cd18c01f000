"""From a password to every private key that it opens."""

from uuid import UUID

from mailboxes.models import KeyLock, MailboxKey
from mailboxes.vault import (
    LockContext,
    PrivateKey,
    Secret,
    WrongPassword,
    decoy_password_lock,
    open_key_lock,
    open_password_lock,
)

Keyring = dict[int, PrivateKey]  # by the primary key of MailboxKey


def open_keyring(customer_id: UUID, mailbox_id: UUID, password: Secret) -> Keyring:
    """The current private key by its password lock, and each earlier one by the lock that its successor opens.

    Runs in the customer's schema. Raises WrongPassword; Tampered when a lock was altered.
    """
    context = LockContext(customer_id, mailbox_id)
    keys = list(MailboxKey.objects.filter(mailbox_id=mailbox_id).order_by("-generation"))
    locks = {
        (lock.key_id, lock.kind): bytes(lock.data)
        for lock in KeyLock.objects.filter(key__in=keys, kind__in=["password", "successor"])
    }
    current = next((key for key in keys if key.state == MailboxKey.State.CURRENT), None)
    if current is None or (current.pk, "password") not in locks:
        spend_the_time(password)
        raise WrongPassword
    private = open_password_lock(locks[current.pk, "password"], password, context=context)
    keyring = {current.pk: private}
    for key in keys:
        if key.generation < current.generation and (key.pk, "successor") in locks:
            private = open_key_lock(locks[key.pk, "successor"], private, kind="successor", context=context)
            keyring[key.pk] = private
        elif key.generation < current.generation:
            break  # locked mail: the chain ends where a password was lost
    return keyring


def spend_the_time(password: Secret) -> None:
    """Work as long as a wrong password does, so that the clock tells nobody which addresses exist."""
    lock, context = decoy_password_lock()
    try:
        open_password_lock(lock, password, context=context)
    except WrongPassword:
        return
