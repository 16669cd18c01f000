"""Mail goes out: who has the password reads what waits, in order of arrival, and deletes it at the end."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Exists, QuerySet
from django.utils import timezone
from django_tenants.utils import tenant_context

from mailboxes import errors
from mailboxes.batch import remove_all
from mailboxes.models import MailboxKey, MaildropLock, Message, TallyChange
from mailboxes.services import damage, delivery_log, sign_in_refusals, statuses
from mailboxes.services.delivery_log import Visit
from mailboxes.services.keyring import (
    Keyring,
    earlier_messages,
    hold_keys,
    lock_and_keyring,
    renew_lock,
    spend_the_time,
)
from mailboxes.services.statuses import Act
from mailboxes.store import store
from mailboxes.transactions import on_disk
from mailboxes.vault import (
    LockContext,
    MessageContext,
    MistypedPassword,
    Secret,
    VaultError,
    WrongPassword,
    open_sealed,
    parse_password,
)
from tenants import directory
from tenants.models import Customer

log = logging.getLogger(__name__)

# A session whose process died frees the maildrop after this; living ones renew well before.
LOCK_TIME = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class MaildropEntry:
    """A waiting message as POP3 lists it: unique-id and size in octets."""

    uid: str
    octets: int


def open_maildrop(login: str, password: str | Secret, *, peer: str, network: str = "") -> "Maildrop":
    """Open a mailbox's maildrop for one session; `login` is the address or its part before the @.

    What was told of refusals from this `network` is over then.

    Raises BadCredentials, alike and after the same work for an unknown mailbox and for a wrong password, and without
    work or look-up for one that can be no password; MaildropInUse; vault errors when a lock was altered.
    """
    try:
        secret = parse_password(password.reveal() if isinstance(password, Secret) else password)
    except MistypedPassword:
        raise errors.BadCredentials from None
    entry = directory.look_up_login(login)
    if entry is None or not statuses.allows(entry, Act.COLLECT):
        spend_the_time(secret)
        raise errors.BadCredentials
    with tenant_context(entry.customer):
        try:
            lock, keyring = lock_and_keyring(entry.customer.pk, entry.mailbox_id, secret)
        except WrongPassword:
            raise errors.BadCredentials from None
        session = uuid4()
        with transaction.atomic():
            # Held until the lock is there: a reset or a deletion either comes first, and this password opens nothing
            # any more, or it finds the session and ends it.
            if not hold_keys(keyring):
                raise errors.BadCredentials
            if not _take_lock(entry.mailbox_id, session):
                raise errors.MaildropInUse
            context = LockContext(entry.customer.pk, entry.mailbox_id)
            renew_lock(lock, keyring[lock.key_id], secret, context)
            sign_in_refusals.end(entry.mailbox_id, network)
        damage.take_back_restored(entry.mailbox_id)
        # One that can't be opened is left out: some clients stop there, at each visit.
        readable = Message.objects.filter(mailbox_id=entry.mailbox_id, damaged_at=None)
        waiting = readable.filter(key__in=keyring).order_by("pk")
        entries = tuple(
            MaildropEntry(uid.hex, octets) for uid, octets in waiting.values_list("uid", "octets")
        )
    return Maildrop(entry.customer, entry.mailbox_id, entry.address, session, keyring, entries)


class Maildrop:
    """An open maildrop: a snapshot of what waited, in order of arrival."""

    def __init__(
        self,
        customer: Customer,
        mailbox_id: UUID,
        address: str,
        session: UUID,
        keyring: Keyring,
        entries: tuple[MaildropEntry, ...],
    ) -> None:
        self.customer = customer
        self.mailbox_id = mailbox_id
        self.address = address
        self.entries = entries
        self._session = session
        self._keyring = keyring
        self._collected = False

    @property
    def customer_id(self) -> UUID:
        return self.customer.pk

    def read(self, index: int) -> Iterator[bytes]:
        """The message's octets, piece by piece, each verified before it is given out.

        Raises MaildropLost, MessageGone, StoreFailed, and while reading any VaultError: what came before it is not
        the whole message. A message that can't be opened is marked, and the next session does not list it.
        """
        uid = UUID(self.entries[index].uid)
        key, blob, chunks = self._find(uid)
        context = MessageContext(self.customer.pk, self.mailbox_id, uid)
        also = earlier_messages(key, uid)
        self._collected = True
        # Called by what marks: it reads the header at the call, and a spoilt one is damage as any other.
        opening = partial(open_sealed, chunks, self._keyring[key.pk], context=context, also=also)
        return self._marking(uid, blob, opening)

    def _marking(self, uid: UUID, blob: str, opening: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        try:
            yield from opening()
        except VaultError as error:
            with tenant_context(self.customer):
                damage.mark(uid, blob, type(error).__name__)
            raise

    def _find(self, uid: UUID) -> tuple[MailboxKey, str, Iterator[bytes]]:
        """Its key, where the message lies now, and what lies there. Raises MaildropLost, MessageGone, StoreFailed."""
        looked_at = None
        while True:
            with tenant_context(self.customer):
                # A reset or a deletion ends the session: from that moment the password that opened it reads nothing.
                waiting = Message.objects.filter(uid=uid).annotate(ours=Exists(self._lock()))
                found = waiting.select_related("key").only("blob", "key__sealed_as").first()
            if found is None:
                raise errors.MessageGone
            key, blob = found.key, found.blob
            if not found.ours:
                raise errors.MaildropLost
            if key.pk not in self._keyring:
                raise errors.MessageGone
            if blob == looked_at:
                with tenant_context(self.customer):
                    damage.refuse_an_empty_store(self.customer)
                    damage.mark(uid, blob, "missing")
                raise errors.MessageGone
            try:
                return key, blob, store().chunks(blob)
            except errors.MessageGone:
                looked_at = blob  # unless re-encryption has put it elsewhere a moment ago, it is really gone

    def renew(self) -> None:
        """Keep the maildrop for another LOCK_TIME. Raises MaildropLost."""
        with tenant_context(self.customer):
            if not self._lock().update(expires_at=timezone.now() + LOCK_TIME):
                raise errors.MaildropLost

    def commit(self, deleted: Iterable[int], *, visit: Visit | None = None) -> None:
        """The UPDATE state of RFC 1939 section 6: delete these messages for good and leave. With a `visit` the delivery log has a
        line of it. Raises MaildropLost: nothing is deleted.
        """
        uids = [UUID(self.entries[index].uid) for index in deleted]
        with tenant_context(self.customer):
            blobs = self._delete(uids, visit)
        try:
            remove_all(blobs)
        except errors.StoreFailed:
            log.exception("blobs of collected messages stay behind mailbox=%s", self.address)
        self._forget()

    @on_disk()
    def _delete(self, uids: list[UUID], visit: Visit | None) -> list[str]:
        released, _ = self._lock().delete()
        if not released:
            raise errors.MaildropLost
        waiting = Message.objects.filter(mailbox_id=self.mailbox_id, uid__in=uids).select_for_update()
        gone = list(waiting.values_list("pk", "key_id", "octets", "blob"))
        Message.objects.filter(pk__in=[pk for pk, *_ in gone]).delete()
        by_key: dict[int, list[int]] = {}
        for _, key_id, octets, _ in gone:
            by_key.setdefault(key_id, []).append(octets)
        now = timezone.now()
        for key_id, sizes in by_key.items():
            TallyChange.objects.create(
                mailbox_id=self.mailbox_id, key_id=key_id, messages=-len(sizes), octets=-sum(sizes), at=now
            )
        if gone or self._collected:
            TallyChange.objects.create(mailbox_id=self.mailbox_id, collection_at=now, at=now)
        if visit:
            delivery_log.ended(self.mailbox_id, visit)
        return [blob for *_, blob in gone]

    def release(self, *, visit: Visit | None = None) -> None:
        """Leave without deleting anything. May be called more than once, and is told of with a `visit`."""
        with tenant_context(self.customer):
            self._lock().delete()
            if visit:
                delivery_log.ended(self.mailbox_id, visit)
        self._forget()

    def _lock(self) -> "QuerySet[MaildropLock]":
        return MaildropLock.objects.filter(pk=self.mailbox_id, session=self._session)

    def _forget(self) -> None:
        self._keyring = {}


def _take_lock(mailbox_id: UUID, session: UUID) -> bool:
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mailboxes_maildroplock AS lock (mailbox_id, session, expires_at) VALUES (%s, %s, %s)"
            " ON CONFLICT (mailbox_id) DO UPDATE"
            " SET session = excluded.session, expires_at = excluded.expires_at WHERE lock.expires_at < %s",
            [mailbox_id, session, now + LOCK_TIME, now],
        )
        return cursor.rowcount == 1
