"""A mailbox with a ledger of what must be in it, and what has to be true of it when all is over."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection, transaction
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.batch import Batch
from mailboxes.models import Job, MailboxKey, Message, TallyChange
from mailboxes.services import collection
from mailboxes.vault import MessageContext, Sealer
from tenants.models import Customer
from tests.gateway.kit import Clients

PEER = "192.0.2.7"
PAGE = "/accounts/login/"  # which anybody may see
LONG = os.environ.get("GATEHOUSE_LONG") == "1"
# Of installations with services of their own, which the whole suite has no time for.
IN_CORE = pytest.mark.skipif(
    not LONG and "GATEHOUSE_TEST_POSTGRES" not in os.environ, reason="Run by make core and make soak."
)
SECONDS = 600 if LONG else 60  # for anything to happen on a busy machine
SEEDS = 500  # messages of one transaction

Ledger = dict[str, bytes]  # by unique-id, in the order of the maildrop


def short_or_long(short: int, long: int) -> int:
    """The size of a test: for `make test`, and for `make soak`, which takes its time."""
    return long if LONG else short


def until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait until something holds that happens in other processes; fails when it never does."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"it never happened: {what}"
        pause.wait(0.02)


def mails(count: int, octets: int = 300) -> list[bytes]:
    """Messages of which no two are alike."""
    return [
        b"Subject: %d\r\n\r\n.%s\r\n" % (number, os.urandom(octets // 2).hex().encode())
        for number in range(count)
    ]


class Box:
    """A mailbox, its passwords so far, the newest last, and what is in it."""

    def __init__(self, customer: Customer, name: str = "Office 365 Journal") -> None:
        self.customer = customer
        self.mailbox, password = services.create_mailbox(customer, name=name, by=SYSTEM)
        self.passwords = [password.reveal()]
        self.ledger: Ledger = {}
        self.resetting = threading.Lock()

    @property
    def address(self) -> str:
        return str(self.mailbox.address)

    @property
    def password(self) -> str:
        return self.passwords[-1]

    @property
    def folder(self) -> Path:
        return Path(settings.STORE_ROOT) / self.customer.pk.hex / self.mailbox.pk.hex

    # --- What people and programs do ---
    def seed(self, texts: Sequence[bytes]) -> None:
        """Put mail there as deliveries leave it, only with many to a transaction, so that thousands take seconds."""
        with tenant_context(self.customer):
            key = MailboxKey.objects.get(mailbox=self.mailbox.pk, state=MailboxKey.State.CURRENT)
            for start in range(0, len(texts), SEEDS):
                self._seed(key, {uuid4(): text for text in texts[start : start + SEEDS]})

    def _seed(self, key: MailboxKey, texts: dict) -> None:
        batch = Batch(self.customer.pk, self.mailbox.pk)
        rows = []
        for uid, text in texts.items():
            sealer = Sealer(
                bytes(key.public_key), context=MessageContext(self.customer.pk, self.mailbox.pk, uid)
            )
            draft = batch.draft()
            draft.write(sealer.update(text))
            draft.write(sealer.finish())
            batch.finish(draft)
            rows.append(
                Message(uid=uid, mailbox_id=self.mailbox.pk, key=key, octets=len(text), blob=draft.name)
            )
        batch.keep()
        with transaction.atomic():
            Message.objects.bulk_create(rows)
            TallyChange.objects.create(
                mailbox_id=self.mailbox.pk,
                key=key,
                messages=len(texts),
                octets=sum(map(len, texts.values())),
            )
        self.ledger |= {uid.hex: text for uid, text in texts.items()}

    def contents(self, every: int = 1) -> Ledger:
        """What the newest password opens: all of it, or every so manyth message."""
        maildrop = collection.open_maildrop(self.address, self.password, peer=PEER)
        try:
            return {
                maildrop.entries[index].uid: b"".join(maildrop.read(index))
                for index in range(0, len(maildrop.entries), every)
            }
        finally:
            maildrop.release()

    def collected(self, clients: Clients) -> Ledger:
        """All that an archiver gets by POP3 over TLS with the newest password."""
        wire = clients.logged_in(self)
        try:
            assert wire.ask(b"UIDL").startswith(b"+OK")
            uids = [line.split()[1].decode() for line in wire.body().splitlines()]
            found = {}
            for number, uid in enumerate(uids, start=1):
                assert wire.ask(b"RETR %d" % number).startswith(b"+OK")
                found[uid] = wire.body()
            assert wire.ask(b"QUIT").startswith(b"+OK")
            return found
        finally:
            wire.close()

    def opens(self, password: str) -> bool:
        try:
            collection.open_maildrop(self.address, password, peer=PEER).release()
        except errors.BadCredentials:
            return False
        return True

    def reset(self) -> Job:
        """A new password, by way of the current one; the job that this takes."""
        with self.resetting:
            password, job = services.reset_password(
                self.customer, self.mailbox, by=SYSTEM, current_password=self.password
            )
            self.passwords.append(password.reveal())
        assert job, "there is mail to re-encrypt"
        return job

    def delete(self) -> Job:
        services.suspend_mailbox(self.customer, self.mailbox, by=SYSTEM)
        return services.start_deletion(self.customer, self.mailbox, by=SYSTEM)

    # --- Looking ---
    def job(self, job: Job) -> Job:
        """The job as it is now."""
        return services.job_for(SYSTEM, self.customer, job.pk)

    def rows(self) -> dict[str, tuple[int, str]]:
        """Generation and blob of each message."""
        with tenant_context(self.customer):
            found = Message.objects.filter(mailbox=self.mailbox.pk).order_by("pk")
            return {
                uid.hex: (generation, blob)
                for uid, generation, blob in found.values_list("uid", "key__generation", "blob")
            }

    def blobs(self) -> set[str]:
        """The names of all files that this mailbox has in the store."""
        folder = Path(settings.STORE_ROOT) / self.customer.pk.hex / self.mailbox.pk.hex
        return {str(path.relative_to(settings.STORE_ROOT)) for path in folder.rglob("*") if not path.is_dir()}

    def file_of(self, uid: str) -> Path:
        return Path(settings.STORE_ROOT) / self.rows()[uid][1]

    # --- Waiting ---
    def await_done(self, job: Job, at_least: int) -> None:
        until(lambda: self.job(job).done >= at_least, f"{at_least} messages are done")

    def await_state(self, job: Job, state: str, seconds: float = SECONDS) -> Job:
        """The job is in this state, and whoever worked on it has noticed."""
        until(lambda: self.job(job).state == state and not hands_on(job), f"the job is {state}", seconds)
        return self.job(job)


def hands_on(job: Job) -> int:
    """How many database sessions have a place at this job; everybody has left with the last of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND classid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [int.from_bytes(job.pk.bytes[:4])],
        )
        return int(cursor.fetchone()[0])
