"""Creating a mailbox in two steps, without keeping a secret in between (docs/architecture.md)."""

import secrets
import string
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes import errors
from mailboxes.models import KeyLock, Mailbox, MailboxKey, Tally
from mailboxes.services import offers
from mailboxes.services.limits import require_room
from mailboxes.services.naming import (
    NAME_CONSTRAINTS,
    canonical_name,
    clean_details,
    clean_name,
    refuse_taken,
)
from mailboxes.vault import (
    LockContext,
    Secret,
    generate_key_pair,
    lock_with_password,
    new_password,
)
from tenants import access, audit, directory
from tenants.figures import keeping
from tenants.models import Customer

SALT = "gatehouse.mailbox-offer"
ADDRESS_ALPHABET = string.ascii_lowercase + string.digits
ADDRESS_LETTERS = 16  # 82 bits: nobody guesses an address, and no two are drawn alike


@dataclass(frozen=True)
class Offer:
    """Step 1: the password, to be shown once, and the signed token that step 2 brings back. Stored nowhere."""

    password: Secret
    token: str
    address: str


@dataclass(frozen=True)
class _NewKey:
    mailbox_id: UUID
    address: str
    public_key: bytes
    lock: bytes


def offer(customer: Customer, *, by: Actor, name: str, **details: str) -> Offer:
    """Make password, key pair and address for a mailbox that does not exist yet. `details`: Mailbox.DETAILS.

    Raises NotAllowed, InvalidName, TooManyMarks, InvalidDescription, TooManyMailboxes, NameTaken.
    """
    access.require(by, customer, access.Right.CREATE_MAILBOX)
    name, details = clean_name(name), clean_details(details)
    require_room(customer)
    with tenant_context(customer):
        refuse_taken(name)
    password, key = _new_key(customer)
    token = offers.sign(
        SALT,
        customer,
        by,
        mailbox=str(key.mailbox_id),
        address=key.address,
        public_key=offers.to_text(key.public_key),
        lock=offers.to_text(key.lock),
    )
    return Offer(password, token, key.address)


def accept(
    customer: Customer,
    token: str,
    *,
    by: Actor,
    name: str,
    understood: bool,
    **details: str,
) -> Mailbox:
    """Step 2: create the mailbox of an offer, once.

    Raises NotAllowed, OfferExpired, OfferAltered, AlreadyCreated, NotUnderstood, InvalidName, TooManyMarks,
    InvalidDescription, TooManyMailboxes, NameTaken; after any of these nothing has changed, and the last six leave the
    offer good for another try.
    """
    access.require(by, customer, access.Right.CREATE_MAILBOX)
    key = _key_of(token, customer, by)
    # The directory remembers addresses for ever: an offer can't bring a deleted mailbox back.
    if directory.look_up(key.address):
        raise errors.AlreadyCreated(key.mailbox_id)
    if not understood:
        raise errors.NotUnderstood
    return _create(customer, key, clean_name(name), clean_details(details), by=by)


def create_mailbox(customer: Customer, *, by: Actor, name: str, **details: str) -> tuple[Mailbox, Secret]:
    """Create a mailbox in one step, for commands. Raises what offer() raises."""
    access.require(by, customer, access.Right.CREATE_MAILBOX)
    name, details = clean_name(name), clean_details(details)
    password, key = _new_key(customer)
    return _create(customer, key, name, details, by=by), password


def _create(customer: Customer, key: _NewKey, name: str, details: dict[str, str], *, by: Actor) -> Mailbox:
    with tenant_context(customer):
        refuse_taken(name)
        try:
            return _insert(customer, key, name, details, by=by)
        except IntegrityError as error:
            # Somebody was quicker, by the same offer or with the same name; the constraint says which.
            constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", "")
            if constraint in NAME_CONSTRAINTS:
                raise errors.NameTaken(name=name) from None
            if constraint == "mailboxes_mailbox_pkey":
                raise errors.AlreadyCreated(key.mailbox_id) from None
            raise


@transaction.atomic(durable=True)
def _insert(customer: Customer, key: _NewKey, name: str, details: dict[str, str], *, by: Actor) -> Mailbox:
    require_room(customer, held=True)
    mailbox = Mailbox.objects.create(
        id=key.mailbox_id,
        name=name,
        canonical_name=canonical_name(name),
        **details,
        address=key.address,
        created_by_email=by.email,
    )
    # Once more, for they may have waited for somebody with the same name or offer.
    access.require(by, customer, access.Right.CREATE_MAILBOX)
    Tally.objects.create(mailbox=mailbox)
    generation = MailboxKey.objects.create(mailbox=mailbox, generation=1, public_key=key.public_key)
    KeyLock.objects.create(key=generation, kind=KeyLock.Kind.PASSWORD, data=key.lock)
    directory.publish(
        address=mailbox.address,
        customer=customer,
        mailbox_id=mailbox.pk,
        status=mailbox.status,
        public_key=key.public_key,
        generation=generation.generation,
        name=mailbox.name,
        description=mailbox.description,
    )
    keeping.begin(customer, mailbox.pk)
    audit.record(
        "mailbox.created",
        by=by,
        customer=customer,
        target=("mailbox", str(mailbox.pk), mailbox.name),
        data={"address": mailbox.address},
    )
    return mailbox


def _new_key(customer: Customer) -> tuple[Secret, _NewKey]:
    mailbox_id = uuid4()
    password, pair = new_password(), generate_key_pair()
    lock = lock_with_password(pair.private, password, context=LockContext(customer.pk, mailbox_id))
    return password, _NewKey(mailbox_id, new_address(), pair.public, lock)


def new_address() -> str:
    """One that nobody has or guesses."""
    letters = "".join(secrets.choice(ADDRESS_ALPHABET) for _ in range(ADDRESS_LETTERS))
    return f"mbx-{letters}@{settings.MAIL_DOMAIN}"


def _key_of(token: str, customer: Customer, by: Actor) -> _NewKey:
    offered = offers.read(SALT, token, customer, by)
    return _NewKey(
        UUID(offered["mailbox"]),
        offered["address"],
        offers.to_octets(offered["public_key"]),
        offers.to_octets(offered["lock"]),
    )
