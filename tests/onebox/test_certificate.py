import socket
import ssl
import stat
import threading

import pytest

from portal.onebox import certificate


def ensure(folder, base_domain="portal.localhost"):
    return certificate.ensure(folder, base_domain=base_domain, mail_domain="gateway.localhost")


@pytest.mark.parametrize(
    "name",
    ["localhost", "portal.localhost", "acme.portal.localhost", "gateway.localhost", "127.0.0.1", "::1"],
)
def test_a_client_that_trusts_the_certificate_accepts_each_name(tmp_path, name):
    path = ensure(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path, path.with_name("key.pem"))
    client = ssl.create_default_context(cafile=str(path))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        answering = threading.Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
        answering.start()
        with client.wrap_socket(ours, server_hostname=name) as connection:
            assert connection.getpeercert()
        answering.join()


def test_the_key_is_private_and_both_stay_while_they_are_good(tmp_path):
    path = ensure(tmp_path)
    assert stat.S_IMODE(path.with_name("key.pem").stat().st_mode) == 0o600
    made = path.read_bytes()

    assert ensure(tmp_path).read_bytes() == made


def test_another_name_needs_another_certificate(tmp_path):
    made = ensure(tmp_path).read_bytes()
    assert ensure(tmp_path, "portal.example.com").read_bytes() != made


def test_one_that_is_about_to_expire_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(certificate, "VALID", certificate.RENEW_BEFORE)
    made = ensure(tmp_path).read_bytes()
    monkeypatch.undo()

    assert ensure(tmp_path).read_bytes() != made


def test_half_a_pair_is_made_anew(tmp_path):
    path = ensure(tmp_path)
    path.with_name("key.pem").unlink()

    ensure(tmp_path)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, path.with_name("key.pem"))
