"""The message store: sealed blobs, durable before anyone hears of them. `interface.py` has what each promises."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from .access import Access
from .both import BothStores
from .folder import FolderStore, open_regular
from .interface import SHARDS, Blob, BlobStore, Draft
from .s3 import S3Store

__all__ = [
    "SHARDS",
    "Access",
    "Blob",
    "BlobStore",
    "BothStores",
    "Draft",
    "FolderStore",
    "S3Store",
    "open_regular",
    "overlap",
    "store",
    "store_at",
]

S3 = "s3://"


def store() -> BlobStore:
    """The store of this installation; both, while it moves."""
    in_bucket = settings.STORE_URL.startswith(S3)
    main: BlobStore
    main = store_at(settings.STORE_URL) if in_bucket else FolderStore(settings.STORE_ROOT)
    return BothStores(main, store_at(settings.STORE_OTHER_URL)) if settings.STORE_OTHER_URL else main


def store_at(url: str) -> BlobStore:
    """The one that a URL names: file:///folder or s3://bucket/prefix."""
    if url.startswith(S3):
        return S3Store(url)
    return FolderStore(_folder(url))


def overlap(url: str, other: str) -> bool:
    """Whether these name the same store, or one within the other, as far as names, links and mounts tell without writing."""
    if url.startswith(S3) and other.startswith(S3):
        here, there = Access.to(url), Access.to(other)
        if (here.server, here.bucket) != (there.server, there.bucket):
            return False
        shorter, longer = sorted((f"{here.prefix}/", f"{there.prefix}/"), key=len)
        return shorter == "/" or longer.startswith(shorter)
    if url.startswith(S3) or other.startswith(S3):
        return False
    one, two = _folder(url).resolve(), _folder(other).resolve()
    return any(_is_same(one, each) for each in (two, *two.parents)) or any(
        _is_same(two, each) for each in one.parents
    )


def _folder(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _is_same(one: Path, two: Path) -> bool:
    try:
        return one == two or one.samefile(two)
    except OSError:  # one is not there, or not to be seen by this process
        return False
