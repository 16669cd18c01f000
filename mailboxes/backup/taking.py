"""A backup is taken while everything works.

1. Messages that wait are copied, without holding anybody up.
2. From here on no blob is removed (`mailboxes.holding`) and no upgrade begins, until the end of 4.
3. The database is dumped: many dumps of one snapshot, since one that locks the tables of all customers runs out of locks.
4. The messages that this snapshot names and that are not there yet are copied; few, after 1. Where a table was written
   anew meanwhile (`unseen`), it is no backup.
5. All that was written is read back. The manifest comes last: without it there is no backup.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from psycopg import sql
from psycopg.errors import LockNotAvailable

from accounts.actors import Actor
from mailboxes.backup import examining, judging, keys, relations, tools, unseen
from mailboxes.backup.alone import Progress, Tell, be_alone, installations, telling
from mailboxes.backup.errors import BackupDamaged, BackupFailed, NoPlace
from mailboxes.backup.index import NAME, Line, Lines, lines_of
from mailboxes.backup.place import MANIFEST, OF_BACKUPS, ONE_CUSTOMER, S3, SETS, WHOLE, Place, digest_of
from mailboxes.backup.sets import (
    BATCH,
    CONTENTS,
    EARLY,
    HANDS,
    INDEX,
    PUBLIC_DUMP,
    index_of,
    name_after,
    thin_out,
)
from mailboxes.errors import MessageGone, StoreFailed
from mailboxes.holding import HOLD_LOCK
from mailboxes.store import BlobStore, overlap, store
from mailboxes.transactions import on_disk
from mailboxes.vault import sealed_size
from tenants import access, audit, cluster, last_backup, pooling, schemas, whose
from tenants.away import is_away
from tenants.models import Customer
from tenants.services import LIMITS
from tenants.upgrading import UPGRADE_LOCK
from tenants.upgrading.schemas import PUBLIC

log = logging.getLogger(__name__)

# Removers hold their end for as long as one question or one batch takes; an upgrade with nothing to do is over in a moment.
HOLD_WAIT = "60s"
# Each dump reads the whole catalog, which takes seconds where there are thousands of customers, so they are as large as the
# server's table of locks lets them be; but each waits in TMPDIR on its way to a bucket.
SCHEMAS_PER_DUMP = 1000
ROWS = 5000
# Before an upgrade a database lacks what is decided about customers since: a name that the inner table does not have is the
# outer one's.
CUSTOMERS = """
SELECT customer.id, customer.slug, customer.name, customer.schema_name, provider.slug, customer.language,
    customer.time_zone, customer."group", customer.mailbox_limit, customer.waiting_quota_octets,
    customer.mailbox_quota_octets, customer.message_limit_octets
FROM (VALUES ('', '', '', NULL::bigint, NULL::bigint, NULL::bigint))
    AS of_before (language, time_zone, "group", mailbox_limit, waiting_quota_octets, message_limit_octets)
