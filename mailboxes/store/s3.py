"""A bucket of any S3-compatible server. A blob is one object, there as a whole or not at all, and durable once the server
has said so.
"""

import errno
import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Literal, cast
from uuid import UUID

from django.conf import settings
from obstore.exceptions import AlreadyExistsError, BaseError, InvalidPathError
from obstore.store import S3Store as Client

from mailboxes.errors import MailboxError, MessageGone, StoreFailed, StoreFull
from tenants import unasked

from .access import Access
from .bucket import NO_ROOM, objects_below, remove_below
from .interface import SHARDS, Blob, BlobStore, Draft

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config, S3Credential

log = logging.getLogger(__name__)

IN_MEMORY_OCTETS = 256 * 1024  # of a draft; what is longer waits in an unnamed file, sealed as it is
# What is no longer goes in one request; the rest in parts of this size, so many on their way at a time.
PART_OCTETS = 8 * 1024 * 1024
PARTS_AT_ONCE = 3
READ_OCTETS = 1024 * 1024  # at first: one request gets most mail. Then in pieces of a part's size
# A piece is asked for anew, so that no time-out depends on how fast a reader reads.
REMOVED_AT_ONCE = 500
RETRIES = 3  # of what a server says it can't do just now; none once a request has used up its seconds
READY_SECONDS = 2.0
READY_AGAIN_SECONDS = 5.0  # anybody may ask whether we are ready, and a server charges for each request
NAME = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}/[0-9a-f]{2}/[^/]+")  # what may be the name of a blob here
PLAIN = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")  # names of all that is ours
FULL = ("507 Insufficient Storage", *NO_ROOM)  # how servers say that there is no room; the first by RFC 4918


