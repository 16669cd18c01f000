"""What has to be true of a mailbox when all is over."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import connection
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import Job, KeyLock, KeyTally, Mailbox, MailboxKey, Message, TallyChange
from mailboxes.services import janitor, tallies
from tenants.models import DirectoryEntry, OpenJob
from tests.breaking.kit import Box
from tests.breaking.workers import Bell
from tests.gateway.kit import Clients


def prove_whole(
    box: Box, job: Job, *, total: int | None, killed: bool = False, clients: Clients | None = None
) -> None:
    """All of the ledger is readable with the newest password alone, and nothing of the way there is left.

    `total`: how many messages the job had to do, each once; None when mail was collected meanwhile. `killed`: blobs
    that no row names may have stayed behind, for the janitor.
    """
    found = box.collected(clients) if clients else box.contents()
    assert list(found.items()) == list(box.ledger.items())
    assert not any(box.opens(earlier) for earlier in box.passwords[:-1])
    job = box.job(job)
    assert (job.state, job.error, job.failures) == ("done", "", 0)
    assert (job.done, job.total) == (total or job.done, total or job.done)
    assert not OpenJob.objects.filter(job_id=job.pk).exists()
    newest = len(box.passwords)
    rows = box.rows()
    assert {generation for generation, _ in rows.values()} <= {newest}
    with tenant_context(box.customer):
        keys = MailboxKey.objects.filter(mailbox=box.mailbox.pk)
        assert list(keys.values_list("generation", "state")) == [(newest, "current")]
        locks = KeyLock.objects.filter(key__mailbox=box.mailbox.pk)
        assert list(locks.values_list("kind", flat=True)) == ["password"]
        counted, sealed = tallies.of(box.mailbox.pk), tallies.sealed_to(keys)
    size = len(box.ledger), sum(map(len, box.ledger.values()))
    assert (counted.waiting, counted.waiting_octets) == size == sealed
    assert (counted.locked, counted.damaged) == (0, 0)
    named = {blob for _, blob in rows.values()}
    assert janitor.check_store(box.customer, by=SYSTEM).ok
    if killed:
        let_the_janitor_in(box, box.blobs() - named)
    assert box.blobs() == named


def let_the_janitor_in(box: Box, orphans: set[str]) -> None:
    """The day after, when what nobody names can't be on its way any more."""
    yesterday = time.time() - janitor.SAFE_AGE.total_seconds() - 60
    for name in orphans:
        os.utime(Path(settings.STORE_ROOT) / name, (yesterday, yesterday))
    janitor.tidy(box.customer)


def needles_of(box: Box) -> list[bytes]:
    """Pieces of all keys, locks and sealed messages, long enough to be nobody else's."""
    with tenant_context(box.customer):
        keys = MailboxKey.objects.filter(mailbox=box.mailbox.pk)
        locks = KeyLock.objects.filter(key__in=keys)
        kept = [*keys.values_list("public_key", flat=True), *locks.values_list("data", flat=True)]
    sealed = []
    for blob in box.blobs():
        with suppress(FileNotFoundError):  # re-encrypted in this moment
            sealed.append((Path(settings.STORE_ROOT) / blob).read_bytes())
    return [bytes(octets)[-48:-16] for octets in [*kept, *sealed]]


def prove_gone(box: Box, job: Job, needles: Iterable[bytes], *, messages: int, octets: int) -> None:
    """Mailbox, keys and mail are nowhere any more; job, certificate and the retired address are what is left."""
    assert not any(box.opens(password) for password in box.passwords)
    job = box.job(job)
    assert (job.state, job.error, job.done, job.total) == ("done", "", messages, messages)
    assert not OpenJob.objects.filter(job_id=job.pk).exists()
    entry = DirectoryEntry.objects.get(address=box.address)
    assert (entry.status, bytes(entry.public_key)) == ("retired", b"")
    certificate = services.certificate_of(box.customer, box.mailbox.pk, by=SYSTEM)
    assert certificate.valid
    assert (certificate.facts["messages"], certificate.facts["octets"]) == (messages, octets)
    assert len(certificate.facts["keys"]) == len(box.passwords)
    with tenant_context(box.customer):
        assert not Mailbox.objects.filter(pk=box.mailbox.pk).exists()
        left = (MailboxKey, KeyLock, KeyTally, Message, TallyChange)
        assert [model.__name__ for model in left if model.objects.exists()] == []
    assert not box.folder.exists()
    everything = b"".join([*table_rows(box.customer.schema_name, "public"), Bell().everything()])
    for needle in needles:
        assert needle not in everything
        assert needle.hex().encode() not in everything


def table_rows(*schemas: str) -> Iterator[bytes]:
    """All that the database holds in these schemas, octets in hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY(%s) ORDER BY 1",
            [list(schemas)],
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT kept::text FROM {table} AS kept ORDER BY 1")
            yield from (table.encode() + row.encode() for (row,) in cursor.fetchall())
