"""A folder. Django's file storage lacks durability: a blob here is written aside, flushed, renamed into place, and its
folder flushed, in this order.
"""

import errno
import logging
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import FileIO
from pathlib import Path
from uuid import UUID

from django.core.exceptions import SuspiciousFileOperation
from django.utils._os import safe_join

from mailboxes.errors import MessageGone, StoreFailed, StoreFull

from .interface import SHARDS, Blob, BlobStore, Draft

log = logging.getLogger(__name__)

READ_OCTETS = 256 * 1024
NO_FILE = {errno.ELOOP, errno.ENXIO}  # a link, a socket
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DRAFT_SUFFIX = ".draft"
FILE, FILE_OF_GROUP, FOLDER = 0o600, 0o060, 0o700


class NoRegularFile(OSError):
    """A pipe, a device or a folder lies there."""


def open_regular(path: str | Path, flags: int = 0) -> int:
    """A descriptor to read a file that others put there. Raises OSError, and NoRegularFile at once for what could make
    who opens or reads it wait for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoRegularFile(errno.EINVAL, "Not a regular file", str(path))
    return descriptor


class NoFolder(FileNotFoundError):
    """The folder itself is not there. It is not made: where one is missing, a volume may not be mounted."""

    def __str__(self) -> str:
        return f"There is no folder {self.filename}. Mount it, or make it."


def require_folder(root: Path) -> None:
    """Raises NoFolder."""
    if not root.is_dir():
        raise NoFolder(errno.ENOENT, os.strerror(errno.ENOENT), str(root))


class FolderStore(BlobStore):
    """Blobs below one folder, a folder for each customer and mailbox, 256 folders for each mailbox.

    All in it is for its owner alone, and where the folder's group may write into it, for that group as well.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)

    def path(self, name: str) -> Path:
        """Raises SuspiciousFileOperation for a name that leads out of the store."""
        return Path(safe_join(self.root, name))

    def draft(self, name: str, *, again: bool = False) -> "FolderDraft":
        draft = self.path(name + DRAFT_SUFFIX)
        if again:
            with suppress(FileNotFoundError, NotADirectoryError):
                _remove_all(draft)
        return FolderDraft(name, self.path(name), draft, self._for_group())

    def put_in_place(self, drafts: Sequence[Draft]) -> None:
        """Their folders are flushed once."""
        _put_in_place([draft for draft in drafts if isinstance(draft, FolderDraft)])

    def chunks(self, name: str) -> Iterator[bytes]:
        """Anything else than a file (a pipe, a link, a folder) counts as not there: opening it could wait for ever."""
        try:
            descriptor = open_regular(self.path(name), os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError, NoRegularFile):
            raise MessageGone from None
        except OSError as error:
            if error.errno in NO_FILE:
                raise MessageGone from None
            raise StoreFailed from error
        return _pieces(FileIO(descriptor, "rb"))

    def look_at(self, name: str) -> Blob | None:
        try:
            found = self.path(name).lstat()
        except (FileNotFoundError, NotADirectoryError, SuspiciousFileOperation):
            return None
        except OSError as error:
            raise StoreFailed from error
        return _blob(found) if stat.S_ISREG(found.st_mode) else None

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            _remove_all(self.path(name))

    def remove_mailbox(self, customer_id: UUID, mailbox_id: UUID) -> None:
        folder = self.path(f"{customer_id.hex}/{mailbox_id.hex}")
        while os.path.lexists(folder):
            with suppress(FileNotFoundError):  # somebody else is at it, too
                _remove_all(folder)
                _flush_folder(folder.parent)

    def folders(self, within: str = "") -> list[str]:
        return sorted(entry.name for entry in self._entries(within) if entry.is_dir(follow_symlinks=False))

    def holds_anything(self, folder: str) -> bool:
        return bool(self.folders(folder))

    def shards(self, folder: str, first: int = 0) -> Iterator[tuple[int, dict[str, Blob]]]:
        for number in range(first, len(SHARDS)):
            shard = f"{folder}/{SHARDS[number]}"
            found: dict[str, Blob] = {}
            for entry in self._entries(shard):
                try:
                    if entry.is_file(follow_symlinks=False):
                        found[f"{shard}/{entry.name}"] = _blob(entry.stat(follow_symlinks=False))
                except FileNotFoundError:  # removed meanwhile
                    continue
                except OSError as error:
                    raise StoreFailed from error
            yield number, found

    def remove_empty_folders(self, folder: str) -> None:
        """A draft that is about to be written there makes them again."""
        for shard in self.folders(folder):
            self._remove_folder(f"{folder}/{shard}")
        self._remove_folder(folder)

    def show_sign(self, sign: str) -> None:
        path, flags = self.path(sign), os.O_WRONLY | os.O_CREAT | os.O_EXCL
        for_group = self._for_group()
        mode = FILE | for_group & FILE_OF_GROUP
        with _as_store_errors():
            try:
                descriptor = os.open(path, flags, mode)
            except FileNotFoundError:
                _make_durably.cache_clear()  # somebody tidied up behind our back
                for folder in reversed(path.parents[: sign.count("/")]):  # never the store itself
                    _make_durably(folder, for_group)
                descriptor = os.open(path, flags, mode)
            os.close(descriptor)

    def shows_sign(self, sign: str) -> bool:
        with _as_store_errors():
            try:
                self.path(sign).lstat()
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def require_ready(self) -> None:
        """Not ready is what is not mounted, mounted read-only, not ours to write to, or full.

        A disk that fails only when it is written to is told by deliveries (`451`) and jobs.
        """
        require_folder(self.root)
        volume = os.statvfs(self.root)
        if volume.f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self.root))
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(self.root))
        # Some file systems count no files, and say 0 of 0.
        if not volume.f_bavail or (volume.f_files and not volume.f_favail):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.root))

    def _for_group(self) -> int:
        """What its group may do with all in it: several users keep one store. Without a folder, opening a file says so."""
        with suppress(OSError):
            if (mode := self.root.stat().st_mode) & stat.S_IWGRP:
                return mode & stat.S_IRWXG
        return 0

    def _entries(self, within: str) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self.path(within)) as entries:
                return [entry for entry in entries if _is_text(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreFailed from error

    def _remove_folder(self, name: str) -> None:
        try:
            self.path(name).rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST}:
                raise StoreFailed from error


class FolderDraft(Draft):
    """A file beside the place of its blob, which gets its name last."""

    def __init__(self, name: str, target: Path, path: Path, for_group: int) -> None:
        self.name = name
        self._target = target
        self._path = path
        self._for_group = for_group
        self._kept = False
        with _as_store_errors():
            try:
                self._file: FileIO | None = self._open()
            except FileNotFoundError:
                _make_durably.cache_clear()  # somebody tidied up behind our back
                self._file = self._open()

    def write(self, octets: bytes) -> None:
        view = memoryview(octets)
        with _as_store_errors():
            while view:
                assert self._file is not None, "the draft is closed"
                view = view[self._file.write(view) :]

    def keep(self) -> None:
        """Flush the file, put it in place, flush its folder."""
        self.flush()
        _put_in_place([self])

    def flush(self) -> None:
        assert self._file is not None, "the draft is closed"
        with _as_store_errors():
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def rename(self) -> Path:
        """Put it in place once it is flushed, and return the folder that has to be flushed. Raises StoreFailed."""
        with _as_store_errors():
            self._path.rename(self._target)
            self._kept = True
        return self._target.parent

    def discard(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        with suppress(OSError):
            (self._target if self._kept else self._path).unlink()

    def _open(self) -> FileIO:
        for folder in reversed(self._target.parents[:3]):  # customer, mailbox, shard
            _make_durably(folder, self._for_group)
        mode = FILE | self._for_group & FILE_OF_GROUP
        return FileIO(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _put_in_place(drafts: Sequence[FolderDraft]) -> None:
    folders = {draft.rename() for draft in drafts}
    with _as_store_errors():
        for folder in folders:
            _flush_folder(folder)


def _is_text(name: str) -> bool:
    """Whether a name can be written down. One that is no UTF-8 is none of ours; it goes with its mailbox."""
    if name.isprintable():  # surrogates are not
        return True
    log.warning("a file that is none of ours name=%r", name)
    return False


def _blob(found: os.stat_result) -> Blob:
    return Blob(found.st_size, found.st_mtime, found.st_ctime)


@contextmanager
def _as_store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise (StoreFull if error.errno in FULL else StoreFailed) from error


@lru_cache(maxsize=65536)
def _make_durably(folder: Path, for_group: int) -> None:
    """A folder outlives a power cut only once its parent has been flushed.

    Each process flushes for itself, the first time it writes there: whoever else made the folder may not have yet.
    """
    folder.mkdir(mode=FOLDER | for_group, exist_ok=True)
    _flush_folder(folder.parent)


def _remove_all(path: Path) -> None:
    """A file, a pipe, a link itself or a folder with its content.

    Raises FileNotFoundError, NotADirectoryError, StoreFailed.
    """
    try:
        try:
            path.unlink()
        except IsADirectoryError:
            shutil.rmtree(path)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise StoreFailed from error


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _pieces(file: FileIO) -> Iterator[bytes]:
    with file:
        while True:
            try:
                piece = file.read(READ_OCTETS)
            except OSError as error:
                raise StoreFailed from error
            if not piece:
                return
            yield piece