class S3Store(BlobStore):
    """Blobs as objects below a prefix; folders are what their names begin with."""

    NAMES = NAME

    def __init__(self, url: str, access: Access | None = None) -> None:
        self.location = url
        self._access = access or Access.to(url)

    @property
    def _client(self) -> Client:
        _require_fit()
        return _client(self._access, settings.S3_TIMEOUT, RETRIES, os.getpid())

    def draft(self, name: str, *, again: bool = False) -> "S3Draft":
        return S3Draft(self, name, again=again)

    def put_in_place(self, drafts: Sequence[Draft]) -> None:
        """They are there since they were flushed."""

    def chunks(self, name: str) -> Iterator[bytes]:
        if not self.NAMES.fullmatch(name):
            raise MessageGone
        with _as_store_errors():
            try:
                first = self._client.get(name, options={"range": (0, READ_OCTETS)})
                return self._pieces(name, bytes(first.bytes()), first.meta["size"])
            except BaseError as error:
                if " 416 " not in str(error):
                    raise
                return iter(())  # nothing is in it, so no range of it

    def look_at(self, name: str) -> Blob | None:
        if not self.NAMES.fullmatch(name):
            return None
        try:
            with _as_store_errors():
                return _blob(self._client.head(name))
        except MessageGone:
            return None

    def remove(self, name: str) -> None:
        with suppress(MessageGone), _as_store_errors():
            self._client.delete(name)

    def remove_mailbox(self, customer_id: UUID, mailbox_id: UUID) -> None:
        """Others than ours may have put objects there whose keys the library can't say, such as `xx/` for a folder."""
        folder = f"{customer_id.hex}/{mailbox_id.hex}"
        before: list[str] = []
        while names := [name for name, _ in islice(self._below(folder), REMOVED_AT_ONCE)]:
            if names == before:
                break
            with suppress(MessageGone), _as_store_errors():  # somebody else is at it, too
                self._client.delete(names)
            before = names
        if names or any(True for _ in objects_below(self._access, f"{folder}/")):
            remove_below(self._access, f"{folder}/")

    def folders(self, within: str = "") -> list[str]:
        """Some servers name those that are empty for a while longer."""
        try:
            with _as_store_errors(gone=StoreFailed):  # there is no such bucket
                found = self._client.list_with_delimiter(within or None)
        except StoreFailed as error:
            if not isinstance(error.__cause__, InvalidPathError):
                raise
            start = f"{within}/" if within else ""
            rests = (name.removeprefix(start) for name, _ in self._by_other_means(within, ""))
            return sorted({rest.partition("/")[0] for rest in rests if "/" in rest})
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def holds_anything(self, folder: str) -> bool:
        return next(self._below(folder), None) is not None

    def shards(self, folder: str, first: int = 0) -> Iterator[tuple[int, dict[str, Blob]]]:
        """Names come in order, a thousand with each request. A server that had another order would only have more of them
        looked at one by one.
        """
        # Behind all names of the shard before, as 0 comes behind a slash; some servers leave out what is in "xx/" itself.
        below = self._below(folder, after=f"{folder}/{SHARDS[first - 1]}0" if first else None)
        ahead = next(below, None)
        for number in range(first, len(SHARDS)):
            shard = f"{folder}/{SHARDS[number]}/"
            found: dict[str, Blob] = {}
            while ahead is not None and (ahead[0] < shard or ahead[0].startswith(shard)):
                if ahead[0].startswith(shard) and self.NAMES.fullmatch(ahead[0]):
                    found[ahead[0]] = ahead[1]
                ahead = next(below, None)
            yield number, found

    def remove_empty_folders(self, folder: str) -> None:
        """There are none."""

    def show_sign(self, sign: str) -> None:
        with _as_store_errors(gone=StoreFailed):
            self._client.put(sign, b"", use_multipart=False)

    def shows_sign(self, sign: str) -> bool:
        try:
            with _as_store_errors():
                self._client.head(sign)
        except MessageGone:
            return False
        return True

    def require_ready(self) -> None:
        """Not ready is a bucket that is not reached, not there or not ours to read. The answer is up to
        READY_AGAIN_SECONDS old.
        """
        _require_fit()
        _require_ready(self._access, os.getpid(), int(time.monotonic() / READY_AGAIN_SECONDS))

    def _below(self, folder: str, after: str | None = None) -> Iterator[tuple[str, Blob]]:
        try:
            with _as_store_errors(gone=StoreFailed):
                for page in self._client.list(folder, offset=after, chunk_size=1000):
                    for found in page:
                        yield found["path"], _blob(found)
                        after = found["path"]
        except StoreFailed as error:
            if not isinstance(error.__cause__, InvalidPathError):
                raise
            yield from self._by_other_means(folder, after or "")

    def _by_other_means(self, folder: str, after: str) -> Iterator[tuple[str, Blob]]:
        """Where the library stops at a key that it can't say, such as one with a line break. It is none of ours."""
        for name, octets, moment in objects_below(self._access, f"{folder}/" if folder else "", after):
            if PLAIN.fullmatch(name):
                at = datetime.fromisoformat(moment).timestamp()
                yield name, Blob(octets, at, at)
            else:
                log.warning("an object that is none of ours bucket=%s key=%r", self._access.bucket, name)

    def _pieces(self, name: str, piece: bytes, size: int) -> Iterator[bytes]:
        at = 0
        while piece:
            yield piece
            at += len(piece)
            if at >= size:
                return
            # Who removes it meanwhile, as re-encryption does, has put it elsewhere: the next attempt finds it.
            with _as_store_errors(gone=StoreFailed):
                piece = bytes(self._client.get_range(name, start=at, end=min(at + PART_OCTETS, size)))


class S3Draft(Draft):
    """Nothing of it leaves this machine before it is whole, so a sender that goes away leaves nothing at the server."""

    def __init__(self, store: S3Store, name: str, *, again: bool = False) -> None:
        self.name = name
        self._store = store
        self._mode: Literal["create", "overwrite"] = "overwrite" if again else "create"
        self._octets = 0
        self._may_be_there = False
        spool = SpooledTemporaryFile(max_size=IN_MEMORY_OCTETS)  # noqa: SIM115 - closed by `flush` or `discard`
        self._file: IO[bytes] | None = cast(IO[bytes], spool)

    def write(self, octets: bytes) -> None:
        assert self._file is not None, "the draft is closed"
        with _as_store_errors(gone=StoreFailed):
            self._file.write(octets)
        self._octets += len(octets)

    def keep(self) -> None:
        self.flush()

    def flush(self) -> None:
        """What lies there is not written over, unless this is another attempt."""
        file, self._file = self._file, None
        assert file is not None, "the draft is closed"
        with file, _as_store_errors(gone=StoreFailed):
            client = self._store._client
            file.seek(0)
            self._may_be_there = True
            if self._octets <= PART_OCTETS:
                try:
                    client.put(self.name, file.read(), mode=self._mode, use_multipart=False)
                except AlreadyExistsError:
                    self._may_be_there = False  # what is there is not this one
                    raise
            else:
                pieces = iter(lambda: file.read(PART_OCTETS), b"")
                client.put(self.name, pieces, chunk_size=PART_OCTETS, max_concurrency=PARTS_AT_ONCE)

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._may_be_there:
            with suppress(MailboxError):
                self._store.remove(self.name)
                self._may_be_there = False


