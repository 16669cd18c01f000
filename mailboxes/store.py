"""The message store: sealed blobs, durable before anyone hears of them. Names say nothing, contents are sealed.

On Django's storage API, so that other back ends can follow; what Django's file storage lacks is durability:
a blob here is written aside, flushed, renamed into place, and its folder flushed, in this order.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import FileIO
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage

from mailboxes.errors import MessageGone, StoreFailed, StoreFull

READ_OCTETS = 256 * 1024
NO_FILE = {errno.ELOOP, errno.ENXIO}  # a link, a socket
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DRAFT_SUFFIX = ".draft"


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


class BlobStore(FileSystemStorage):
    """Blobs below one folder, a folder for each customer and mailbox, 256 folders for each mailbox."""

    def __init__(self, root: Path) -> None:
        super().__init__(location=root, directory_permissions_mode=0o700, file_permissions_mode=0o600)

    def new_name(self, customer_id: UUID, mailbox_id: UUID, shard: str = "") -> str:
        """A name that tells nothing about the message and is never used twice.

        Blobs that are kept together may share a shard (`new_shard`), so that one folder has to be flushed.
        """
        return f"{customer_id.hex}/{mailbox_id.hex}/{shard or self.new_shard()}/{secrets.token_hex(15)}"

    def new_shard(self) -> str:
        return secrets.token_hex(1)

    def draft(self, name: str) -> "Draft":
        """Begin a blob. Raises StoreFull, StoreFailed."""
        return Draft(name, Path(self.path(name)))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A blob's octets, piece by piece. Raises MessageGone at once when no such file is there, StoreFailed when it can't be read.

        Anything else than a file (a pipe, a link, a folder) counts as not there: opening it could wait for ever.
        """
        try:
            descriptor = open_regular(self.path(name), os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError, NoRegularFile):
            raise MessageGone from None
        except OSError as error:
            if error.errno in NO_FILE:
                raise MessageGone from None
            raise StoreFailed from error
        return _pieces(FileIO(descriptor, "rb"))

    def remove(self, name: str) -> None:
        """Remove whatever lies in a blob's place; nothing is no error. Raises StoreFailed."""
        with suppress(FileNotFoundError, NotADirectoryError):
            _remove_all(Path(self.path(name)))

    def remove_mailbox(self, customer_id: UUID, mailbox_id: UUID) -> None:
        """Remove a mailbox's folder with whatever is in it. Raises StoreFailed."""
        folder = Path(self.path(f"{customer_id.hex}/{mailbox_id.hex}"))
        while os.path.lexists(folder):
            with suppress(FileNotFoundError):  # somebody else is at it, too
                _remove_all(folder)
                _flush_folder(folder.parent)

    def folders(self, within: str = "") -> list[str]:
        """The names of the folders in a folder, sorted; none when it is not there. Raises StoreFailed."""
        return self._names(within, lambda entry: entry.is_dir(follow_symlinks=False))

    def files(self, within: str) -> list[str]:
        """The names of the files in a folder, sorted; none when it is not there. Raises StoreFailed."""
        return self._names(within, lambda entry: entry.is_file(follow_symlinks=False))

    def look_at(self, name: str) -> os.stat_result | None:
        """What the file system knows of a file; None when there is no such file in the store. Raises StoreFailed."""
        try:
            found = Path(self.path(name)).lstat()
        except (FileNotFoundError, NotADirectoryError, SuspiciousFileOperation):
            return None
        except OSError as error:
            raise StoreFailed from error
        return found if stat.S_ISREG(found.st_mode) else None

    def remove_folder(self, name: str) -> None:
        """Remove a folder if it is empty; a draft that is about to be written there makes it again. Raises StoreFailed."""
        try:
            Path(self.path(name)).rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST}:
                raise StoreFailed from error

    def _names(self, within: str, wanted: Callable[["os.DirEntry[str]"], bool]) -> list[str]:
        try:
            with os.scandir(self.path(within)) as entries:
                return sorted(entry.name for entry in entries if wanted(entry))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreFailed from error


class Draft:
    """A blob in the making: `write`, then `keep` (durable when it returns) or `discard`."""

    def __init__(self, name: str, target: Path) -> None:
        self.name = name
        self._target = target
        self._path = target.with_name(target.name + DRAFT_SUFFIX)
        self._kept = False
        with _as_store_errors():
            try:
                self._file: FileIO | None = self._open()
            except FileNotFoundError:
                _make_durably.cache_clear()  # somebody tidied up behind our back
                self._file = self._open()

    def write(self, octets: bytes) -> None:
        """Raises StoreFull, StoreFailed."""
        view = memoryview(octets)
        with _as_store_errors():
            while view:
                assert self._file is not None, "the draft is closed"
                view = view[self._file.write(view) :]

    def keep(self) -> None:
        """Flush the file, put it in place, flush its folder. Raises StoreFull, StoreFailed: then nothing is kept."""
        self.flush()
        put_in_place([self])

    def flush(self) -> None:
        """Raises StoreFull, StoreFailed."""
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
        """Remove what was written, kept or not; as often as you like."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
        with suppress(OSError):
            (self._target if self._kept else self._path).unlink()

    def _open(self) -> FileIO:
        for folder in reversed(self._target.parents[:3]):  # customer, mailbox, shard
            _make_durably(folder)
        return FileIO(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def put_in_place(drafts: Sequence[Draft]) -> None:
    """Put flushed drafts in place and flush their folders once. Raises StoreFull, StoreFailed: then discard them."""
    folders = {draft.rename() for draft in drafts}
    with _as_store_errors():
        for folder in folders:
            _flush_folder(folder)


def store() -> BlobStore:
    """The store of this installation."""
    return BlobStore(settings.STORE_ROOT)


@contextmanager
def _as_store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise (StoreFull if error.errno in FULL else StoreFailed) from error


@lru_cache(maxsize=65536)
def _make_durably(folder: Path) -> None:
    """A folder outlives a power cut only once its parent has been flushed.

    Each process flushes for itself, the first time it writes there: whoever else made the folder may not have yet.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
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
