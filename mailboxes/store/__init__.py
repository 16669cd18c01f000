"""The message store: sealed blobs, durable before anyone hears of them. `interface.py` has what each promises."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from .both import BothStores
from .folder import FolderStore, open_regular
from .interface import SHARDS, Blob, BlobStore, Draft
from .s3 import Access, S3Store

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
    return FolderStore(Path(unquote(urlsplit(url).path)))
