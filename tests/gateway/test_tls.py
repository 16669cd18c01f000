"""The certificate, and its renewal while the gateway runs."""

import ssl

import pytest

from gateway.errors import BadCertificate, NoCertificate
from gateway.tls import Certificate
from tests.gateway.kit import Certificates


@pytest.fixture
def own(tmp_path):
    return Certificates(tmp_path)


def serial(server: Certificate, own: Certificates) -> str:
    """The serial number that a client of this context gets to see, by a handshake in memory."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = own.client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    there = server.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = here.getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


def test_a_renewed_certificate_is_served_without_a_restart(own):
    certificate = Certificate(own.cert_file, own.key_file)
    before = serial(certificate, own)
    assert not certificate.reload(only_if_changed=True)

    own.renew()

    assert certificate.reload(only_if_changed=True)
    assert serial(certificate, own) != before


def test_a_pair_that_does_not_fit_leaves_the_old_one_in_use(own, caplog):
    certificate = Certificate(own.cert_file, own.key_file)
    before = serial(certificate, own)
    old_key = own.key_file.read_bytes()
    own.renew()
    own.key_file.write_bytes(old_key)

    assert not certificate.reload()

    assert serial(certificate, own) == before
    assert "the new certificate is not used" in caplog.text


def test_a_file_that_vanishes_leaves_the_old_one_in_use(own):
    certificate = Certificate(own.cert_file, own.key_file)
    own.cert_file.unlink()

    assert not certificate.reload()
    assert serial(certificate, own)


def test_without_a_certificate_there_is_no_gateway(own):
    with pytest.raises(NoCertificate, match="GATEHOUSE_TLS_CERT_FILE"):
        Certificate(None, None)
    with pytest.raises(BadCertificate):
        Certificate(own.cert_file, own.cert_file)


def test_old_versions_of_tls_are_refused(own):
    assert Certificate(own.cert_file, own.key_file).context.minimum_version is ssl.TLSVersion.TLSv1_2
