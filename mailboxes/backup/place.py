"""Where backups lie: a folder or a bucket, by the means of the message store.

backup.json                 which installation's they are
blobs/<name of the store>   messages, as they lie in the store
sets/<set>/                 one backup; whole once manifest.json is there, which comes last
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from mailboxes.backup.errors import BackupDamaged, NoPlace, PlaceFailed
from mailboxes.errors import MessageGone, StoreFailed, StoreFull
from mailboxes.store import (
    Access,
    Blob,
    BlobStore,
    Draft,
    FolderStore,
    NoFolder,
    S3Store,
    require_folder,
    why_bucket_failed,
)

S3 = "s3://"
OF_BACKUPS = "BACKUP_S3"  # with which the settings of their bucket begin
FORMAT = 1
# Formats of manifests: earlier releases, which know the first only, take no export for a backup.
WHOLE, ONE_CUSTOMER = 1, 2
OWNER, SETS, BLOBS, MANIFEST = "backup.json", "sets", "blobs", "manifest.json"
MANIFEST_OCTETS = 64 * 1024 * 1024
PLACE = re.compile(r"file:///\S+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?")

Item = TypeVar("Item")


class _Files(S3Store):
    """Objects of any name."""

    NAMES = re.compile(r".+")

    def remove(self, name: str) -> None:
        for found, _ in list(self._below(name)):
            super().remove(found)
        super().remove(name)


class _Told:
    """A store that is a part of a place: what goes wrong with it is told as trouble with the place, not with the message
    store, for whoever reads it has to know at which of the two to look.
    """

    def __init__(self, store: BlobStore, url: str) -> None:
        self._store, self._url = store, url

    def draft(self, name: str, *, again: bool = False) -> "_ToldDraft":
        with self.told():
            return _ToldDraft(self._store.draft(name, again=again), self)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Raises MessageGone at once when there is none, PlaceFailed."""
        with self.told():
            return self._each(self._store.chunks(name))

    def remove(self, name: str) -> None:
        with self.told():
            self._store.remove(name)

    def folders(self, within: str = "") -> list[str]:
        with self.told():
            return self._store.folders(within)

    def shards(self, folder: str) -> Iterator[tuple[int, dict[str, Blob]]]:
        return self._each(self._store.shards(folder))

    def remove_empty_folders(self, folder: str) -> None:
        with self.told():
            self._store.remove_empty_folders(folder)

    def make_root(self) -> None:
        if isinstance(self._store, FolderStore):
            with self.told():
                try:
                    self._store.root.mkdir(mode=0o700, exist_ok=True)
                except OSError as error:
                    raise StoreFailed from error

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raises PlaceFailed."""
        try:
            yield
        except (StoreFull, StoreFailed) as error:
            raise PlaceFailed(self._words(error)) from error

    def _each(self, items: Iterator[Item]) -> Iterator[Item]:
        with self.told():
            yield from items

    def _words(self, error: StoreFull | StoreFailed) -> str:
        cause = error.__cause__
        here = cause if isinstance(cause, OSError) and cause.errno is not None else None
        if here and self._url.startswith(S3) and not here.filename:
            room = "has no room" if isinstance(error, StoreFull) else f"can't be used ({here.strerror})"
            return (
                f"TMPDIR ({tempfile.tempdir or 'none is to be written'}) {room}: what goes to a bucket waits there. Make room, or "
                "name another folder."
            )
        if isinstance(error, StoreFull):
            return f"The place of the backups, {self._url}, is full. Make room there."
        if here:
            why = (here.strerror or "") + (f", {here.filename}" if here.filename else "")
        else:
            why = why_bucket_failed(cause) if self._url.startswith(S3) else ""
        return (
            f"The place of the backups, {self._url}, did not take or give what it was asked for"
            + (f": {why}" if why else "")
            + "."
        )


class _ToldDraft:
    """What is written to a place."""

    def __init__(self, draft: Draft, of: _Told) -> None:
        self._draft, self._of = draft, of

    def write(self, octets: bytes) -> None:
        with self._of.told():
            self._draft.write(octets)

    def keep(self) -> None:
        with self._of.told():
            self._draft.keep()

    def discard(self) -> None:
        self._draft.discard()


class Place:
    """A place for backups. What is written to it is there whole, and durably, or not at all."""

    def __init__(self, url: str) -> None:
        """Raises NoPlace."""
        self.url = url.rstrip("/")
        if not PLACE.fullmatch(url):
            raise NoPlace(f"{url!r} is no place for backups: use file:///folder or s3://bucket/prefix.")
        if url.startswith(S3):
            access = Access.to(self.url, of=OF_BACKUPS)
            if missing := [
                f"GATEHOUSE_{OF_BACKUPS}_{name.upper()}"
                for name in ("access_key_id", "secret_access_key")
                if not getattr(access, name)
            ]:
                raise NoPlace(f"{self.url} is a bucket, and there is no {' and no '.join(missing)}.")
            prefix = f"{access.prefix}/{BLOBS}".lstrip("/")
            files: BlobStore = _Files(self.url, access)
            blobs: BlobStore = S3Store(f"{self.url}/{BLOBS}", access._replace(prefix=prefix))
        else:
            root = Path(unquote(urlsplit(self.url).path))
            try:
                require_folder(root)
            except NoFolder as missing:
                raise NoPlace(str(missing)) from missing
            files, blobs = FolderStore(root), FolderStore(root / BLOBS)
        self._files, self.blobs = _Told(files, self.url), _Told(blobs, self.url)

    def claim(self, installations: Sequence[str]) -> None:
        """From now on this is one installation's place, or that of one of its customers, by the first of the names that it has
        or had. Raises NoPlace when it is another's, PlaceFailed.
        """
        try:
            owner = json.loads(b"".join(self.read(OWNER)))
        except MessageGone:
            self.blobs.make_root()
            self.write(OWNER, [json.dumps({"format": FORMAT, "installation": installations[0]}).encode()])
            return
        except ValueError:
            owner = None
        if not isinstance(owner, dict) or owner.get("installation") not in installations:
            raise NoPlace(
                f"Backups of another installation, or of one customer, lie in {self.url}. Choose another folder or prefix: of "
                "what lies in one, each installation removes what it does not know."
            )

    def owner(self) -> str:
        """Whose place it is, as `claim` wrote it; empty when nobody says. Raises PlaceFailed."""
        try:
            found = json.loads(b"".join(self.read(OWNER)))
        except (MessageGone, ValueError):
            return ""
        return str(found.get("installation", "")) if isinstance(found, dict) else ""

    def write(self, name: str, pieces: Iterable[bytes]) -> dict[str, Any]:
        """What was written, as a manifest tells it. Raises PlaceFailed, and what `pieces` raises."""
        draft = self._files.draft(name, again=True)
        digest, octets = hashlib.sha256(), 0
        try:
            for piece in pieces:
                draft.write(piece)
                digest.update(piece)
                octets += len(piece)
            draft.keep()
        except BaseException:
            draft.discard()
            raise
        return {"name": name.rpartition("/")[2], "octets": octets, "sha256": digest.hexdigest()}

    def read(self, name: str) -> Iterator[bytes]:
        """Raises MessageGone, PlaceFailed."""
        return self._files.chunks(name)

    def verify(self, folder: str, part: dict[str, Any]) -> None:
        """Read it back. Raises BackupDamaged unless it is what was written."""
        if digest_of(lambda: self.read(f"{folder}/{part['name']}")) != (part["octets"], part["sha256"]):
            raise BackupDamaged(f"{self.url}/{folder}/{part['name']} is missing or is not what was written.")

    def sets(self) -> list[str]:
        """All that were begun, the oldest first."""
        return self._files.folders(SETS)

    def manifest(self, name: str) -> dict[str, Any] | None:
        """That of a set; None when it never became whole. Raises BackupDamaged."""
        try:
            with closing(_at_most(self.read(f"{SETS}/{name}/{MANIFEST}"), MANIFEST_OCTETS)) as pieces:
                found = json.loads(b"".join(pieces))
        except MessageGone:
            return None
        except ValueError:
            found = None
        if not isinstance(found, dict) or found.get("format") not in (WHOLE, ONE_CUSTOMER):
            raise BackupDamaged(
                f"{self.url}/{SETS}/{name}/{MANIFEST} is not of a kind that this release knows."
            )
        return found

    def remove(self, name: str) -> None:
        """A file or a folder. Raises PlaceFailed."""
        self._files.remove(name)

    def remove_set(self, name: str) -> None:
        """The manifest goes first: what is left of a set never looks whole."""
        self.remove(f"{SETS}/{name}/{MANIFEST}")
        self.remove(f"{SETS}/{name}")


def digest_of(read: Any) -> tuple[int, str] | None:
    """Octets and SHA-256 of what `read` opens; None when it is not there."""
    digest, octets = hashlib.sha256(), 0
    try:
        for piece in read():
            digest.update(piece)
            octets += len(piece)
    except MessageGone:
        return None
    return octets, digest.hexdigest()


def _at_most(pieces: Iterator[bytes], most: int) -> Generator[bytes, None, None]:
    """Raises ValueError when there is more."""
    for piece in pieces:
        most -= len(piece)
        if most < 0:
            raise ValueError
        yield piece