def _require_fit() -> None:
    """Raises StoreFailed when the process started without the bucket, and it is not fit."""
    try:
        unasked.settle(unasked.BUCKET)
    except unasked.NotFit as error:
        raise StoreFailed from error


@lru_cache(maxsize=16)
def _client(access: Access, seconds: float, retries: int, process_id: int) -> Client:
    """One for all threads of a process. It has threads of its own, which a fork would lose: no process may use it before
    it forks, which is why the checks (mailboxes/store/bucket.py) ask in another way.
    """
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=min(seconds, 5)),
        "timeout": timedelta(seconds=seconds),
        "allow_http": access.server.startswith("http://"),
    }
    if access.ca_file:
        with _as_store_errors(gone=StoreFailed):
            options["root_certificate"] = Path(access.ca_file).read_bytes()
    # What the library would take from the environment for other programs is said here, or by the function.
    config: S3Config = {
        "region": access.region,
        "endpoint": access.server,
        "aws_endpoint_url_s3": access.server,
        "skip_signature": False,
        "virtual_hosted_style_request": False,
        "disable_bulk_delete": True,  # which some servers don't have
    }

    def keys() -> "S3Credential":
        return {
            "access_key_id": access.access_key_id,
            "secret_access_key": access.secret_access_key,
            "token": None,
            "expires_at": None,
        }

    return Client(
        access.bucket,
        prefix=access.prefix or None,
        config=config,
        credential_provider=keys,
        client_options=options,
        retry_config={
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=seconds),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    )


@lru_cache(maxsize=4)
def _require_ready(access: Access, process_id: int, moment: int) -> None:
    """Raises StoreFailed, and then is asked again at once."""
    client = _client(access, READY_SECONDS, 0, process_id)
    with suppress(MessageGone), _as_store_errors():
        client.get(
            "ready"
        )  # no blob is called so; asked for like one, as otherwise no bucket looks like no blob


@contextmanager
def _as_store_errors(*, gone: type[MailboxError] = MessageGone) -> Iterator[None]:
    """Raises `gone` where there is no such object, StoreFull, StoreFailed."""
    try:
        yield
    except (FileNotFoundError, InvalidPathError) as error:
        if "NoSuchBucket" in str(error):
            raise StoreFailed from error
        raise gone from error
    except (BaseError, OSError) as error:
        raise (StoreFull if _is_full(error) else StoreFailed) from error


def why_bucket_failed(error: BaseException | None) -> str:
    """In words without secrets, as far as it is known: what the server says beside its code quotes what we sent."""
    text = str(error)
    code = found[1] if (found := re.search(r"<Code>(\w+)</Code>", text)) else ""
    status = found[1] if (found := re.search(r"status code: (\d{3})", text)) else ""
    said = " ".join(filter(None, (status, code)))
    if code == "NoSuchBucket":
        return "there is no such bucket (404)"
    if status in ("401", "403"):
        return f"the keys are wrong, or have no right to do this ({said})"
    if status:
        return f"its server says {said}"
    if "kind: Timeout" in text:
        return "its server did not answer in time"
    if "dns error" in text:
        return "its server's name is not known"
    if "ConnectionRefused" in text:
        return "its server refused the connection"
    if "kind: Connect" in text:
        return "its server can't be reached"
    return "its server sends us elsewhere" if "redirect" in text else ""


def _is_full(error: Exception) -> bool:
    here = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return here or any(words in str(error) for words in FULL)


def _blob(found: Any) -> Blob:
    at = found["last_modified"].timestamp()
    return Blob(found["size"], at, at)
