"""An installation comes back from a backup, onto a database and a store in which nothing is.

The mail comes first, then the database (`rebuilding`): until the end there is no installation that anybody could take for a
whole one, and what was broken off is repeated by the same call.
"""

import hashlib
import logging
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import DatabaseError

from accounts.actors import Actor
from mailboxes.backup import judging, rebuilding, rows, tools
from mailboxes.backup.alone import Progress, Tell, be_alone, telling
from mailboxes.backup.errors import (
    BackupError,
    BackupFailed,
    NoSuchBackup,
    NotEmpty,
    OtherSecrets,
    RestoreFailed,
)
from mailboxes.backup.index import Line
from mailboxes.backup.loading import LeftOut
from mailboxes.backup.place import WHOLE, digest_of
from mailboxes.backup.sets import BATCH, HANDS, PUBLIC_DUMP, Backup, index_of
from mailboxes.backup.since import BROUGHT, DELETED, act_of, acts_since, time_of
from mailboxes.errors import MessageGone
from mailboxes.store import store
from mailboxes.vault import BadKey, PrivateKey
from tenants import access, last_backup, pooling
from tenants.models import spelled_now

log = logging.getLogger(__name__)

TRAIL, DIRECTORY = "tenants_auditevent", "tenants_directoryentry"
ALIVE = ("active", "suspended")  # in the directory


@dataclass
class Restored:
    """What came back. `missing` was in the backup's list and is not there, or not as it was written. `not_brought` are
    customers whose rows are none of Gatehouse's, with why; `not_ours` tables that no release has made; `lacked`, by kind, what
    whoever took the backup heard that no restore would bring.
    """

    name: str
    made_at: str
    customers: int = 0
    messages: int = 0
    octets: int = 0
    missing: list[str] = field(default_factory=list)
    not_brought: list[dict[str, str]] = field(default_factory=list)
    not_ours: list[str] = field(default_factory=list)
    strange: int = 0  # of these, tables and columns of customers: somebody may have moved rows of ours there
    without_rows: dict[str, int] = field(default_factory=dict)  # messages that no row names, by customer
    without_locks: dict[str, int] = field(
        default_factory=dict
    )  # mailboxes that no password opens, by customer
    rows_left_out: dict[str, LeftOut] = field(default_factory=dict)  # by table of what all share
    lacked: dict[str, list[Any]] = field(default_factory=dict)
    # Mailboxes, as far as the newest backup knows; and why that can't be said, else empty.
    deleted_since: list[dict[str, str]] = field(default_factory=list)
    since_is_unknown: str = ""

    @property
    def is_whole(self) -> bool:
        """All is there that there was when the backup was taken."""
        return not (
            self.not_brought
            or self.missing
            or self.rows_left_out
            or self.without_rows
            or self.without_locks
            or self.strange
            or self.lacked
        )


