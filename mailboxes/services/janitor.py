"""The janitor: which messages lack their blob, and which blobs belong to no message. Tells of both, removes the latter.

It works beside deliveries, collections and jobs and waits for none of them, because of these rules of theirs:

- A row gets its blob's name only after the blob lies there whole, at once, and no name is ever used twice. So a file
  that no row names after SAFE_AGE will never be named by one.
- A blob goes only after its row is gone or names another one; in mailboxes that are being deleted, and under keys
  that were destroyed, it goes first. So who sees that a blob is missing and reads the row *afterwards* finds out
  whether it should be there.
"""

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Cast, Concat, Replace
from django_tenants.utils import schema_context, tenant_context

from accounts.actors import Actor
from mailboxes.holding import removal_is_held
from mailboxes.models import Mailbox, MailboxKey, Message
from mailboxes.services import damage, statuses
from mailboxes.services.statuses import Act
from mailboxes.store import SHARDS, Blob, store
from mailboxes.vault import sealed_size
from tenants import access
from tenants.models import Customer

log = logging.getLogger(__name__)

T = TypeVar("T")

# Deliveries commit at once when their blob is whole, slices of a job within seconds. The rest is for clocks of file
# servers that are off, and for somebody who wants to look at what a crash left behind.
SAFE_AGE = timedelta(hours=24)
FOLDER = re.compile(r"[0-9a-f]{32}")  # of a customer, and of a mailbox within
FEW = 20_000  # rows that are read at once; mailboxes with more are looked at shard by shard
BATCH = 1000  # names or rows of one query
UNIT_SECONDS = 30.0  # far below a task's time limit: one more shard may follow, on a slow disk


@dataclass(frozen=True, slots=True)
class MissingBlob:
    """A message whose blob is not there."""

    mailbox_address: str
    uid: UUID
    blob: str


@dataclass(frozen=True, slots=True)
class WrongSize:
    """A message whose blob is cut, or longer than it should be."""

    mailbox_address: str
    uid: UUID
    blob: str
    octets: int
    expected: int


@dataclass(frozen=True, slots=True)
class AlteredBlob:
    """A message whose blob has the right size, and could not be opened by who wanted to read it."""

    mailbox_address: str
    uid: UUID
    blob: str


@dataclass(frozen=True, slots=True)
class OrphanBlob:
    """A file of the store that no message names."""

    name: str
    age_seconds: int
    octets: int

    @property
    def is_old(self) -> bool:
        """Whether it can't belong to a delivery or a job on its way any more."""
        return self.age_seconds > SAFE_AGE.total_seconds()


@dataclass(frozen=True, slots=True)
class NobodysFolder:
    """What lies in the store below an id that no customer has: of one that was given up, or of a restore that was broken
    off, or is under way. It opens to nobody.
    """

    folder: str
    files: int
    octets: int
    newest_age_seconds: int


@dataclass
class StoreReport:
    """What a customer's rows and blobs say of each other. `young` counts files that may be about to get their row."""

    customer: str
    messages: int = 0
    blobs: int = 0
    young: int = 0
    missing: list[MissingBlob] = field(default_factory=list)
    wrong_size: list[WrongSize] = field(default_factory=list)
    altered: list[AlteredBlob] = field(default_factory=list)
    orphans: list[OrphanBlob] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.unreadable

    @property
    def unreadable(self) -> int:
        """How many messages can't be read."""
        return len(self.missing) + len(self.wrong_size) + len(self.altered)