CROSS JOIN LATERAL (
    SELECT id, slug, name, schema_name, provider_id, language, time_zone, "group", mailbox_limit, waiting_quota_octets,
        mailbox_quota_octets, message_limit_octets
    FROM public.tenants_customer
) AS customer
JOIN public.tenants_provider provider ON provider.id = customer.provider_id
WHERE customer.id = %s OR %s::uuid IS NULL ORDER BY customer.id
"""
# By themselves: JSON of a few octets may be a text that the server does not make.
LISTS = """
SELECT customer.* FROM (VALUES ('[]'::jsonb)) AS of_before (tags) CROSS JOIN LATERAL (
    SELECT id, CASE WHEN octet_length(allowed_networks::text) <= 65536 THEN allowed_networks::text END,
        CASE WHEN octet_length(tags::text) <= 65536 THEN tags::text END
    FROM public.tenants_customer WHERE id = ANY (%s)
) AS customer
"""
ALONE_AT_MOST = (
    20  # customers whose dumps fail, each after some that have failed before it: more are no fault of theirs
)
SECRETS = {
    "SECRET_KEY": "SECRET_KEY",
    "SECRET_KEY_FALLBACKS": "SECRET_KEY_FALLBACKS",
    "GATEHOUSE_WORKER_KEY": "WORKER_KEY",
    "GATEHOUSE_WORKER_PUBLIC_KEY": "WORKER_PUBLIC_KEY",
}


@dataclass
class Made:
    """A backup that is whole. `missing` are messages that can't be read in the store: they are in no backup."""

    name: str = ""
    customers: int = 0
    messages: int = 0
    octets: int = 0
    copied: int = 0
    copied_octets: int = 0
    missing: list[str] = field(default_factory=list)
    known_missing: int = 0  # of these, those that were marked before
    removed_sets: list[str] = field(default_factory=list)
    removed_messages: int = 0
    without_schema: list[str] = field(
        default_factory=list
    )  # customers, by short name, of whom the database has no more
    without_customer: list[str] = field(default_factory=list)  # schemas of whom no row knows any more
    left_out: list[dict[str, str]] = field(
        default_factory=list
    )  # customers whose rows can't be saved, and why
    not_ours: list[str] = field(default_factory=list)  # tables and columns that no release has made
    wrong: list[str] = field(default_factory=list)  # what of it no restore would bring
    without: list[str] = field(default_factory=list)  # secrets that this process does not have
    noted: bool = False  # for `manage.py doctor`

    @property
    def ended_well(self) -> bool:
        """All is in it that there is, but for losses that are known, and all comes back."""
        return self.brings_all_back and len(self.missing) <= self.known_missing

    @property
    def brings_all_back(self) -> bool:
        """That is in the database. Else an earlier one may have the last that there is of somebody."""
        return not self.lacks

    @property
    def lacks(self) -> dict[str, list[Any]]:
        """What of the database no restore would bring, by kind, as the set's contents tell whoever restores it."""
        found = {kind: getattr(self, kind) for kind in judging.LACKS}
        return {kind: all_of_it for kind, all_of_it in found.items() if all_of_it}


class Wanted(NamedTuple):
    """A message as a row tells of it."""

    blob: str
    octets: int
    marked: bool


class _Customer(NamedTuple):
    id: UUID
    slug: str
    name: str
    schema: str
    provider: str
    language: str
    time_zone: str
    group: str
    mailbox_limit: int | None
    waiting_quota_octets: int | None
    mailbox_quota_octets: int | None
    message_limit_octets: int | None


def back_up(place: str, *, by: Actor, keep: int | None = None, tell: Tell = lambda progress: None) -> Made:
    """Take a backup, and of those that are whole let the `keep` newest stay. `tell` hears after each step.

    Raises NotAllowed, LesserOwner before anything is done, BackupError (PlaceFailed for the place), and StoreFailed for the
    message store: then what is there looks like no backup.
    """
    access.require(by, access.PLATFORM, access.Right.BACK_UP)
    begun = timezone.now()
    made = _take(place, None, tell, keep)
    tools.revive()
    if made.ended_well:
        made.noted = last_backup.note(made.name, begun)
    log.info("a backup was taken set=%s messages=%d copied=%d", made.name, made.messages, made.copied)
    return made


def export_customer(place: str, customer: Customer, *, by: Actor, tell: Tell = lambda progress: None) -> Made:
    """A backup of one customer, for another installation: without secrets, and without what others have in `public`.

    Raises as `back_up` does.
    """
    access.require(by, access.PLATFORM, access.Right.BACK_UP)

    def record(made: Made) -> None:
        """While nobody can take it for an export yet: there is none without its line, whatever ends us from here on."""
        data = {
            "set": made.name,
            "place": place.rstrip("/"),
            "messages": made.messages,
            "recovery_key": keys.key_id_of(keys.public_key()),
        }
        tools.revive()
        try:
            with on_disk():
                audit.record("customer.exported", by=by, customer=customer, target=customer, data=data)
        except DatabaseError as error:
            raise BackupFailed(
                "The activity did not take its line, and there is no export without."
            ) from error

    made = _take(place, customer.pk, tell, before_whole=record)
    log.info(
        "a customer was exported customer=%s place=%s set=%s messages=%d",
        customer.slug,
        place.rstrip("/"),
        made.name,
        made.messages,
    )
    return made