def restore(
    place: str, key: str, *, by: Actor, name: str = "", tell: Tell = lambda progress: None
) -> Restored:
    """Bring back a whole installation, by default from the newest backup. Repeated, it goes on where it was broken off.

    Raises NotAllowed; NoPlace, NoSuchBackup, NoRecoveryKey; NotEmpty and OtherSecrets, before anything was
    done; BackupDamaged, PlaceFailed, RestoreFailed, StoreFull, StoreFailed.
    """
    access.require(by, access.PLATFORM, access.Right.RESTORE)
    backup = Backup(place, key, name)
    if backup.manifest["format"] != WHOLE:
        raise NoSuchBackup(
            f"{backup.name} in {backup.place.url} is an export of one customer, for manage.py import_customer."
        )
    _require_secrets(backup.contents["secrets"])
    done = Restored(backup.name, backup.manifest["made_at"], len(backup.contents["customers"]))
    try:
        pooling.require_no_pooler()
        rebuilding.require_role()
        with be_alone() as guard:
            tell = telling(tell, guard)
            rebuilding.require_empty(backup)
            _require_empty_store(backup)
            backup.verify_parts()
            rebuilding.require_known(backup)
            of_customers: Counter[str] = Counter()
            lines = _counted(index_of(backup.place, backup.name), of_customers)
            bring_messages(backup, lines, done, Progress("copying messages", done.customers), tell)
            _look_what_was_deleted_since(backup, done, place, key)
            rebuilt = rebuilding.bring_database(backup, of_customers, tell, by)
        done.not_brought, done.not_ours, done.strange = rebuilt.not_brought, rebuilt.not_ours, rebuilt.strange
        done.without_rows, done.rows_left_out = rebuilt.without_rows, rebuilt.rows_left_out
        done.without_locks, done.lacked = rebuilt.without_locks, backup.contents["lacks"]
        if done.is_whole:
            _note(backup)
    except (psycopg.Error, DatabaseError) as error:
        raise RestoreFailed(tools.no_answer(error)) from error
    except BackupFailed as error:  # there is no pg_restore
        raise RestoreFailed(str(error)) from error
    log.info("a backup was restored set=%s messages=%d", backup.name, done.messages)
    return done


def _note(backup: Backup) -> None:
    """It is the last one that is known to be whole. An earlier release's database has no place for that."""
    with suppress(DatabaseError):
        last_backup.note(backup.name, datetime.fromisoformat(backup.manifest["made_at"]))


def write_secrets(place: str, key: str, file: Path, *, by: Actor, name: str = "") -> list[str]:
    """Write the secrets of a backup to a new file, `NAME=value` a line, for its owner alone: their names.

    Raises as `restore`, and NotEmpty when the file is there.
    """
    access.require(by, access.PLATFORM, access.Right.RESTORE)
    secrets = Backup(place, key, name).contents["secrets"]
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise NotEmpty(f"{file} can't be made: {error.strerror}.") from error
    with os.fdopen(descriptor, "w") as written:
        # As shells, systemd, Compose and `setup` all read it (portal/setup/file.py). Where there is a ' in it only the first two
        # do, and a shell runs nothing of it: whoever writes to the place of the backups may have sealed this one.
        written.writelines(f"{variable}={shlex.quote(value)}\n" for variable, value in secrets.items())
    return list(secrets)


def _look_what_was_deleted_since(backup: Backup, done: Restored, place: str, key: str) -> None:
    """Mailboxes that are in this one and were deleted by the time of the newest. Of what came after that one no machine is
    left that knows. Whatever is wrong with the newest, this one is restored.
    """
    try:
        newest = Backup(place, key)
        if newest.name == backup.name or newest.manifest["format"] != WHOLE:
            return
        newest.verify_parts(PUBLIC_DUMP)
        made_at, known = datetime.fromisoformat(backup.manifest["made_at"]), []
        brought: dict[UUID, int] = {}
        for row in _public(newest, TRAIL):
            number, customer = int(row["id"]), row["customer_id"]
            action = spelled_now(row["action"])
            if action == DELETED:
                name = rows.plain(row["target_name"]) or ""
                known.append(act_of(number, row["at"], action, customer, row["target_id"], name))
            elif action in BROUGHT and judging.ROW_ID.fullmatch(customer) and time_of(row["at"]) < made_at:
                brought[UUID(customer)] = max(number, brought.get(UUID(customer), number))
        there = {UUID(row["mailbox_id"]) for row in _public(backup, DIRECTORY) if row["status"] in ALIVE}
        slugs = {UUID(customer["id"]): customer["slug"] for customer in backup.contents["customers"]}
        done.deleted_since = [
            {
                "at": act.at.isoformat(timespec="seconds"),
                "customer": slugs.get(act.customer, act.customer.hex),
                "mailbox": act.name,
            }
            for act in acts_since(known, there, made_at, brought)
        ]
    except (BackupError, LookupError, ValueError) as error:  # the last ones: of a later release
        log.warning("what was deleted since is not known: %s", error)
        done.since_is_unknown = str(error) or type(error).__name__