@dataclass
class Tidied:
    """What was found and done. With `next_shard` set there was no time for the rest, which begins there."""

    orphans: int = 0
    octets: int = 0
    missing: int = 0
    wrong_size: int = 0
    restored: int = 0
    next_shard: int | None = None

    def __add__(self, later: "Tidied") -> "Tidied":
        return Tidied(
            self.orphans + later.orphans,
            self.octets + later.octets,
            self.missing + later.missing,
            self.wrong_size + later.wrong_size,
            self.restored + later.restored,
            later.next_shard,
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """A message, as far as its blob is concerned."""

    pk: int
    uid: UUID
    mailbox_id: UUID
    octets: int
    blob: str
    damaged_at: datetime | None
    damage: str

    @property
    def size(self) -> int:
        return sealed_size(self.octets)


@dataclass(slots=True)
class _Findings:
    """What one shard of a mailbox holds."""

    messages: int = 0
    blobs: int = 0
    missing: dict[int, MissingBlob] = field(default_factory=dict)  # by the row's primary key
    wrong_size: dict[int, WrongSize] = field(default_factory=dict)
    altered: list[AlteredBlob] = field(default_factory=list)
    restored: list[_Row] = field(default_factory=list)
    loose: list[OrphanBlob] = field(default_factory=list)


def check_store(customer: Customer, *, by: Actor) -> StoreReport:
    """Compare all rows and blobs of a customer; changes nothing.

    Raises tenants.errors.NotAllowed, and StoreFailed when the store can't be read.
    """
    access.require(by, access.PLATFORM, access.Right.CHECK_STORE)
    report = StoreReport(customer.slug)
    with tenant_context(customer):
        for folder in mailbox_folders(customer):
            for _, found in _shards(customer, folder):
                _tell(report, found)
        _tell(report, _judge(_strays(customer)))
    return report


def nobodys_folders(*, by: Actor) -> list[NobodysFolder]:
    """All of them. They are removed by hand: whose database is not the one that belongs to this store would lose all mail.

    Raises tenants.errors.NotAllowed, StoreFailed.
    """
    access.require(by, access.PLATFORM, access.Right.CHECK_STORE)
    found = []
    for folder in _folders_of_nobody():
        if files := list(_blobs_in(folder)):
            age = int(max(0, time.time() - max(blob.written_at for blob in files)))
            found.append(NobodysFolder(folder, len(files), sum(blob.octets for blob in files), age))
    return found


def tell_of_nobodys_folders() -> None:
    """In the log, for whoever looks. Raises StoreFailed."""
    if folders := [folder for folder in _folders_of_nobody() if any(_blobs_in(folder))]:
        log.warning(
            "folders of no customer in the message store folders=%d first=%s", len(folders), folders[0]
        )


def _folders_of_nobody() -> list[str]:
    # In this order: a customer that appears meanwhile has its row by now.
    folders = [name for name in store().folders() if FOLDER.fullmatch(name)]
    with schema_context("public"):
        known = {pk.hex for pk in Customer.objects.values_list("pk", flat=True)}
    return [folder for folder in folders if folder not in known]


def _blobs_in(folder: str) -> Iterator[Blob]:
    """Of all mailboxes of a customer's folder, which may be empty."""
    for mailbox in store().folders(folder):
        for _, blobs in store().shards(f"{folder}/{mailbox}"):
            yield from blobs.values()


def mailbox_folders(customer: Customer) -> list[str]:
    """The mailboxes, in hexadecimal, that have a row or a folder in the store. Raises StoreFailed."""
    with tenant_context(customer):
        existing = {mailbox_id.hex for mailbox_id in Mailbox.objects.values_list("pk", flat=True)}
    kept = {name for name in store().folders(customer.pk.hex) if FOLDER.fullmatch(name)}
    return sorted(existing | kept)


def tidy(customer: Customer) -> Tidied:
    """Tidy up after all mailboxes of a customer, those that are gone too. As `tidy_mailbox`, in one go."""
    done = Tidied()
    for folder in mailbox_folders(customer):
        shard: int | None = 0
        while shard is not None:
            step = tidy_mailbox(customer, folder, first_shard=shard)
            done, shard = done + step, step.next_shard
    return done


def tidy_mailbox(
    customer: Customer, mailbox_hex: str, *, first_shard: int = 0, seconds: float = UNIT_SECONDS
) -> Tidied:
    """Remove what nobody needs of one mailbox, and mark the messages whose blob is missing or of the wrong size.

    Stops after about so many seconds; `next_shard` of the result tells where to go on. A mark is taken back when the
    whole blob lies there again and was put there after the mark: a message is also marked when its blob was altered,
    and that one has the right size all the time. Raises StoreFailed.
    """
    mailbox_id = UUID(mailbox_hex)
    done, deadline = Tidied(), time.monotonic() + seconds
    with tenant_context(customer):
        damage.refuse_an_empty_store(customer)
        for number, found in _shards(customer, mailbox_id.hex, first_shard):
            done += _clean(found)
            if time.monotonic() >= deadline and number + 1 < len(SHARDS):
                done.next_shard = number + 1
                break
        else:
            if not Mailbox.objects.filter(pk=mailbox_id).exists():
                store().remove_empty_folders(f"{customer.pk.hex}/{mailbox_id.hex}")
    if done.missing or done.wrong_size:
        log.error(
            "messages can't be read mailbox_id=%s missing=%d wrong_size=%d",
            mailbox_id,
            done.missing,
            done.wrong_size,
        )
    if done.orphans:
        log.info("orphans removed mailbox_id=%s files=%d octets=%d", mailbox_id, done.orphans, done.octets)
    return done


# --- Looking ---
def _shards(customer: Customer, mailbox_hex: str, first: int = 0) -> Iterator[tuple[int, _Findings]]:
    """The findings of each shard of a mailbox that holds anything; memory is bounded by FEW rows or a shard's."""
    folder = f"{customer.pk.hex}/{mailbox_hex}"
    first_rows = _rows(Message.objects.filter(blob__startswith=f"{folder}/")[: FEW + 1])
    are_few = len(first_rows) <= FEW
    by_shard: dict[str, list[_Row]] = {}
    for row in first_rows if are_few else ():
        by_shard.setdefault(row.blob[: len(f"{folder}/xx/")], []).append(row)
    for number, blobs in store().shards(folder, first):
        shard = f"{folder}/{SHARDS[number]}/"
        rows = by_shard.get(shard, []) if are_few else _rows(Message.objects.filter(blob__startswith=shard))
        if rows or blobs:
            # Others than this mailbox's are strays, wherever their blobs lie.
            found = _judge((row for row in rows if row.mailbox_id.hex == mailbox_hex), blobs)
            found.blobs = len(blobs)
            found.loose = _loose(blobs, {row.blob for row in rows})
            yield number, found


def _rows(messages: "QuerySet[Message]") -> list[_Row]:
    fields = ("pk", "uid", "mailbox_id", "octets", "blob", "damaged_at", "damage")
    return [_Row(*values) for values in messages.values_list(*fields)]


def _strays(customer: Customer) -> list[_Row]:
    """Messages whose blob's name no service has given them, so that no shard's look finds them."""
    mailbox = Replace(Cast("mailbox_id", CharField()), Value("-"), Value(""))
    own_folder = Concat(Value(f"{customer.pk.hex}/"), mailbox, Value("/"))
    well_named = {"blob__startswith": own_folder, "blob__regex": "^[^/]+/[^/]+/[0-9a-f]{2}/[^/]+$"}
    return _rows(Message.objects.exclude(**well_named))


def _judge(rows: Iterable[_Row], listed: Mapping[str, Blob] | None = None) -> _Findings:
    """Which of these messages have no blob, one of another size, or one that a reader found altered.

    `listed` are blobs that were just seen; whichever is not among them, or is wrong, is looked at by itself.
    """
    found = _Findings()
    suspects: dict[int, tuple[_Row, int | None]] = {}
    for row in rows:
        found.messages += 1
        file = (listed or {}).get(row.blob)
        if file is None or file.octets != row.size:
            file = store().look_at(row.blob)
        if file is None or file.octets != row.size:
            suspects[row.pk] = row, file and file.octets
        elif row.damaged_at and damage.is_restored(file, row.octets, row.damaged_at, row.damage):
            found.restored.append(row)
        elif row.damaged_at:
            suspects[row.pk] = row, file.octets
    # In this order: was a blob removed because its row went, the row is seen to be gone by now.
    for pk, blob, address in _wanted(suspects):
        row, size = suspects[pk]
        if blob != row.blob:
            continue  # re-encrypted meanwhile
        if size is None:
            found.missing[pk] = MissingBlob(address, row.uid, blob)
        elif size != row.size:
            found.wrong_size[pk] = WrongSize(address, row.uid, blob, size, row.size)
        else:
            found.altered.append(AlteredBlob(address, row.uid, blob))
    return found


def _wanted(pks: Iterable[int]) -> Iterator[tuple[int, str, str]]:
    """Row, blob and address of those messages that somebody still wants to read."""
    collectable = statuses.that_allow(Act.COLLECT)
    for some in _batches(pks):
        wanted = Message.objects.filter(pk__in=some, mailbox__status__in=collectable)
        wanted = wanted.exclude(key__state=MailboxKey.State.DESTROYED)
        yield from wanted.order_by("pk").values_list("pk", "blob", "mailbox__address")


def _loose(names: Iterable[str], known: set[str]) -> list[OrphanBlob]:
    """Which of these files no message names, at this moment and not only at the first look."""
    orphans = []
    for some in _batches(name for name in names if name not in known):
        named = set(Message.objects.filter(blob__in=some).values_list("blob", flat=True))
        for name in some:
            # Looked at last: what somebody was about to remove along with its row is gone by now, as a rule.
            if name not in named and (file := store().look_at(name)):
                age = int(max(0, time.time() - file.written_at))
                orphans.append(OrphanBlob(name, age, file.octets))
    return orphans


def _batches(things: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(things)
    while some := list(islice(rest, BATCH)):
        yield some


def _tell(report: StoreReport, found: _Findings) -> None:
    report.messages += found.messages
    report.blobs += found.blobs
    report.missing += found.missing.values()
    report.wrong_size += found.wrong_size.values()
    report.altered += found.altered
    report.orphans += [orphan for orphan in found.loose if orphan.is_old]
    report.young += sum(not orphan.is_old for orphan in found.loose)


# --- Tidying ---
def _clean(found: _Findings) -> Tidied:
    for missing in found.missing.values():
        damage.mark(missing.uid, missing.blob, "missing")
    for wrong in found.wrong_size.values():
        damage.mark(wrong.uid, wrong.blob, f"{wrong.octets} octets, not {wrong.expected}")
    restored = [
        damage.take_back(row.uid, row.blob, row.damaged_at) for row in found.restored if row.damaged_at
    ]
    removed = [orphan.octets for orphan in found.loose if orphan.is_old and _remove(orphan.name)]
    return Tidied(
        len(removed), sum(removed), len(found.missing), len(found.wrong_size), restored=sum(restored)
    )


def _remove(name: str) -> bool:
    """Remove an old orphan, unless a message names it after all. Raises StoreFailed.

    The last look is by the exact name and sees all that is committed, as no transaction is open. Nobody can give
    the name to a row between that look and the removal: who names a blob does it right after writing it, and this
    one was written before SAFE_AGE. (A draft that is still open after that long can't be put in place any more,
    and its sender is told to try again.)
    """
    if Message.objects.filter(blob=name).exists() or removal_is_held():
        return False
    store().remove(name)
    return True
