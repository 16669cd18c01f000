"""Where a store is, and how a bucket is entered."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from django.conf import settings

S3 = "s3://"


class Access(NamedTuple):
    """Where the bucket is and how it is entered."""

    bucket: str
    prefix: str
    server: str  # its URL
    region: str
    access_key_id: str
    secret_access_key: str
    ca_file: str

    @classmethod
    def to(cls, url: str, *, of: str = "S3") -> "Access":
        """That of `s3://bucket/prefix`, by the settings whose names begin so."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        region = getattr(settings, f"{of}_REGION")
        return cls(
            bucket,
            prefix.strip("/"),
            getattr(settings, f"{of}_ENDPOINT") or f"https://s3.{region}.amazonaws.com",
            region,
            getattr(settings, f"{of}_ACCESS_KEY_ID"),
            getattr(settings, f"{of}_SECRET_ACCESS_KEY"),
            getattr(settings, f"{of}_CA_FILE"),
        )


def overlap(url: str, other: str, *, of: str = "S3") -> bool:
    """Whether these name the same store, or one within the other, as far as names, links and mounts tell without writing.
    `of` is where the settings of `other` stand.
    """
    if url.startswith(S3) and other.startswith(S3):
        here, there = Access.to(url), Access.to(other, of=of)
        if (here.server, here.bucket) != (there.server, there.bucket):
            return False
        shorter, longer = sorted((f"{here.prefix}/", f"{there.prefix}/"), key=len)
        return shorter == "/" or longer.startswith(shorter)
    if url.startswith(S3) or other.startswith(S3):
        return False
    one, two = folder_of(url).resolve(), folder_of(other).resolve()
    return any(_is_same(one, each) for each in (two, *two.parents)) or any(
        _is_same(two, each) for each in one.parents
    )


def folder_of(url: str) -> Path:
    """That of `file:///folder`."""
    return Path(unquote(urlsplit(url).path))


def _is_same(one: Path, two: Path) -> bool:
    try:
        return one == two or one.samefile(two)
    except OSError:  # one is not there, or not to be seen by this process
        return False