def _take(
    place: str,
    only: UUID | None,
    tell: Tell,
    keep: int | None = None,
    before_whole: Callable[[Made], None] = lambda made: None,
) -> Made:
    try:
        if cluster.is_prepared():
            raise BackupFailed(
                "This database is a cluster, whose nodes have no common snapshot: a dump would mix moments. Back up each node "
                "with PostgreSQL's own means instead (docs/cluster.md)."
            )
        public, where = keys.public_key(), Place(place)
        pooling.require_no_pooler()
        with be_alone() as guard, tools.connect() as reader:
            _refuse_the_store(where)
            _refuse_another_role(reader, only)
            where.claim(installations(reader, only))
            with closing(_Taking(where, public, reader, telling(tell, guard), only)) as taking:
                made = taking.take(before_whole)
            try:
                guard.still()
            except (
                pooling.LockLost
            ):  # others may have begun by now, and thinned out what this one had not named yet
                where.remove(f"{SETS}/{made.name}/{MANIFEST}")
                raise
            if keep is not None and made.brings_all_back:
                made.removed_sets, made.removed_messages = thin_out(where, keep, guard.still)
    except whose.LesserOwner:
        raise
    except (psycopg.Error, DatabaseError) as error:
        raise BackupFailed(tools.no_answer(error)) from error
    return made


def _refuse_the_store(where: Place) -> None:
    """What no backup names is removed from its place: mail, if that lay there. Raises NoPlace."""
    in_bucket = settings.STORE_URL.startswith(S3)
    for url in (settings.STORE_URL if in_bucket else settings.STORE_ROOT.as_uri(), settings.STORE_OTHER_URL):
        if url and overlap(url, where.url, of=OF_BACKUPS):
            raise NoPlace(f"{where.url} is the message store, or one of the two lies within the other.")


def _refuse_another_role(reader: "psycopg.Connection[Any]", only: UUID | None) -> None:
    """Django's own connection asks this where it enters a schema; these read past it. Raises LesserOwner."""
    with reader.cursor() as cursor:
        named = [_Customer(*row).schema for row in cursor.execute(CUSTOMERS, [only, only]).fetchall()]
        whose.require_the_role_that_serves(cursor, named)


