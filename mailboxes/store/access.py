"""Where a bucket is and how it is entered."""

from typing import NamedTuple

from django.conf import settings


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
