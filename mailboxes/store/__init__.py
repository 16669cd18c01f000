"""The message store: sealed blobs, durable before anyone hears of them. `interface.py` has what each promises."""

from django.conf import settings

from .access import S3, Access, folder_of, overlap
from .both import BothStores
from .folder import FolderStore, NoFolder, open_regular, require_folder
from .interface import SHARDS, Blob, BlobStore, Draft
from .s3 import S3Store, why_bucket_failed

__all__ = [
    "SHARDS",
    "Access",
    "Blob",
    "BlobStore",
    "BothStores",
    "Draft",
    "FolderStore",
    "NoFolder",
    "S3Store",
    "open_regular",
    "overlap",
    "require_folder",
    "store",
    "store_at",
    "why_bucket_failed",
]


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
    return FolderStore(folder_of(url))