class _Taking:
    """One backup in the making."""

    def __init__(
        self,
        place: Place,
        public: bytes,
        reader: "psycopg.Connection[Any]",
        tell: Tell,
        only: UUID | None = None,
    ) -> None:
        self.place, self.public, self.reader, self.tell, self.only = place, public, reader, tell, only
        self.id = uuid4()
        self.at = datetime.now(UTC)
        self.name = name_after(self.at, place.sets())
        self.folder = f"{SETS}/{self.name}"
        self.progress, self.made = Progress(), Made(self.name)
        self.parts: list[dict[str, Any]] = []
        self.per_dump = max(1, min(SCHEMAS_PER_DUMP, tools.schemas_at_once(reader)))
        self.source: BlobStore = store()
        self.unread: dict[str, str] = {}  # schemas whose messages can't be asked for, and why
        self.tables: dict[str, list[str]] = {}  # of schemas, those that their migrations make
        # Networks and tags: JSON, which may be any, and is judged with the rest.
        self.lists: dict[UUID, tuple[str | None, str | None]] = {}
        self.alone = 0  # customers whose dump failed
        self.part_of: dict[str, str] = {}  # the name of the dump in which a schema is

    def take(self, before_whole: Callable[[Made], None]) -> Made:
        before = [name for name in self.place.sets() if self.place.manifest(name)][-1:]
        with ThreadPoolExecutor(HANDS, thread_name_prefix="backup") as self.hands:
            self.progress.step = "copying messages"
            early = self._copy(self._to_copy_early(), "", self._indexes(before), early=True)
            self.place.write(f"{self.folder}/{EARLY}", (line.encoded() for line in early))
            with _holding() as hold, _snapshot() as (holder, snapshot):
                customers = self._examined(snapshot)
                customers = self._dump(customers, snapshot)
                self.progress.step, self.progress.customers_done = "copying the latest messages", 0
                lines = self._copy(customers, snapshot, [*self._indexes(before), self._early()])
                self._write(INDEX, (self._counted(line).encoded() for line in lines))
                self._require_that_all_was_seen(customers, snapshot)
                hold.execute("SELECT 1")  # raises unless it was there all the time
                holder.execute("SELECT 1")
                server = holder.info.server_version
            self._write_contents(customers)
        self.progress.step = "verifying"
        for part in self.parts:
            self.place.verify(self.folder, part)
            self.tell(self.progress)
        manifest = {
            "format": ONE_CUSTOMER if self.only else WHOLE,
            "id": str(self.id),
            "made_at": self.at.isoformat(timespec="seconds"),
            "recovery_key": keys.key_id_of(self.public),
            "postgresql": server,
            "messages": self.made.messages,
            "octets": self.made.octets,
            "parts": self.parts,
        }
        self.place.remove(f"{self.folder}/{EARLY}")
        before_whole(self.made)
        self.tell(self.progress)
        self.place.write(f"{self.folder}/{MANIFEST}", [json.dumps(manifest, indent=1).encode()])
        self.made.customers = len(customers)
        self.made.copied, self.made.copied_octets = self.progress.copied, self.progress.copied_octets
        return self.made

    def close(self) -> None:
        """Give back whichever reader it has by now."""
        self.reader.close()

    # --- The database ---
    def _known(self, snapshot: str) -> tuple[list[_Customer], list[_Customer]]:
        """Those that have a schema, and those that have none any more. Raises BackupFailed without the only one's."""
        with _reading(self.reader, snapshot):
            known = [_Customer(*row) for row in self.reader.execute(CUSTOMERS, [self.only, self.only])]
            named = [customer.schema for customer in known]
            there = {name for (name,) in self.reader.execute(schemas.THERE, [named])}
        lost = [one for one in known if one.schema not in there]
        if self.only and lost:
            raise BackupFailed("The customer has no schema in this database any more (docs/operations.md).")
        return [one for one in known if one.schema in there], lost

    def _to_copy_early(self) -> list[_Customer]:
        """Whose messages are read where that runs nothing of another role's. What else is wrong is asked of the snapshot."""
        found = []
        for some in self._by_dump(self._known("")[0]):
            with _reading(self.reader, ""):
                readable = relations.readable(self.reader, [customer.schema for customer in some])
            found += [customer for customer in some if customer.schema in readable]
        return found

    def _examined(self, snapshot: str) -> list[_Customer]:
        """Those that can be saved. Notes of the others why not, and of all what no restore would bring."""
        customers, lost = self._known(snapshot)
        self.made.without_schema = [customer.slug for customer in lost]
        if not self.only:
            with _reading(self.reader, snapshot):
                self.made.wrong = examining.what_all_share(self.reader)
                nobodys = self.reader.execute(schemas.NOBODYS).fetchall()
            self.made.without_customer = [name for (name,) in nobodys]
        broken = dict(self.unread)
        for some in self._by_dump(customers):
            with _reading(self.reader, snapshot):
                found = examining.customers(self.reader, [customer.schema for customer in some])
            broken |= found.broken
            self.made.not_ours += found.not_ours
            self.made.wrong += found.wrong
            self.tables |= found.tables
        self.lists = self._lists_of(customers, snapshot)
        self.made.left_out = [
            {"customer": one.slug, "why": broken[one.schema]} for one in customers if one.schema in broken
        ]
        if self.only and self.made.left_out:
            raise BackupFailed(f"The customer can't be exported: {self.made.left_out[0]['why']}.")
        return [customer for customer in customers if customer.schema not in broken]

    def _by_dump(self, customers: list[_Customer]) -> Iterator[list[_Customer]]:
        """As many at a time as the server has locks for."""
        for start in range(0, len(customers), self.per_dump):
            yield customers[start : start + self.per_dump]

    def _lists_of(
        self, customers: list[_Customer], snapshot: str
    ) -> dict[UUID, tuple[str | None, str | None]]:
        """Where they can't be told, by halves."""
        ids = [customer.id for customer in customers]
        try:
            with _reading(self.reader, snapshot):
                return {pk: (networks, tags) for pk, networks, tags in self.reader.execute(LISTS, [ids])}
        except psycopg.Error as error:
            if is_away(error):
                raise
        half = len(customers) // 2
        if not half:
            return dict.fromkeys(ids, (None, None))
        first, second = customers[:half], customers[half:]
        return self._lists_of(first, snapshot) | self._lists_of(second, snapshot)

    def _dump(self, customers: list[_Customer], snapshot: str) -> list[_Customer]:
        """Those that are in a dump now; all, as a rule. Raises BackupFailed."""
        self.progress.step = "dumping the database"
        self.progress.customers, self.progress.customers_done = len(customers), 0
        if not self.only:
            try:
                self._seal(PUBLIC_DUMP, tools.dump([PUBLIC], snapshot, tools.WITHOUT_ROWS))
            except BackupFailed as error:
                rows = [one for one in self.made.wrong if one.startswith(f"{PUBLIC}.")]
                raise BackupFailed("; ".join([str(error), *rows])) from error
        dumped = []
        for some in self._by_dump(customers):
            dumped += self._dump_some(some, snapshot)
            self.progress.customers_done += len(some)
            self.tell(self.progress)
        return dumped

    def _dump_some(self, some: list[_Customer], snapshot: str) -> list[_Customer]:
        """Where that fails, by halves: one customer must not be everybody."""
        try:
            self._dump_into_a_part([customer.schema for customer in some], snapshot)
        except BackupFailed as error:
            if self.only:
                raise
            self.tell(self.progress)
            if len(some) == 1:
                return self._dump_what_is_ours(some[0], snapshot, error)
            half = len(some) // 2
            return self._dump_some(some[:half], snapshot) + self._dump_some(some[half:], snapshot)
        return some

    def _dump_what_is_ours(self, customer: _Customer, snapshot: str, failed: BackupFailed) -> list[_Customer]:
        """Of a customer whose schema can't be dumped, or it is left out."""
        ours = self.tables.get(customer.schema, [])
        try:
            if not ours:
                raise failed
            self._dump_into_a_part([customer.schema], snapshot, ours)
        except BackupFailed as error:
            self.alone += 1
            if self.alone > ALONE_AT_MOST:
                raise
            why = f"it can't be dumped: {tools.first_line(error)}"
            self.made.left_out.append({"customer": customer.slug, "why": why})
            return []
        self.made.wrong.append(
            f"{customer.schema}: what no release has made there is in no backup: {tools.first_line(failed)}"
        )
        return [customer]

    def _dump_into_a_part(self, names: list[str], snapshot: str, tables: Sequence[str] = ()) -> None:
        part = f"customers-{len(set(self.part_of.values())):04d}.dump.sealed"
        self._seal(part, tools.dump(names, snapshot, tools.WITHOUT_ROWS, tables))
        self.part_of |= dict.fromkeys(names, part)

    def _require_that_all_was_seen(self, customers: list[_Customer], snapshot: str) -> None:
        """After the last that is read by the snapshot. Raises BackupFailed."""
        named = [customer.schema for customer in customers] + ([] if self.only else [PUBLIC])
        with _reading(self.reader, snapshot):
            before = unseen.fingerprints(self.reader, named)
        with _reading(self.reader, ""):
            after = unseen.fingerprints(self.reader, named)
        if anew := unseen.written_anew(before, after):
            more = ", and others too" if len(anew) > 1 else ""
            raise BackupFailed(
                f"The table {anew[0]} was emptied, rewritten, altered or dropped while the backup ran{more}. Repeat it."
            )

    def _write_contents(self, customers: list[_Customer]) -> None:
        found = {variable: getattr(settings, name) for variable, name in SECRETS.items()}
        found["SECRET_KEY_FALLBACKS"] = " ".join(found["SECRET_KEY_FALLBACKS"])
        needed = () if self.only else ("SECRET_KEY", "GATEHOUSE_WORKER_KEY")
        self.made.without = [name for name in needed if not found[name]]
        contents = {
            "secrets": {} if self.only else {name: value for name, value in found.items() if value},
            "customers": [
                {
                    "id": customer.id.hex,
                    "slug": customer.slug,
                    "name": customer.name,
                    "schema": customer.schema,
                    "part": self.part_of[customer.schema],
                    "provider": customer.provider,
                    "allowed_networks": judging.json_of(self.lists[customer.id][0]),
                    "tags": judging.json_of(self.lists[customer.id][1]),
                    **{name: getattr(customer, name) for name in ("language", "time_zone", "group", *LIMITS)},
                }
                for customer in customers
            ],
            "missing": self.made.missing,
        }
        octets = json.dumps(contents).encode()
        # As who brings it back does: a name or a network that none is, is nobody's customer there.
        self.made.wrong += [
            f"{one['customer']}: {one['why']}" for one in judging.contents_of(octets, self.name)["wrong"]
        ]
        self._seal(CONTENTS, [json.dumps(contents | {"lacks": self.made.lacks}).encode()])

    def _seal(self, name: str, pieces: Iterator[bytes] | list[bytes]) -> None:
        self._write(name, keys.seal(pieces, self.public, of=self.id, name=name))

    def _write(self, name: str, pieces: Iterable[bytes]) -> None:
        self.parts.append(self.place.write(f"{self.folder}/{name}", pieces))

    # --- The messages ---
    def _indexes(self, names: list[str]) -> list[Lines]:
        return [Lines(index_of(self.place, name)) for name in names]

    def _early(self) -> Lines:
        return Lines(lines_of(self.place.read(f"{self.folder}/{EARLY}")))

    def _counted(self, line: Line) -> Line:
        self.made.messages += 1
        self.made.octets += line.octets
        return line

    def _copy(
        self, customers: list[_Customer], snapshot: str, indexes: list[Lines], *, early: bool = False
    ) -> Iterator[Line]:
        """A line for each message that is in the backup then. `early`: what is gone when we come is not missing."""
        self.progress.customers, self.progress.customers_done = len(customers), 0
        for number, customer in enumerate(customers, 1):
            if number % settings.SCHEMAS_PER_CONNECTION == 0:  # as tenants/database does with Django's
                self.reader.close()
                self.reader = tools.connect()
            wanted = self._wanted(customer, snapshot)
            try:
                for folder, messages in groupby(wanted, lambda message: message.blob.rpartition("/")[0][:-3]):
                    yield from self._copy_folder(folder, list(messages), indexes, early=early)
            except psycopg.Error as error:
                if not early or is_away(error):
                    raise
                self.unread[customer.schema] = f"its messages can't be read: {tools.first_line(error)}"
            self.progress.customers_done += 1
            self.tell(self.progress)

    def _wanted(self, customer: _Customer, snapshot: str) -> Iterator[Wanted]:
        """The messages that somebody could still read, by their blobs' names; not those whose keys were destroyed."""
        query = sql.SQL(
            # In types of ours, whatever somebody has made of the columns: '' is no message's name, -1 no message's size.
            "SELECT coalesce(message.blob::text, ''),"
            " greatest(least(coalesce(message.octets::numeric, -1), 9223372036854775807), -1)::bigint,"
            " message.damaged_at IS NOT NULL"
            # As the dump has them, without what lies in a child of theirs.
            " FROM ONLY {schema}.mailboxes_message message"
            " JOIN ONLY {schema}.mailboxes_mailboxkey key ON key.id = message.key_id"
            " WHERE key.state <> 'destroyed' ORDER BY message.blob COLLATE \"C\""
        ).format(schema=sql.Identifier(customer.schema))
        with _reading(self.reader, snapshot), self.reader.cursor("wanted") as cursor:
            cursor.itersize = ROWS
            cursor.execute(query)
            for row in cursor:
                yield Wanted(*row)

    def _copy_folder(
        self, folder: str, messages: list[Wanted], indexes: list[Lines], *, early: bool
    ) -> Iterator[Line]:
        # No name that our store has given leads anywhere else; what somebody wrote into a row is nobody's message.
        if strays := [message for message in messages if not NAME.fullmatch(message.blob)]:
            if not early:
                self._miss(strays)
            messages = [message for message in messages if NAME.fullmatch(message.blob)]
        if not messages:
            return
        known: dict[str, Line] = {}
        for index in indexes:
            known |= index.of(folder)
        there = {name: blob for _, found in self.place.blobs.shards(folder) for name, blob in found.items()}
        rest = iter(messages)
        while some := list(islice(rest, BATCH)):
            new = [
                message
                for message in some
                if message.blob not in known
                or message.blob not in there
                or there[message.blob].octets != known[message.blob].octets
            ]
            outcomes = dict(zip(new, self.hands.map(self._copy_one, new), strict=True))
            lost = [message for message, line in outcomes.items() if line is None]
            if not early:
                self._miss(lost)
            for message in some:
                if line := outcomes[message] if message in outcomes else known[message.blob]:
                    yield line
            self.progress.copied += len(new) - len(lost)
            self.progress.copied_octets += sum(line.octets for line in outcomes.values() if line)
            self.tell(self.progress)

    def _miss(self, lost: list[Wanted]) -> None:
        self.made.missing += [message.blob for message in lost]
        self.made.known_missing += sum(message.marked for message in lost)

    def _copy_one(self, message: Wanted) -> Line | None:
        """Its line, once it lies there whole and was read back; None when the store has it not, or not whole.

        Raises PlaceFailed, StoreFailed, BackupDamaged.
        """
        size = sealed_size(message.octets)
        try:
            source = self.source.look_at(message.blob)
            if source is None or source.octets != size:
                return None
            draft = self.place.blobs.draft(message.blob, again=True)
            digest, octets = hashlib.sha256(), 0
            try:
                for piece in self.source.chunks(message.blob):
                    draft.write(piece)
                    digest.update(piece)
                    octets += len(piece)
                if octets != size:
                    raise StoreFailed
                draft.keep()
            except BaseException:
                draft.discard()
                raise
        except MessageGone:
            return None
        line = Line(message.blob, octets, digest.hexdigest())
        if digest_of(lambda: self.place.blobs.chunks(line.name)) != (line.octets, line.sha256):
            raise BackupDamaged(f"{line.name} does not come back from {self.place.url} as it was written.")
        return line


