"""The gateway on a message store in a bucket: the whole life of a mail, and a server that dies in the middle."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.services import job_for, moving
from mailboxes.work.slices import work_slice
from tests import s3
from tests.breaking.kit import mails, short_or_long
from tests.gateway.kit import without_trace

LATER = b"451 4.3.0 Please try again later\r\n"
SMALL = b"Subject: small\r\n\r\nA line.\r\n"
LARGE = b"Subject: large\r\n\r\n" + os.urandom(5_000_000).hex().encode() + b"\r\n"


def test_mail_comes_is_collected_and_gone_and_so_is_its_mailbox(
    s3_server, s3_store, gateway, acme, acme_mailbox
):
    assert gateway.send(SMALL, acme_mailbox.address).startswith(b"250 ")
    assert gateway.send(LARGE, acme_mailbox.address).startswith(b"250 ")
    assert len(s3.objects(s3_server, s3_store)) == 2
    wire = gateway.logged_in(acme_mailbox)
    assert wire.ask(b"TOP 2 0").startswith(b"+OK")
    assert b"Subject: large" in wire.body()
    assert wire.ask(b"QUIT").startswith(b"+OK")
    wire.close()
    assert [without_trace(text) for text in gateway.collect(acme_mailbox, delete=True)] == [SMALL, LARGE]
    assert s3.objects(s3_server, s3_store) == set()

    assert gateway.send(SMALL, acme_mailbox.address).startswith(b"250 ")
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    job = services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    while work_slice(acme, job.pk):
        pass
    assert job_for(SYSTEM, acme, job.pk).state == "done"
    assert gateway.send(SMALL, acme_mailbox.address).startswith(b"550 ")
    assert s3.objects(s3_server, s3_store) == set()


def test_a_client_lost_in_the_middle_of_data_leaves_nothing(s3_server, s3_store, gateway, acme_mailbox):
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    wire.ask(b"DATA")
    wire.send(LARGE)
    wire.close()
    assert gateway.send(SMALL, acme_mailbox.address).startswith(b"250 ")
    assert len(s3.objects(s3_server, s3_store)) == 1
    uploads = s3_server.ask("GET", f"/{s3_store}?uploads").text
    assert "<Upload>" not in uploads


@pytest.fixture
def own_server(settings):
    """One that may be killed."""
    with s3.serving() as server:
        s3.use(settings, f"s3://{server.bucket()}/mail", server.endpoint)
        settings.S3_TIMEOUT = 2
        yield server


def test_while_the_server_is_dead_mail_is_put_off_and_what_was_taken_is_there_when_it_is_back(
    own_server, gateway, acme, acme_mailbox
):
    assert gateway.send(SMALL, acme_mailbox.address).startswith(b"250 ")
    wire = gateway.smtp_wire()
    wire.ask(b"MAIL FROM:<a@b.example>")
    wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
    assert wire.ask(b"DATA").startswith(b"354 ")
    wire.send(LARGE[:1_000_000])

    own_server.kill()

    wire.send(LARGE[1_000_000:] + b".\r\n")
    assert wire.reply() == LATER
    assert gateway.send(SMALL, acme_mailbox.address) == LATER
    reading = gateway.logged_in(acme_mailbox)
    assert reading.ask(b"RETR 1").startswith(b"-ERR [SYS/TEMP]")
    reading.close()

    own_server.start()

    assert gateway.send(LARGE, acme_mailbox.address).startswith(b"250 ")
    assert [without_trace(text) for text in gateway.collect(acme_mailbox)] == [SMALL, LARGE]
    with tenant_context(acme):
        from mailboxes.models import Message

        assert not Message.objects.exclude(damaged_at=None).exists()


@pytest.mark.parametrize("way", short_or_long(["into a bucket"], ["into a bucket", "out of a bucket"]))
def test_mail_comes_and_is_collected_while_all_moves(
    way, s3_server, s3_store, start_gateway, acme, acme_mailbox, fill, settings, monkeypatch
):
    """Each text is collected once: none is lost, none is there twice, nothing is left in either place."""
    folder, bucket = settings.STORE_ROOT.as_uri(), settings.STORE_URL
    old, new = (folder, bucket) if way == "into a bucket" else (bucket, folder)
    waiting = mails(short_or_long(40, 400))
    coming = [mails(short_or_long(15, 300)) for _ in range(2)]
    settings.STORE_URL = old
    fill(*waiting)
    settings.STORE_URL, settings.STORE_OTHER_URL = new, old
    monkeypatch.setattr(moving, "BATCH", 8)
    gateway = start_gateway()
    collected: list[bytes] = []

    def send(texts):
        for text in texts:
            assert gateway.send(text, acme_mailbox.address).startswith(b"250 ")

    def collect():
        # What came by a service has no lines of a gateway on top.
        for text in gateway.collect(acme_mailbox, delete=True):
            collected.append(without_trace(text) if text.startswith(b"Return-Path:") else text)

    with ThreadPoolExecutor(4) as others:
        senders = [others.submit(send, texts) for texts in coming]
        moved = moving.move_store(old, new, by=SYSTEM, tell=lambda _: collect())
        for sender in senders:
            sender.result()
    collect()
    assert moved.unreadable == []
    assert sorted(collected) == sorted([*waiting, *coming[0], *coming[1]])
    assert s3.objects(s3_server, s3_store) == set()
    assert [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()] == []
