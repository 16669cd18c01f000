"""The gateway's certificate, which can be renewed while it runs."""

import contextlib
import hashlib
import logging
import os
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from mailboxes.store import open_regular

from .errors import BadCertificate, NoCertificate

log = logging.getLogger("gateway.tls")

HANDSHAKE_FLIGHTS = 4  # more than any version of TLS has
# Who renews by itself does so when a third of its life is left, so whatever has less than half of that was forgotten.
SOON, PART_OF_LIFE = timedelta(days=14), 6
TOLD_AGAIN_SECONDS = 24 * 3600.0


class Certificate:
    """What all ports serve, TLS 1.2 and later, kept up to date with its two files.

    `context` is another one after each renewal: a context to which a second pair is added goes on serving the first
    one to whoever prefers its kind of key.
    """

    def __init__(self, cert_file: Path | str | None, key_file: Path | str | None) -> None:
        """Raises NoCertificate and BadCertificate."""
        if not cert_file or not key_file:
            raise NoCertificate
        self._files = (Path(cert_file), Path(key_file))
        self._seen = self._stamps()
        self.context = self._load()
        self._own = first_of(self._files[0])
        self._told = -TOLD_AGAIN_SECONDS

    def reload(self, *, only_if_changed: bool = False) -> bool:
        """Serve new connections with what the files hold now. A pair that does not fit leaves the old one in use."""
        stamps = self._stamps()
        if only_if_changed and stamps == self._seen:
            return False
        self._seen = stamps
        try:
            context, own = self._load(), first_of(self._files[0])
            fingerprint = _served_by(context)
            if fingerprint != hashlib.sha256(own).hexdigest():
                raise BadCertificate("another certificate than the file's would be served")
        except BadCertificate as error:
            log.error("the new certificate is not used: %s", error)
            return False
        self.context, self._own, self._told = context, own, -TOLD_AGAIN_SECONDS
        log.info("certificate reloaded sha256=%s", fingerprint)
        return True

    def tell_its_end(self) -> None:
        """Have the log say once a day that what is served ends soon, or has ended: no client would say so to us."""
        if time.monotonic() - self._told < TOLD_AGAIN_SECONDS:
            return
        if end := ends_soon(self._own):
            self._told = time.monotonic()
            ended = end <= datetime.now(UTC)
            log.log(
                logging.ERROR if ended else logging.WARNING,
                "the certificate %s at %s, and no renewed one has come: %s",
                "ended" if ended else "ends",
                end.isoformat(),
                self._files[0],
            )

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        try:
            with _held(self._files[0]) as cert_file, _held(self._files[1]) as key_file:
                context.load_cert_chain(cert_file, key_file, password=_ask_nobody)
        except (OSError, ssl.SSLError) as error:
            raise BadCertificate(error) from error
        return context

    def _stamps(self) -> list[tuple[int, int]]:
        """Modification time and inode: a renewal by renaming changes at least one of them."""
        stamps = []
        for file in self._files:
            try:
                status = file.stat()
            except OSError:
                stamps.append((0, 0))  # between the old file and the new one; looked at again later
            else:
                stamps.append((status.st_mtime_ns, status.st_ino))
        return stamps


def first_of(file: Path) -> bytes:
    """The first certificate in a file, which is the server's own, as DER. Raises BadCertificate."""
    try:
        with os.fdopen(open_regular(file), encoding="ascii", errors="replace") as opened:
            text = opened.read()
    except OSError as error:
        raise BadCertificate(error) from error
    first = text[text.find(ssl.PEM_HEADER) :].partition(ssl.PEM_FOOTER)[0] + ssl.PEM_FOOTER
    try:
        return ssl.PEM_cert_to_DER_cert(first)
    except ValueError as error:
        raise BadCertificate(error) from error


def names_of(own: bytes) -> list[str]:
    """The hosts that a certificate (DER) is for. Raises BadCertificate."""
    try:
        extensions = x509.load_der_x509_certificate(own).extensions
        return extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    except x509.ExtensionNotFound:
        return []
    except ValueError as error:
        raise BadCertificate(error) from error


def ends_soon(own: bytes) -> datetime | None:
    """When a certificate (DER) ends, if it should have been renewed by now. Raises BadCertificate."""
    begin, end = life_of(own)
    left = min(SOON, (end - begin) / PART_OF_LIFE)
    return end if end - datetime.now(UTC) < left else None


def life_of(own: bytes) -> tuple[datetime, datetime]:
    """From when to when a certificate (DER) is valid. Raises BadCertificate."""
    try:
        found = x509.load_der_x509_certificate(own)
    except ValueError as error:
        raise BadCertificate(error) from error
    return found.not_valid_before_utc, found.not_valid_after_utc


@contextlib.contextmanager
def _held(file: Path) -> Iterator[str]:
    """A name for the file that leads to nothing else meanwhile. All connections would wait for a pipe in its place."""
    descriptor = open_regular(file)
    try:
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _ask_nobody() -> str:
    """OpenSSL would ask at the terminal, and everything would wait."""
    raise BadCertificate("the key is encrypted: store it without a password")


def _served_by(context: ssl.SSLContext) -> str:
    """The fingerprint that a client gets to see, by a handshake in memory. Raises BadCertificate."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE  # it only looks
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = anyone.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(HANDSHAKE_FLIGHTS):
            for side in (client, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLError as error:
        raise BadCertificate(error) from error
    return hashlib.sha256(client.getpeercert(binary_form=True) or b"").hexdigest()
