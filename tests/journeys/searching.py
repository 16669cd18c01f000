"""Looking for secrets where they must not be, in every form that programs give them on the way."""

import base64
import gzip
import io
import quopri
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection

from portal.onebox.embedded import postgres

READERS: dict[bytes, Callable[[Any, bytes], list[bytes]]] = {
    b"string": lambda client, key: [client.get(key)],
    b"list": lambda client, key: client.lrange(key, 0, -1),
    b"hash": lambda client, key: [piece for pair in client.hgetall(key).items() for piece in pair],
    b"set": lambda client, key: list(client.smembers(key)),
    b"zset": lambda client, key: client.zrange(key, 0, -1),
}


def forms(secret: bytes) -> dict[str, bytes]:
    """The ways in which a secret could be written down."""
    found = {
        "raw": secret,
        "hex": secret.hex().encode(),
        "upper-case hex": secret.hex().upper().encode(),
        "repr": repr(secret)[2:-1].encode(),
        "quoted-printable": quopri.encodestring(secret),
    }
    for shift in range(3):  # base64 of something that has the secret in it, wherever it begins
        encoded = base64.b64encode(b"\0" * shift + secret)
        inner = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
        found[f"base64 at {shift}"] = inner
        found[f"base64url at {shift}"] = inner.replace(b"+", b"-").replace(b"/", b"_")
    with suppress(UnicodeDecodeError):
        text = secret.decode()
        found["UTF-16"] = text.encode("utf-16-le")
        found["upper case"] = text.upper().encode()
        found["lower case"] = text.lower().encode()
        found["without dashes"] = text.replace("-", "").encode()
    return found


def leaks(secrets: dict[str, bytes], places: dict[str, bytes]) -> list[str]:
    """Which secret stands where, and how; empty if none does."""
    return [
        f"{name} as {form} in {place}"
        for name, secret in secrets.items()
        for form, needle in forms(secret).items()
        for place, content in places.items()
        if needle in content
    ]


def database_dump() -> bytes:
    """All schemas as SQL."""
    parameters = connection.get_connection_params()
    command = [
        str(postgres._programs() / "pg_dump"),
        "--host",
        parameters["host"],
        "--username",
        parameters["user"],
    ]
    command += ["--port", str(parameters.get("port", 5432)), parameters["dbname"]]
    return subprocess.run(command, check=True, capture_output=True).stdout


def session_rows() -> bytes:
    """What is in people's sessions, decoded."""
    store = SessionStore()
    return b"\n".join(repr(store.decode(row.session_data)).encode() for row in Session.objects.all())


def redis_content(client: Any) -> bytes:
    """All keys and values, compressed ones opened."""
    pieces = []
    for key in client.scan_iter():
        pieces += [key, *READERS[client.type(key)](client, key)]
    return b"\n".join(piece for value in pieces for piece in _opened(value))


def files_below(folder: Path) -> bytes:
    """All files, their names too, compressed ones opened."""
    return b"\n".join(
        piece
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for piece in (str(path).encode(), *_opened(path.read_bytes()))
    )


def _opened(content: bytes) -> Iterator[bytes]:
    yield content
    if content[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError):
            yield gzip.GzipFile(fileobj=io.BytesIO(content)).read()
    with suppress(zlib.error):
        yield zlib.decompress(content)
    for encoded in re.findall(rb"[A-Za-z0-9+/]{40,}={0,2}", content):  # Celery's bodies are base64 in JSON
        with suppress(ValueError):
            yield base64.b64decode(encoded, validate=True)
