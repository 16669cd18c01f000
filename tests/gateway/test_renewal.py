"""How the gateway comes by a certificate that a web server got, and who hears that none comes any more."""

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from django.core.management import CommandError, call_command

from gateway import tls
from gateway.errors import BadCertificate
from gateway.renewal import copy_pair
from gateway.tls import Certificate
from portal.onebox.embedded.process import wait_until
from tests.environment import BARE

ROOT = Path(__file__).resolve().parents[2]
HOST = "mx.gatehouse.test"
SECONDS = 60


class Caddy:
    """Its storage, as it lays it out."""

    def __init__(self, folder):
        self.storage, self.authority = folder / "caddy", trustme.CA()

    def gets(self, host=HOST, authority="acme-v02", key_type=trustme.KeyType.ECDSA, **options):
        folder = self.storage / "certificates" / authority / host
        folder.mkdir(parents=True, exist_ok=True)
        leaf = self.authority.issue_cert(host, key_type=key_type, **options)
        leaf.private_key_pem.write_to_path(str(folder / f"{host}.key"))
        (folder / f"{host}.crt").write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
        return folder


@pytest.fixture
def caddy(tmp_path):
    return Caddy(tmp_path)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "gateway"
    folder.mkdir()
    return folder


def files(folder):
    return [(folder / name).read_bytes() for name in ("cert.pem", "key.pem")]


def test_the_pair_comes_over_and_so_does_each_that_follows(caddy, folder):
    assert copy_pair(caddy.storage, HOST, folder) is None
    there = caddy.gets()
    caddy.gets("acme.portal.gatehouse.test")
    assert copy_pair(caddy.storage, HOST, folder) is True
    assert files(folder) == [(there / f"{HOST}.{kind}").read_bytes() for kind in ("crt", "key")]
    assert copy_pair(caddy.storage, HOST, folder) is False
    served = Certificate(folder / "cert.pem", folder / "key.pem")
    caddy.gets(key_type=trustme.KeyType.RSA)
    assert copy_pair(caddy.storage, HOST, folder) is True
    assert served.reload(only_if_changed=True), "the gateway takes it up by itself"


def test_the_newest_counts_when_another_authority_has_stepped_in(caddy, folder):
    old = caddy.gets()
    os.utime(old / f"{HOST}.crt", (1, 1))
    new = caddy.gets(authority="another")
    copy_pair(caddy.storage, HOST, folder)
    assert files(folder)[0] == (new / f"{HOST}.crt").read_bytes()


@pytest.mark.parametrize("kept", ["earlier", "later"], ids=["its files are older", "its files are newer"])
def test_one_that_is_valid_counts_whenever_an_expired_ones_files_came(caddy, folder, kept):
    """An authority that Caddy took once, copied along by whoever moved its storage."""
    valid = ending(caddy, timedelta(days=80))
    expired = ending(caddy, timedelta(days=-10), authority="another")
    os.utime((valid if kept == "earlier" else expired) / f"{HOST}.crt", (1, 1))
    assert copy_pair(caddy.storage, HOST, folder) is True
    assert files(folder)[0] == (valid / f"{HOST}.crt").read_bytes()


def test_of_two_that_are_valid_the_one_that_was_issued_last_counts(caddy, folder):
    new = ending(caddy, timedelta(days=5), life=timedelta(days=6))
    os.utime(new / f"{HOST}.crt", (1, 1))
    ending(caddy, timedelta(days=30), authority="another")
    copy_pair(caddy.storage, HOST, folder)
    assert files(folder)[0] == (new / f"{HOST}.crt").read_bytes()


def test_an_expired_one_comes_over_only_where_there_is_none_better_and_it_is_told(caddy, folder, caplog):
    expired = ending(caddy, timedelta(days=-10))
    assert copy_pair(caddy.storage, HOST, folder) is True
    assert files(folder)[0] == (expired / f"{HOST}.crt").read_bytes()
    assert "there is none better" in caplog.text
    assert copy_pair(caddy.storage, HOST, folder) is False
    for left in (timedelta(days=80), timedelta(days=-9)):
        better = ending(caddy, left)
        for name, kind in (("cert.pem", "crt"), ("key.pem", "key")):
            (folder / name).write_bytes((better / f"{HOST}.{kind}").read_bytes())
        before = files(folder)
        ending(caddy, timedelta(days=-10))
        with pytest.raises(BadCertificate, match=r"crt is valid from .* the gateway has a better one"):
            copy_pair(caddy.storage, HOST, folder)
        assert files(folder) == before


