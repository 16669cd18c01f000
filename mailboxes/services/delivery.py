"""Mail comes in: sealed, flushed to stable storage and committed, in this order; only then did it arrive."""

import ipaddress
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from uuid import UUID, uuid4

from django.db import DatabaseError
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.peers import canonical
from mailboxes import errors
from mailboxes.models import Message, TallyChange
from mailboxes.services import delivery_log, statuses, tallies
from mailboxes.services.delivery_log import Visit
from mailboxes.services.keyring import hold_current
from mailboxes.services.statuses import Act
from mailboxes.store import BlobStore, Draft, store
from mailboxes.transactions import on_disk
from mailboxes.vault import MessageContext, Sealer
from tenants import directory
from tenants.models import Customer, DirectoryEntry

log = logging.getLogger(__name__)

Trace = Callable[["Recipient"], bytes]


class Recipient:
    """A mailbox that takes this mail, and the public key that it is sealed to."""

    def __init__(self, entry: DirectoryEntry) -> None:
        self.address: str = entry.address
        self.customer: Customer = entry.customer
        self.mailbox_id: UUID = entry.mailbox_id
        self.message_limit: int | None = entry.customer.message_limit_octets
        self.public_key = bytes(entry.public_key)
        self.generation: int = entry.generation

    @property
    def customer_id(self) -> UUID:
        return self.customer.pk


def resolve(address: str, *, peer: str, octets: int = 0) -> Recipient:
    """Who this address is, if it takes mail from `peer` (an IP address) now; `octets` as far as they are announced.

    Raises UnknownAddress, MailboxDeleting, MailboxSuspended, CustomerSuspended, NetworkNotAllowed, MessageTooLarge,
    MailboxFull, CustomerFull.
    """
    entry = directory.look_up(address)
    if entry is None:
        raise errors.UnknownAddress
    if statuses.is_over(entry):
        statuses.require(entry, Act.TAKE_MAIL)
    if not _is_allowed(peer, entry.customer.allowed_networks):
        raise errors.NetworkNotAllowed
    _check_size(octets, entry.customer.message_limit_octets)
    _check_room(entry, octets)
    return Recipient(entry)


def begin(recipients: Sequence[Recipient], *, trace: Trace, visit: Visit | None = None) -> "Delivery":
    """Begin one message to some mailboxes. `trace` gives the octets on top of each copy; with a `visit` the delivery logs have a
    line of it. Raises StoreFull, StoreFailed.
    """
    delivery = Delivery(visit)
    try:
        for recipient in recipients:
            delivery.add(recipient, trace(recipient))
    except BaseException:
        delivery.abort()
        raise
    return delivery


def deliver(
    recipients: Sequence[Recipient],
    content: Iterable[bytes],
    *,
    trace: Trace = lambda recipient: b"",
    visit: Visit | None = None,
) -> None:
    """Deliver one message. When this returns it is kept. When it raises, the sender has it still, and with several customers
    some may have it already: better twice than never.
    """
    delivery = begin(recipients, trace=trace, visit=visit)
    try:
        for piece in content:
            delivery.write(piece)
        delivery.commit()
    except BaseException:
        delivery.abort()
        raise


class Delivery:
    """One message on its way into the store, a sealed copy for each recipient. Memory stays flat."""

    def __init__(self, visit: Visit | None = None) -> None:
        self._store = store()
        self._copies: list[_Copy] = []
        self._visit = visit
        self.refused_by = ""  # the recipient for whose sake nobody gets it, once `commit` has raised
        self._octets = 0  # of the message as it was sent, without what each copy has on top
        self._most: int | None = None  # what the customer takes who takes least

    def add(self, recipient: Recipient, top: bytes) -> None:
        limit = recipient.message_limit
        if limit is not None:
            self._most = limit if self._most is None else min(limit, self._most)
        self._copies.append(_Copy(self._store, recipient))
        self._copies[-1].write(top)

    def write(self, data: bytes) -> None:
        """More of the message, in pieces of any size. Raises MessageTooLarge, StoreFull, StoreFailed."""
        self._octets += len(data)
        _check_size(self._octets, self._most)
        for copy in self._copies:
            copy.write(data)

    def commit(self) -> None:
        """Make it durable: all blobs first, then the rows, one transaction for each customer.

        Asks again whether every recipient takes this mail, now that its size is known; if one doesn't, nobody gets it,
        and the sender learns at its next attempt who that is. What changes after that question fails the transaction of
        its own customer only. Deliveries don't wait for each other: those that are
        committed at the same moment may exceed a limit together, by one message for each thread of the gateway.

        Raises MailboxSuspended, CustomerSuspended, MailboxFull, CustomerFull, StoreFull, StoreFailed, KeyChanged,
        UnknownAddress, django.db.Error.
        """
        beside: Counter[UUID] = Counter()  # octets of this message's copies for the same customer
        for copy in self._copies:
            self.refused_by = copy.recipient.address
            copy.check_room(beside[copy.recipient.customer_id])
            beside[copy.recipient.customer_id] += copy.octets
        self.refused_by = ""
        for copy in self._copies:
            copy.keep()

        def customer(copy: _Copy) -> UUID:
            return copy.recipient.customer_id

        for _, copies in groupby(sorted(self._copies, key=customer), key=customer):
            _insert(list(copies), self._visit)

    def abort(self) -> None:
        """Leave nothing of what was not committed. May be called at any time, more than once."""
        for copy in self._copies:
            copy.discard()


