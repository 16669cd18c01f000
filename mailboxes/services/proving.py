"""Proving that one knows a mailbox's password: told apart when mistyped, counted when wrong, always written down."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from mailboxes import errors
from mailboxes.services.keyring import Keyring, hold_mailbox
from mailboxes.services.statuses import Act
from mailboxes.vault import (
    PASSWORD_SYMBOLS,
    MistypedPassword,
    Secret,
    WrongPassword,
    count_symbols,
    parse_password,
)
from tenants import audit
from tenants.models import AuditEvent, Customer

GUESSES, GUESS_MINUTES = 10, 15  # wrong ones for one mailbox, whoever makes them
REFUSED = "mailbox.password-refused"

Opener = Callable[[UUID, UUID, Secret], Keyring]


def prove(
    customer: Customer,
    mailbox_id: UUID,
    password: str,
    opener: Opener,
    act: Act,
    *,
    by: Actor,
    field: str = "password",
    earlier: bool = False,
) -> Keyring:
    """The keys that `opener` opens with the password as it was typed, which is asked for an act. Runs in the customer's schema.

    `field` is what the verb calls that password. `earlier` is what the trail says of a wrong one: that an earlier
    password was asked for, not the current one.
    Raises NotAllowed, PasswordMistyped, WrongCurrentPassword, TooManyGuesses, NoSuchMailbox, MailboxDeleting.
    """
    refusal: errors.MailboxError = errors.WrongCurrentPassword()
    # Committed also when the password is refused: a guess that leaves no trace would not count.
    with transaction.atomic(durable=True):
        mailbox = hold_mailbox(customer, mailbox_id, act, by=by)  # one guess after the other
        if _refused_lately(customer, mailbox_id) >= GUESSES:
            raise errors.TooManyGuesses(minutes=GUESS_MINUTES).about(field)
        try:
            return opener(customer.pk, mailbox_id, parse_password(password))
        except MistypedPassword:
            refusal = _mistyped(password)
        except WrongPassword:
            pass
        audit.record(
            REFUSED,
            by=by,
            customer=customer,
            target=("mailbox", str(mailbox_id), mailbox.name),
            data={"mistyped": isinstance(refusal, errors.PasswordMistyped), "earlier": earlier},
        )
    raise refusal.about(field)


def _mistyped(password: str) -> errors.PasswordMistyped:
    typed = count_symbols(password)
    return (
        errors.PasswordMistyped()
        if typed == PASSWORD_SYMBOLS
        else errors.PasswordMiscounted(length=PASSWORD_SYMBOLS, typed=typed)
    )


def _refused_lately(customer: Customer, mailbox_id: UUID) -> int:
    """Asked of the audit trail, so that it holds over hosts, processes and restarts."""
    now = (
        timezone.now()
    )  # a line of later, which no act has written, would count for as long as it lies ahead
    lately = (now - timedelta(minutes=GUESS_MINUTES), now)
    told = AuditEvent.objects.of(REFUSED).filter(customer_id=customer.pk, at__range=lately)
    return told.filter(target_id=str(mailbox_id)).count()