def test_a_pair_that_cannot_be_served_leaves_the_one_that_is_there(caddy, folder):
    there = caddy.gets()
    copy_pair(caddy.storage, HOST, folder)
    before = files(folder)
    (there / f"{HOST}.crt").write_bytes(trustme.CA().issue_cert(HOST).cert_chain_pems[0].bytes())
    with pytest.raises(BadCertificate):
        copy_pair(caddy.storage, HOST, folder)
    assert files(folder) == before


def test_a_broken_pair_hides_no_earlier_one(caddy, folder):
    good = caddy.gets()
    os.utime(good / f"{HOST}.crt", (1, 1))
    broken = caddy.gets(authority="another")
    (broken / f"{HOST}.key").write_bytes(b"half a k")
    assert copy_pair(caddy.storage, HOST, folder) is True
    assert files(folder)[0] == (good / f"{HOST}.crt").read_bytes()


def test_a_pair_for_another_name_is_left_where_it_lies(caddy, folder):
    there = caddy.gets("www.gatehouse.test")
    caddy.gets()
    for kind in ("crt", "key"):
        (caddy.storage / f"certificates/acme-v02/{HOST}/{HOST}.{kind}").write_bytes(
            (there / f"www.gatehouse.test.{kind}").read_bytes()
        )
    with pytest.raises(BadCertificate, match=r"for www\.gatehouse\.test, not for mx\.gatehouse\.test"):
        copy_pair(caddy.storage, HOST, folder)
    assert not list(folder.iterdir())


def test_the_key_is_for_the_gateways_group_and_nobody_else_under_any_umask(caddy, folder):
    caddy.gets()
    for umask in (0, 0o077):
        before = os.umask(umask)
        try:
            for file in folder.iterdir():
                file.unlink()
            copy_pair(caddy.storage, HOST, folder)
        finally:
            os.umask(before)
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o640}


def test_the_command_says_what_it_did(caddy, folder):
    def run():
        out = io.StringIO()
        call_command("copy_certificate", caddy.storage, folder, "--host", HOST, stdout=out)
        return out.getvalue()

    with pytest.raises(CommandError, match="no certificate of mx.gatehouse.test"):
        run()
    caddy.gets()
    assert run() == f"{HOST}: copied\n"
    assert run() == f"{HOST}: up to date\n"


def test_who_watches_needs_neither_secrets_nor_services_and_ends_when_told(caddy, folder, tmp_path):
    caddy.gets()
    log = tmp_path / "watch.log"
    with log.open("wb") as output:
        watching = subprocess.Popen(
            [sys.executable, "manage.py", "copy_certificate", caddy.storage, folder, "--watch"],
            cwd=ROOT,
            env={
                **BARE,
                "GATEHOUSE_MAIL_DOMAIN": HOST,
                "GATEHOUSE_STATE_DIR": str(tmp_path / "none"),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        assert wait_until(lambda: "copied" in log.read_text(), SECONDS), log.read_text()
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(SECONDS) == 0
    finally:
        watching.kill()
    assert (folder / "cert.pem").exists()


# --- Its end ---
def ending(caddy, left, life=timedelta(days=90), **options):
    end = datetime.now(UTC) + left
    return caddy.gets(not_before=end - life, not_after=end, **options)


@pytest.mark.parametrize(
    ("left", "life", "level"),
    [
        (timedelta(days=15), timedelta(days=90), None),
        (timedelta(days=13), timedelta(days=90), "WARNING"),
        (timedelta(days=-1), timedelta(days=90), "ERROR"),
        (
            timedelta(days=2),
            timedelta(days=6),
            None,
        ),  # of those that live for a week, which are renewed by then
        (timedelta(hours=12), timedelta(days=6), "WARNING"),
    ],
)
def test_the_log_says_that_a_certificate_should_have_been_renewed(caddy, folder, caplog, left, life, level):
    ending(caddy, left, life)
    copy_pair(caddy.storage, HOST, folder)
    served = Certificate(folder / "cert.pem", folder / "key.pem")
    for _ in range(3):
        served.tell_its_end()
    said = [record for record in caplog.records if "no renewed one has come" in record.getMessage()]
    assert [record.levelname for record in said] == ([level] if level else [])


def test_it_says_so_once_a_day_and_no_more_when_a_new_one_has_come(caddy, folder, caplog, monkeypatch):
    ending(caddy, timedelta(days=1))
    copy_pair(caddy.storage, HOST, folder)
    served = Certificate(folder / "cert.pem", folder / "key.pem")
    monkeypatch.setattr(tls, "TOLD_AGAIN_SECONDS", 0.0)
    served.tell_its_end()
    served.tell_its_end()
    assert caplog.text.count("no renewed one has come") == 2
    caddy.gets()
    copy_pair(caddy.storage, HOST, folder)
    served.reload(only_if_changed=True)
    served.tell_its_end()
    assert caplog.text.count("no renewed one has come") == 2