class _Copy:
    """One recipient's copy: what is written to it is sealed and goes to its draft."""

    def __init__(self, blobs: BlobStore, recipient: Recipient) -> None:
        self.recipient = recipient
        self.uid = uuid4()
        self.blob = blobs.new_name(recipient.customer_id, recipient.mailbox_id)
        self.octets = 0
        self.may_be_committed = False
        self._draft: Draft = blobs.draft(self.blob)
        context = MessageContext(recipient.customer_id, recipient.mailbox_id, self.uid)
        self._sealer = Sealer(recipient.public_key, context=context)

    def write(self, data: bytes) -> None:
        self.octets += len(data)
        if sealed := self._sealer.update(data):
            self._draft.write(sealed)

    def check_room(self, beside: int) -> None:
        entry = directory.look_up(self.recipient.address)
        if entry is not None:  # else it has no key any more, which is noticed when the row goes in
            _check_room(entry, self.octets, beside)

    def keep(self) -> None:
        self._draft.write(self._sealer.finish())
        self._draft.keep()

    def discard(self) -> None:
        # A COMMIT whose answer was lost may have succeeded: better a blob without a row than a row without its blob.
        if not self.may_be_committed:
            with suppress(errors.MailboxError):
                self._draft.discard()


def _insert(copies: "list[_Copy]", visit: Visit | None) -> None:
    with tenant_context(copies[0].recipient.customer), on_disk():
        for copy in copies:
            mailbox_id = copy.recipient.mailbox_id
            key_id = hold_current(mailbox_id, copy.recipient.generation)
            Message.objects.create(
                uid=copy.uid,
                mailbox_id=mailbox_id,
                key_id=key_id,
                octets=copy.octets,
                blob=copy.blob,
            )
            if visit:
                delivery_log.arrived(mailbox_id, key_id, copy.octets, visit)
                continue
            now = timezone.now()
            TallyChange.objects.create(
                mailbox_id=mailbox_id, key_id=key_id, messages=1, octets=copy.octets, mail_at=now, at=now
            )
        for copy in copies:
            copy.may_be_committed = True


def _check_size(octets: int, limit: int | None) -> None:
    """Raises MessageTooLarge."""
    if limit is not None and octets > limit:
        raise errors.MessageTooLarge


def _check_room(entry: DirectoryEntry, octets: int, beside: int = 0) -> None:
    """Raises CustomerSuspended, MailboxSuspended, and MailboxFull or CustomerFull when so many octets (or one), and those that
    come `beside` them for the same customer, are more than the limits leave.
    """
    if entry.customer.is_suspended:
        raise errors.CustomerSuspended(name=entry.address)
    refusal = statuses.refusal(entry, Act.TAKE_MAIL)
    # One whose deletion has begun meanwhile has no key any more, which is noticed when the row goes in: a 550 now would
    # be one for all recipients of this text.
    if isinstance(refusal, errors.MailboxSuspended):
        _count_put_off(entry)
        raise refusal
    tallies.put_off.forget(entry.mailbox_id)
    _check_limits(entry, max(octets, 1), beside)


def _check_limits(entry: DirectoryEntry, octets: int, beside: int) -> None:
    """One question for both limits, and none where there is no limit."""
    quota, together = entry.customer.mailbox_quota_octets, entry.customer.waiting_quota_octets
    if quota is None and together is None:
        return
    with tenant_context(entry.customer):
        if together is None:
            here, all_of_them = tallies.waiting(entry.mailbox_id).octets, 0
        else:
            here, all_of_them, _messages = tallies.waiting_at_customer(entry.mailbox_id)
    if quota is not None and here + octets > quota:
        raise errors.MailboxFull
    if together is not None and all_of_them + beside + octets > together:
        raise errors.CustomerFull


def _count_put_off(entry: DirectoryEntry) -> None:
    """Who suspended the mailbox should see what that keeps away. The answer does not wait for it to succeed."""
    try:
        with tenant_context(entry.customer):
            tallies.count_put_off(entry.mailbox_id)
    except DatabaseError:
        log.exception("a refused delivery was not counted mailbox=%s", entry.address)


def _is_allowed(peer: str, networks: Sequence[str]) -> bool:
    if not networks:
        return True
    address = ipaddress.ip_address(canonical(peer))
    return any(address in ipaddress.ip_network(network, strict=False) for network in networks)
