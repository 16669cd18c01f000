"""What was sent comes back octet by octet below the trace fields, whatever it is."""

import pytest

from tests.gateway.kit import without_trace

JOURNAL_REPORT = (
    b"From: <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@acme.example>\r\n"
    b"To: <journal@gateway.example>\r\nSubject: Quarterly figures\r\nMIME-Version: 1.0\r\n"
    b'X-MS-Journal-Report:\r\nContent-Type: multipart/mixed;\r\n\tboundary="_1_"\r\n\r\n'
    b'--_1_\r\nContent-Type: text/plain; charset="us-ascii"\r\n\r\n'
    b"Sender: carol@acme.example\r\nSubject: Quarterly figures\r\n"
    b"Message-Id: <1@acme.example>\r\nRecipient: dave@acme.example\r\n\r\n"
    b"--_1_\r\nContent-Type: message/rfc822\r\n\r\n"
    b"From: carol@acme.example\r\nTo: dave@acme.example\r\nSubject: Quarterly figures\r\n\r\n"
    b"Better than ever.\r\n.\r\n..\r\n\r\n--_1_--\r\n"
)

CORPUS = {
    "journal report": JOURNAL_REPORT,
    "empty message": b"",
    "one empty line": b"\r\n",
    "no headers": b"just a line\r\n",
    "headers only": b"Subject: nothing below\r\n",
    "empty body": b"Subject: x\r\n\r\n",
    "lone dots": b".\r\n..\r\n...\r\n\r\n.\r\n.x\r\n",
    "eight bit": b"Subject: \xe4\xf6\xfc\r\n\r\n" + bytes(range(128, 256)) + b"\r\n",
    "utf-8": "Subject: Grüße\r\n\r\n日本語\r\n".encode(),
    "NUL": b"Subject: a\0b\r\n\r\n\0\0\r\n\0\r\n",
    "all octets but LF": b"x: y\r\n\r\n" + bytes(o for o in range(256) if o != 10) + b"\r\n",
    "bare CR": b"Subject: x\r\n\r\na\rb\r\rc\r\r\n\r.\r\r\n",
    "line of 998": b"y" * 998 + b"\r\n",
    "line of 1000": b"y" * 1000 + b"\r\n",
    "line of 10000": b"Subject: " + b"y" * 10_000 + b"\r\n\r\n" + b"." * 10_000 + b"\r\n",
    "line of 1 MiB": b"x: y\r\n\r\n" + b"z" * 1024 * 1024 + b"\r\n",
    "dots at every border": b"x: y\r\n\r\n" + (b"." * 61 + b"\r\n") * 20_000,
    "trace-like header": b"Return-Path: <other>\r\nReceived: from x\r\n\tby y\r\n\r\nbody\r\n",
    "mbox-like body": b"\r\nFrom someone\r\n>From someone\r\n",
}


def test_the_whole_corpus_comes_back_exactly(gateway, acme_mailbox):
    for name, text in CORPUS.items():
        assert gateway.send(text, acme_mailbox.address).startswith(b"250 2.0.0 OK"), name

    collected = [without_trace(message) for message in gateway.collect(acme_mailbox)]

    assert len(collected) == len(CORPUS)
    for got, (name, text) in zip(collected, CORPUS.items(), strict=True):
        assert got == text, name


@pytest.mark.parametrize("piece", [1, 7, 1460])
def test_packets_of_any_size_make_no_difference(gateway, acme_mailbox, piece):
    wire = gateway.smtp_wire()
    text = b"Subject: x\r\n\r\n.\r\n..\r\n" + b"line\r\n" * 100
    commands = f"MAIL FROM:<>\r\nRCPT TO:<{acme_mailbox.address}>\r\nDATA\r\n".encode()
    octets = commands + text.replace(b"\r\n.", b"\r\n..") + b".\r\nQUIT\r\n"

    for start in range(0, len(octets), piece):
        wire.send(octets[start : start + piece])

    assert wire.rest().splitlines()[-2].startswith(b"250 2.0.0 OK")
    assert without_trace(gateway.collect(acme_mailbox)[0]) == text


def test_sizes_that_are_listed_are_the_sizes_that_are_sent(gateway, acme_mailbox):
    for text in (JOURNAL_REPORT, b"", b".\r\n" * 1000):
        gateway.send(text, acme_mailbox.address)
    wire = gateway.logged_in(acme_mailbox)

    wire.send(b"LIST\r\n")
    assert wire.line().startswith(b"+OK")
    listed = [int(line.split()[1]) for line in wire.body().splitlines()]
    sizes = []
    for number in range(1, 4):
        wire.ask(b"RETR %d" % number)
        sizes.append(len(wire.body()))

    assert listed == sizes


def test_two_mailboxes_get_a_copy_each_under_their_own_key(gateway, acme_mailbox, make_mailbox, settings):
    other = make_mailbox("Second archive")

    assert gateway.send(JOURNAL_REPORT, acme_mailbox.address, other.address).startswith(b"250 ")

    assert [without_trace(m) for m in gateway.collect(acme_mailbox)] == [JOURNAL_REPORT]
    assert [without_trace(m) for m in gateway.collect(other)] == [JOURNAL_REPORT]
    blobs = [path.read_bytes() for path in settings.STORE_ROOT.rglob("*") if path.is_file()]
    assert len(blobs) >= 2
    assert not any(b"Quarterly" in blob for blob in blobs)
