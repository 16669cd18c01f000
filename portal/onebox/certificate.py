"""The demo's self-signed certificate: enough for STARTTLS and POP3S on this machine, trusted by nobody else."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portal.folders import private_dir
from portal.onebox.secrets import write_private

VALID = timedelta(days=397)  # the longest that browsers accept
RENEW_BEFORE = timedelta(days=30)


def ensure(state_dir: Path, *, base_domain: str, mail_domain: str) -> Path:
    """Make `tls/cert.pem` and `tls/key.pem`, anew when they are about to expire or lack one of the names."""
    directory = private_dir(state_dir / "tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    names = _names(base_domain, mail_domain)
    if not _still_good(certificate, key, names):
        private, public = _make(names)
        write_private(key, private)
        write_private(certificate, public)
    return certificate


def _names(base_domain: str, mail_domain: str) -> list[x509.GeneralName]:
    hosts = dict.fromkeys(["localhost", base_domain, f"*.{base_domain}", mail_domain])
    addresses = ["127.0.0.1", "::1"]
    return [
        *(x509.DNSName(host) for host in hosts),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
    ]


def _still_good(certificate: Path, key: Path, names: list[x509.GeneralName]) -> bool:
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        key.stat()
        covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    return list(covered) == names and found.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _make(names: list[x509.GeneralName]) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gatehouse demo")])
    now = datetime.now(UTC)
    usage = {name: name == "digital_signature" for name in _KEY_USAGES}
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ a little
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, certificate.public_bytes(Encoding.PEM)


_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