def _public(backup: Backup, name: str) -> Iterator[rows.Row]:
    """But for those that are too long, which nobody brings either."""
    for table in rows.tables(tools.read(backup.part(PUBLIC_DUMP), "public", name)):
        yield from table.rows_that_are_not_too_long


def _require_secrets(secrets: dict[str, str]) -> None:
    known = {settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS}
    other = [name for name in ("SECRET_KEY",) if secrets.get(name) not in known]
    worker = secrets.get("GATEHOUSE_WORKER_KEY")
    if worker and settings.WORKER_KEY and not _same_key(worker, settings.WORKER_KEY):
        other.append("GATEHOUSE_WORKER_KEY")
    if other:
        raise OtherSecrets(
            f"{' and '.join(other)} of this installation {'is' if len(other) == 1 else 'are'} not what the backup was taken "
            "with. Write those of the backup to a file (restore … --secrets-to FILE), set them, and repeat this."
        )


def _same_key(one: str, other: str) -> bool:
    try:
        return PrivateKey.from_text(one) == PrivateKey.from_text(other)
    except (BadKey, ValueError):
        return one == other


def _require_empty_store(backup: Backup) -> None:
    """But for what an earlier attempt has brought. Raises NotEmpty."""
    of_it = [*backup.contents["customers"], *backup.contents["wrong"]]
    if set(store().folders()) - {customer["id"] for customer in of_it}:
        raise NotEmpty(f"There is something in {store().location}. Give the restore an empty message store.")


def _counted(lines: Iterable[Line], of_customers: "Counter[str]") -> Iterator[Line]:
    for line in lines:
        of_customers[line.name.partition("/")[0]] += 1
        yield line


class Counts(Protocol):
    """What is noted of the messages that were brought."""

    messages: int
    octets: int
    missing: list[str]


def bring_messages(
    backup: Backup,
    lines: Iterable[Line],
    done: Counts,
    progress: Progress,
    tell: Tell,
    renamed: Callable[[str], str] = str,
    renamed_folder: Callable[[str], str] = str,
) -> None:
    """Copy these into the store, under another name where `renamed` and `renamed_folder` give one.

    Raises PlaceFailed, StoreFull, StoreFailed.
    """
    target = store()
    there: dict[str, int] = {}

    def bring(line: Line) -> bool:
        name = renamed(line.name)
        # What an earlier attempt has brought, or somebody put there, is looked at as closely as what comes.
        if there.get(name) == line.octets:
            if digest_of(lambda: target.chunks(name)) == (line.octets, line.sha256):
                return True
            target.remove(name)
        digest = hashlib.sha256()
        try:
            pieces = backup.place.blobs.chunks(line.name)
        except MessageGone:
            return False
        draft = target.draft(name, again=True)
        try:
            for piece in pieces:
                draft.write(piece)
                digest.update(piece)
            if digest.hexdigest() != line.sha256:
                draft.discard()
                return False
            draft.keep()
        except BaseException:
            draft.discard()
            raise
        return True

    with ThreadPoolExecutor(HANDS, thread_name_prefix="restore") as hands:
        for folder, of_folder in groupby(lines, lambda line: line.folder):
            shards = target.shards(renamed_folder(folder))
            there = {name: blob.octets for _, found in shards for name, blob in found.items()}
            while some := list(islice(of_folder, BATCH)):
                outcomes = dict(zip(some, hands.map(bring, some), strict=True))
                lost = {line for line, brought in outcomes.items() if not brought}
                done.missing += sorted(line.name for line in lost)
                done.messages += len(some) - len(lost)
                done.octets += sum(line.octets for line in some if line not in lost)
                progress.copied, progress.copied_octets = done.messages, done.octets
                tell(progress)
    tools.revive()
