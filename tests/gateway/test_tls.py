"""The certificate, and its renewal while the gateway runs."""

import asyncio
import hashlib
import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from trustme import KeyType

from gateway.errors import BadCertificate, NoCertificate
from gateway.tls import Certificate
from tests.gateway.kit import SECONDS, Certificates, serving


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


@pytest.mark.parametrize("kinds", [(KeyType.ECDSA, KeyType.RSA), (KeyType.RSA, KeyType.ECDSA)])
def test_the_next_connection_gets_a_certificate_with_another_kind_of_key(own, kinds, caplog):
    caplog.set_level("INFO")
    own.renew(kinds[0])

    async def served(ports) -> list[bytes]:
        return [
            await seen(ports.smtps, own),
            await seen(ports.pop3s, own),
            await seen(ports.smtp, own, b"EHLO x", b"STARTTLS"),
            await seen(ports.pop3, own, b"STLS"),
        ]

    async def renewed() -> None:
        async with asyncio.timeout(SECONDS), serving(own) as gateway:
            assert await served(gateway.ports) == [own.served] * 4
            own.renew(kinds[1])
            gateway.reload_certificate()
            assert await served(gateway.ports) == [own.served] * 4

    asyncio.run(renewed())

    fingerprint = hashlib.sha256(own.served).hexdigest()
    assert f"certificate reloaded sha256={fingerprint}" in caplog.text


async def seen(port: int, own: Certificates, *commands: bytes) -> bytes:
    """The certificate that this port serves to a new connection, after these commands in clear if there are any."""
    context = own.client_context if not commands else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None
    )
    await reader.readline()
    for command in commands:
        writer.write(command + b"\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
    if commands:
        await writer.start_tls(own.client_context, server_hostname="localhost")
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return certificate


def test_a_certificate_that_would_not_be_served_is_not_said_to_be(own, caplog):
    certificate = Certificate(own.cert_file, own.key_file)
    before = serial(certificate, own)
    own.renew()
    stranger = own.authority.issue_cert("other.example").cert_chain_pems[0].bytes()
    # Read as a comment by OpenSSL, and as the first certificate by whoever looks for its first line.
    own.cert_file.write_bytes(b"# " + stranger.replace(b"\n", b"\n# ") + b"\n" + own.cert_file.read_bytes())

    assert not certificate.reload()

    assert serial(certificate, own) == before
    assert "certificate reloaded" not in caplog.text


def test_a_pair_that_does_not_fit_leaves_the_old_one_in_use(own, caplog):
    certificate = Certificate(own.cert_file, own.key_file)
    before = serial(certificate, own)
    old_key = own.key_file.read_bytes()
    own.renew()
    own.key_file.write_bytes(old_key)

    assert not certificate.reload()

    assert serial(certificate, own) == before
    assert "the new certificate is not used" in caplog.text


def test_nobody_is_asked_for_the_password_of_an_encrypted_key(own, caplog):
    certificate = Certificate(own.cert_file, own.key_file)
    key = load_pem_private_key(own.key_file.read_bytes(), None)
    lock = BestAvailableEncryption(b"secret")
    own.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))

    assert not certificate.reload()
    assert "the key is encrypted" in caplog.text


def test_a_file_that_vanishes_leaves_the_old_one_in_use(own):
    certificate = Certificate(own.cert_file, own.key_file)
    own.cert_file.unlink()

    assert not certificate.reload()
    assert serial(certificate, own)


@pytest.mark.timeout(20)  # who opens a pipe waits for somebody who writes
@pytest.mark.parametrize("which", ["cert_file", "key_file"])
def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(own, which, caplog):
    certificate = Certificate(own.cert_file, own.key_file)
    before = serial(certificate, own)
    file = Path(getattr(own, which))
    file.unlink()
    os.mkfifo(file)
    assert not certificate.reload()
    assert "Not a regular file" in caplog.text
    assert serial(certificate, own) == before
    with pytest.raises(BadCertificate):
        Certificate(own.cert_file, own.key_file)


def test_without_a_certificate_there_is_no_gateway(own):
    with pytest.raises(NoCertificate, match="GATEHOUSE_TLS_CERT_FILE"):
        Certificate(None, None)
    with pytest.raises(BadCertificate):
        Certificate(own.cert_file, own.cert_file)


def test_old_versions_of_tls_are_refused(own):
    assert Certificate(own.cert_file, own.key_file).context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_who_speaks_in_the_same_breath_as_the_handshake_ends_is_heard(gateway):
    """With TLS 1.3 a client may: curl does."""
    wire = gateway.smtp_wire()
    assert wire.ask(b"STARTTLS").startswith(b"220 ")
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = gateway.tls.wrap_bio(coming, going, server_hostname="localhost")
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            wire.send(going.read())
            coming.write(wire.socket.recv(65536))
    client.write(b"EHLO quick\r\n")
    wire.send(going.read())  # the handshake's end and the first command at once

    answer = b""
    while b"250 ENHANCEDSTATUSCODES" not in answer:
        try:
            answer += client.read()
        except ssl.SSLWantReadError:
            coming.write(wire.socket.recv(65536))
