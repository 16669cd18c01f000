"""What lies in a place: which sets are whole, what they name, what of them is not what was written, and which may go.

Whoever restores reads here, and whoever takes a backup finds the ones before it; nothing here asks a database.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any
from uuid import UUID

from accounts.actors import Actor
from mailboxes.backup import judging, keys
from mailboxes.backup.alone import Progress, Tell
from mailboxes.backup.errors import BackupDamaged, NoRecoveryKey, NoSuchBackup
from mailboxes.backup.index import Line, Lines, lines_of
from mailboxes.backup.place import MANIFEST, SETS, Place, digest_of
from mailboxes.errors import MessageGone
from mailboxes.vault import PrivateKey
from tenants import access

BATCH = 64
HANDS = 8  # waiting for disks and servers, not computing
NAME = "%Y-%m-%dT%H%M%S.%fZ"  # of a set
INDEX, EARLY, CONTENTS, PUBLIC_DUMP = "messages", "early", "contents.sealed", "public.dump.sealed"


def verify_backup(
    place: str, *, by: Actor, name: str = "", tell: Tell = lambda progress: None
) -> tuple[str, list[str]]:
    """Read all of a backup, the newest by default: its name, and what of it is missing or not what was written.

    Raises NotAllowed, NoPlace, NoSuchBackup, BackupDamaged, PlaceFailed. No key is needed.
    """
    access.require(by, access.PLATFORM, access.Right.BACK_UP)
    where, progress = Place(place), Progress("reading")
    name, manifest = find(where, name)
    bad = []
    for part in manifest["parts"]:
        try:
            where.verify(f"{SETS}/{name}", part)
        except BackupDamaged:
            bad.append(f"{SETS}/{name}/{part['name']}")
    with ThreadPoolExecutor(HANDS, thread_name_prefix="backup") as hands:
        lines = index_of(where, name)
        while some := list(islice(lines, BATCH)):
            found = hands.map(lambda line: digest_of(lambda: where.blobs.chunks(line.name)), some)
            bad += [
                line.name for line, is_ in zip(some, found, strict=True) if is_ != (line.octets, line.sha256)
            ]
            progress.copied += len(some)
            progress.copied_octets += sum(line.octets for line in some)
            tell(progress)
    return name, bad


class Backup:
    """A whole set and the key that opens it."""

    def __init__(self, place: str, key: str, name: str = "") -> None:
        private: PrivateKey = keys.recovery_key(key)
        self._private = private
        self.place = Place(place)
        self.name, self.manifest = find(self.place, name)
        if self.manifest["recovery_key"] != private.key_id.hex():
            raise NoRecoveryKey(
                f"{self.name} was sealed to the recovery key {self.manifest['recovery_key']}, and this is {private.key_id.hex()}."
            )
        self.contents = judging.contents_of(b"".join(self.part(CONTENTS)), self.name)

    def part(self, name: str) -> Iterator[bytes]:
        """What was sealed. Raises NoRecoveryKey, BackupDamaged, PlaceFailed."""
        try:
            pieces = self.place.read(f"{SETS}/{self.name}/{name}")
        except MessageGone:
            raise BackupDamaged(f"{SETS}/{self.name}/{name} is missing.") from None
        yield from keys.unseal(pieces, self._private, of=UUID(self.manifest["id"]), name=name)

    def verify_parts(self, *names: str) -> None:
        """All, or those of these names, before anything is made of them. Raises BackupDamaged."""
        parts = [part for part in self.manifest["parts"] if part["name"] in names or not names]
        if lacking := set(names) - {part["name"] for part in parts}:
            raise BackupDamaged(f"{self.name} does not say what {min(lacking)} is.")
        for part in parts:
            self.place.verify(f"{SETS}/{self.name}", part)


def find(where: Place, name: str = "") -> tuple[str, dict[str, Any]]:
    """A whole set and its manifest: of this name, or the newest. Raises NoSuchBackup, BackupDamaged, PlaceFailed."""
    for candidate in reversed(where.sets()):
        if name in ("", candidate) and (manifest := where.manifest(candidate)):
            judging.require_manifest(manifest, f"{where.url}/{SETS}/{candidate}/{MANIFEST}")
            return candidate, manifest
    raise NoSuchBackup(f"There is no whole backup {f'{name} ' if name else ''}in {where.url}.")


def index_of(where: Place, name: str) -> Generator[Line, None, None]:
    """Raises BackupDamaged, PlaceFailed."""
    try:
        return lines_of(where.read(f"{SETS}/{name}/{INDEX}"))
    except MessageGone:
        raise BackupDamaged(f"{where.url}/{SETS}/{name}/{INDEX} is missing.") from None


def thin_out(where: Place, keep: int, still: Callable[[], None]) -> tuple[list[str], int]:
    """Remove all whole sets but the newest `keep`, what never became whole, and the messages that none of the rest names.

    Their names, and how many messages. While no backup is being taken: `still` is asked before each removal, and raises when
    that may be so. Raises PlaceFailed, BackupDamaged.
    """
    whole = [name for name in where.sets() if where.manifest(name)]
    stay = whole[-keep:] if keep else []
    gone = [name for name in where.sets() if name not in stay]
    for name in gone:
        still()
        where.remove_set(name)
    with ExitStack() as files, ThreadPoolExecutor(HANDS, thread_name_prefix="backup") as hands:
        kept = [Lines(files.enter_context(closing(index_of(where, name)))) for name in stay]
        removed = 0
        for customer in where.blobs.folders():
            for mailbox in where.blobs.folders(customer):
                folder = f"{customer}/{mailbox}"
                named = set(chain.from_iterable(lines.of(folder) for lines in kept))
                loose = [
                    name for _, found in where.blobs.shards(folder) for name in found if name not in named
                ]
                rest = iter(loose)
                while some := list(islice(rest, BATCH)):
                    still()
                    removed += sum(1 for _ in hands.map(where.blobs.remove, some))
                if not named:
                    where.blobs.remove_empty_folders(folder)
    return [name for name in gone if name in whole], removed


def name_after(at: datetime, names: list[str]) -> str:
    """By which sets are in order, also where the clock has gone back."""
    last = max((found for name in names if (found := _time_in(name))), default=at)
    return f"{max(at, last + timedelta(microseconds=1)):{NAME}}"


def _time_in(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, NAME).replace(tzinfo=UTC)
    except ValueError:
        return None