@contextmanager
def _holding() -> "Iterator[psycopg.Connection[Any]]":
    """No blob is removed within, and no upgrade begins. In a transaction of its own, before any snapshot is taken. Raises
    BackupFailed beside an upgrade.
    """
    with tools.connect() as where:
        tools.begin(where)
        where.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(HOLD_WAIT))
        try:
            where.execute("SELECT pg_advisory_xact_lock(%s)", [UPGRADE_LOCK])
        except LockNotAvailable as error:
            raise BackupFailed(
                "An upgrade of this database is at work. Repeat this when it has ended."
            ) from error
        where.execute("SELECT pg_advisory_xact_lock(%s)", [HOLD_LOCK])
        yield where


@contextmanager
def _snapshot() -> "Iterator[tuple[psycopg.Connection[Any], str]]":
    """What all dumps and readers of a backup see."""
    with tools.connect() as where:
        tools.begin(where, "ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = where.execute("SELECT pg_export_snapshot()").fetchone()
        assert row
        yield where, row[0]


@contextmanager
def _reading(where: "psycopg.Connection[Any]", snapshot: str) -> Iterator[None]:
    """One transaction for each customer: one over all of them would run out of locks."""
    where.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        if snapshot:
            where.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        where.execute("SET LOCAL statement_timeout = 0")
        where.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield
    finally:
        if not where.closed:
            where.execute("ROLLBACK")
