"""Editing, suspending and activating: what a mailbox is called and whether it takes mail."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from accounts.names import unless_kept
from mailboxes import errors
from mailboxes.models import Mailbox
from mailboxes.services import tallies
from mailboxes.services.keyring import hold_mailbox, publish
from mailboxes.services.naming import (
    NAME_CONSTRAINTS,
    canonical_name,
    clean_details,
    clean_name,
    clean_reason,
    refuse_taken,
)
from mailboxes.services.statuses import Act
from tenants import access, audit
from tenants.models import Customer

SETTABLE = (Mailbox.Status.ACTIVE, Mailbox.Status.SUSPENDED)
PUBLISHED = {"name", "description", "status"}  # what the directory has of it, too


def edit_mailbox(
    customer: Customer,
    mailbox: Mailbox,
    *,
    by: Actor,
    name: str | None = None,
    status: str | None = None,
    reason: str | None = None,
    **details: str,
) -> Mailbox:
    """Change name, details (Mailbox.DETAILS) and status in one go; `reason` belongs to a suspension, and says nothing where
    there is none. What is None, or a detail that is not named, stays as it is by now.

    Raises NotAllowed, InvalidName, TooManyMarks, InvalidDescription, InvalidReason, UnknownStatus, NameTaken,
    NoSuchMailbox, MailboxDeleting; then nothing has changed.
    """
    access.require(by, customer, access.Right.EDIT_MAILBOX)
    wanted = details if name is None else {"name": name, **details}
    return _change(customer, mailbox, wanted, status=status, reason=reason, by=by)


def suspend_mailbox(customer: Customer, mailbox: Mailbox, *, by: Actor, reason: str = "") -> Mailbox:
    """From now on new mail is put off (450); what waits can still be collected.

    Raises NotAllowed, InvalidReason, NoSuchMailbox, MailboxDeleting.
    """
    access.require(by, customer, access.Right.EDIT_MAILBOX)
    return _change(customer, mailbox, {}, status=Mailbox.Status.SUSPENDED, reason=reason, by=by)


def activate_mailbox(customer: Customer, mailbox: Mailbox, *, by: Actor) -> Mailbox:
    """From now on new mail is taken again. Raises NotAllowed, NoSuchMailbox, MailboxDeleting."""
    access.require(by, customer, access.Right.EDIT_MAILBOX)
    return _change(customer, mailbox, {}, status=Mailbox.Status.ACTIVE, reason=None, by=by)


def _change(
    customer: Customer,
    mailbox: Mailbox,
    wanted: dict[str, str],
    *,
    status: str | None,
    reason: str | None,
    by: Actor,
) -> Mailbox:
    if status is not None and status not in SETTABLE:
        raise errors.UnknownStatus
    with tenant_context(customer):
        try:
            return _write(customer, mailbox, wanted, status=status, reason=reason, by=by)
        except IntegrityError as error:
            constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
            if constraint in NAME_CONSTRAINTS:
                raise errors.NameTaken(name=wanted["name"]) from None
            raise


@transaction.atomic(durable=True)
def _write(
    customer: Customer,
    mailbox: Mailbox,
    wanted: dict[str, str],
    *,
    status: str | None,
    reason: str | None,
    by: Actor,
) -> Mailbox:
    found = hold_mailbox(customer, mailbox.pk, Act.EDIT, by=by)
    values = _judged(wanted, found)
    status = status or found.status
    reason = unless_kept(
        found.suspension_reason if reason is None else reason, found.suspension_reason, clean_reason
    )
    if status != found.status or reason != found.suspension_reason:
        values |= _suspension(found, reason, by) if status == Mailbox.Status.SUSPENDED else _activity()
    before = {name: getattr(found, name) for name in values}
    changed = {name for name, value in values.items() if value != before[name]}
    if not changed:
        return found
    for name in changed:
        setattr(found, name, values[name])
    stored = set(changed)
    if "name" in changed:
        found.canonical_name = canonical_name(found.name)
        stored.add("canonical_name")
    found.save(update_fields=stored)
    if changed & PUBLISHED:
        publish(customer, found)
    if "status" in changed and found.status == Mailbox.Status.SUSPENDED:
        tallies.forget_put_off(found.pk)
    audit.record(
        _action(changed, found),
        by=by,
        customer=customer,
        target=("mailbox", str(found.pk), found.name),
        data={
            "before": {name: before[name] for name in sorted(changed)},
            "after": {name: values[name] for name in sorted(changed)},
        },
    )
    return found


def _judged(wanted: dict[str, str], found: Mailbox) -> dict[str, Any]:
    """By the row that is held: what was kept in an older copy of it may have been changed since.

    Raises what edit_mailbox() does of name and details.
    """
    details = dict(wanted)
    if "name" not in details:
        return clean_details(details, of=found)
    name = unless_kept(details.pop("name"), found.name, clean_name)
    if name != found.name:  # one that was there before the rule may stay
        refuse_taken(name, but=found.pk)
    return {"name": name, **clean_details(details, of=found)}


def _suspension(mailbox: Mailbox, reason: str, by: Actor) -> dict[str, Any]:
    if mailbox.status == Mailbox.Status.SUSPENDED:  # since when and by whom stays as it was
        return {"suspension_reason": reason}
    return {
        "status": Mailbox.Status.SUSPENDED,
        "suspended_at": timezone.now(),
        "suspended_by_email": by.email,
        "suspension_reason": reason,
    }


def _activity() -> dict[str, Any]:
    return {
        "status": Mailbox.Status.ACTIVE,
        "suspended_at": None,
        "suspended_by_email": "",
        "suspension_reason": "",
        "suspension_cause": "",
        "suspension_backup_at": None,
    }


def _action(changed: set[str], mailbox: Mailbox) -> str:
    if "status" not in changed:
        return "mailbox.edited"
    return "mailbox.suspended" if mailbox.status == Mailbox.Status.SUSPENDED else "mailbox.activated"
