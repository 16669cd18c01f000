"""The gateway's certificate, which can be renewed while it runs."""

import logging
import ssl
from pathlib import Path

from .errors import BadCertificate, NoCertificate

log = logging.getLogger("gateway.tls")


class Certificate:
    """One server context for all ports, TLS 1.2 and later, kept up to date with its two files."""

    def __init__(self, cert_file: Path | str | None, key_file: Path | str | None) -> None:
        """Raises NoCertificate and BadCertificate."""
        if not cert_file or not key_file:
            raise NoCertificate
        self._files = (Path(cert_file), Path(key_file))
        self._seen = self._stamps()
        self.context = self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def reload(self, *, only_if_changed: bool = False) -> bool:
        """Serve new connections with what the files hold now. A pair that does not fit leaves the old one in use."""
        stamps = self._stamps()
        if only_if_changed and stamps == self._seen:
            return False
        self._seen = stamps
        try:
            # OpenSSL takes the certificate before it looks at the key, so a trial on another context comes first.
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
            self._load(self.context)
        except BadCertificate as error:
            log.error("the new certificate is not used: %s", error)
            return False
        log.info("certificate reloaded")
        return True

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        try:
            context.load_cert_chain(*self._files)
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
