"""The gateway's pair of files, taken from where Caddy keeps what it got for the gateway's name.

Its storage has the keys of all hosts, so the gateway is not let in there: whoever runs this may read it and writes the
one pair where the gateway reads it (docs/deployment.md).
"""

import logging
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mailboxes.store import open_regular

from .errors import BadCertificate
from .tls import Certificate, first_of, life_of, names_of

log = logging.getLogger("gateway.renewal")

CERT_NAME, KEY_NAME = "cert.pem", "key.pem"
MODE = 0o640  # the folder's group is the gateway's
FILE_OCTETS = 1024 * 1024  # a chain of certificates has some thousands
NAMED = 4


class _Pair(NamedTuple):
    """What can be served. In order: what is valid now, then what was issued last, then what came last."""

    is_valid: bool
    begins: datetime
    ends: datetime
    came_ns: int
    files: tuple[Path, Path]


def copy_pair(storage: Path, host: str, folder: Path) -> bool | None:
    """Put the best pair of the storage that can be served for this host into the folder, as cert.pem and key.pem: of those
    that are valid now the one that was issued last, whatever the dates of the files. Without one, what is no worse than
    what is there.

    True if it is another one than was there, False if not, None while there is none. Raises BadCertificate when there are
    only such as can't be served, or worse ones, and OSError; then what is in the folder stays.
    """
    pair = _best(storage, host)
    if pair is None:
        return None
    contents = [_read(file) for file in pair.files]
    targets = folder / CERT_NAME, folder / KEY_NAME
    if contents == [_read(target) if target.exists() else b"" for target in targets]:
        return False
    if not pair.is_valid:
        _require_none_better(pair, targets, host)
        log.warning("%s is valid from %s to %s only, and there is none better", *_told(pair))
    # One after the other: who reads between them finds a pair that does not fit, keeps its own and looks again.
    for target, content in zip(reversed(targets), reversed(contents), strict=True):
        _put(target, content)
    return True


def _best(storage: Path, host: str) -> _Pair | None:
    """Caddy has a folder for each authority, and takes another one when the first gives nothing. What it has half written,
    or somebody damaged, hides no other one.
    """
    found: list[_Pair] = []
    first_trouble: BadCertificate | None = None
    for files in _pairs(storage, host):
        try:
            found.append(_pair(files, host))
        except BadCertificate as error:
            first_trouble = first_trouble or error
            log.warning("%s is passed over: %s", files[0], error)
    if first_trouble and not found:
        raise first_trouble
    return max(found, default=None)


def _pair(files: tuple[Path, Path], host: str) -> _Pair:
    """Raises BadCertificate, OSError."""
    Certificate(*files)
    _require_name(files[0], host)
    begins, ends = life_of(first_of(files[0]))
    return _Pair(begins <= datetime.now(UTC) < ends, begins, ends, files[0].stat().st_mtime_ns, files)


def _require_none_better(pair: _Pair, there: tuple[Path, Path], host: str) -> None:
    """Raises BadCertificate when the gateway has a pair that is valid, or ends later."""
    try:
        own = _pair(there, host)
    except (BadCertificate, OSError):
        return  # none, or one that it can't serve
    if (own.is_valid, own.ends) >= (pair.is_valid, pair.ends):
        raise BadCertificate(
            "{} is valid from {} to {} only, and the gateway has a better one".format(*_told(pair))
        )


def _told(pair: _Pair) -> tuple[Path, str, str]:
    return pair.files[0], f"{pair.begins:%Y-%m-%d %H:%M}", f"{pair.ends:%Y-%m-%d %H:%M} UTC"


def _require_name(cert: Path, host: str) -> None:
    names = names_of(first_of(cert))
    if not any(name in (host, f"*.{host.partition('.')[2]}") for name in map(str.lower, names)):
        raise BadCertificate(f"it is for {', '.join(names[:NAMED]) or 'no host'}, not for {host}")


def _pairs(storage: Path, host: str) -> Iterator[tuple[Path, Path]]:
    for cert in (storage / "certificates").glob(f"*/{host}/{host}.crt"):
        key = cert.with_suffix(".key")
        if key.exists():
            yield cert, key


def _read(file: Path) -> bytes:
    with os.fdopen(open_regular(file), "rb") as opened:
        content = opened.read(FILE_OCTETS + 1)
    if len(content) > FILE_OCTETS:
        raise BadCertificate(f"{file} is no file of a certificate")
    return content


def _put(target: Path, content: bytes) -> None:
    """As a whole, and open to the group whatever the umask is."""
    draft = target.with_name(f"{target.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR), "wb"
    ) as file:
        file.write(content)
        os.fchmod(file.fileno(), MODE)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
