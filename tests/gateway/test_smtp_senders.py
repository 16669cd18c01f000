"""Mail must not bounce for its looks: reverse-paths and names that nothing here is decided by."""

import json
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[1] / "cases"
SENDERS = json.loads((CASES / "senders.json").read_text())
HELLOS = json.loads((CASES / "hello-names.json").read_text())

MORE_SENDERS = [
    b'"a b"@news.example',
    b'"a > b"@news.example',
    b'"a\\"b\\\\"@news.example',
    b"two words@news.example",
    b"root",
    b"a@b@news.example",
    b"@news.example",
    b"a@",
    b"a@.news..example.",
    b"b\xfcro@customer.test",
    b"a@" + b"d." * 500 + b"example",
    b'unbalanced"quote@news.example',
    "\u2028@news.example".encode(),
    b"x" * 1980 + b"@news.example",
]


def path_of(case: dict) -> bytes:
    path = case["from"]
    return (path.replace("%s", case["unit"] * case["times"]) if "unit" in case else path).encode()


def test_whatever_a_mail_system_in_front_has_taken_as_a_sender_is_kept(gateway, acme_mailbox):
    paths = [path_of(case) for case in SENDERS["take"]] + MORE_SENDERS
    wire = gateway.smtp_wire()

    for number, path in enumerate(paths):
        assert wire.ask(b"MAIL FROM:<" + path + b"> SIZE=100 BODY=8BITMIME") == b"250 2.1.0 Sender OK\r\n", (
            path
        )
        assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()).startswith(b"250 ")
        assert wire.ask(b"DATA").startswith(b"354 ")
        assert wire.ask(b"Subject: %d\r\n\r\n." % number).startswith(b"250 2.0.0 OK"), path

    collected = gateway.collect(acme_mailbox)
    assert [message.partition(b"\r\n")[0] for message in collected] == [
        b"Return-Path: <" + path + b">" for path in paths
    ]
    for message in collected:
        assert message.count(b"\r\n") == 6, "two trace fields on four lines, a subject, an empty line"


@pytest.mark.parametrize("case", SENDERS["still_refuse"], ids=lambda case: case["name"])
def test_a_sender_that_could_be_read_in_two_ways_is_refused(talking, case):
    command = case.get("raw") or f"MAIL FROM:<{case['from']}>"

    assert talking.smtp_wire().ask(command.encode())[:3] in (b"500", b"501")


def test_whatever_a_computer_calls_itself_is_taken_and_written_down(gateway, acme_mailbox):
    names = [name.encode() for name in HELLOS["take"]] + [bytes.fromhex(h) for h in HELLOS["take_octets_hex"]]
    names += [b"(a) <b>; c", b'say "hi" \\', b"x" * 1900, b"=?utf-8?q?x?="]
    written = {
        b"my pc": b'"my pc"',
        b"b\xfcro-pc": b'"b\\\\xfcro-pc"',
        b"(a) <b>; c": b'"(a) <b>; c"',
        b'say "hi" \\': b'"say \\"hi\\" \\\\"',
        b"=?utf-8?q?x?=": b'"=?utf-8?q?x?="',
    }

    for name in names:
        wire = gateway.smtp_wire(hello=False)
        wire.reply()
        assert wire.ask(b"EHLO " + name).endswith(b"250 ENHANCEDSTATUSCODES\r\n"), name
        assert wire.ask(b"HELO " + name) == b"250 gateway.localhost\r\n", name
        wire.ask(b"MAIL FROM:<a@b.example>")
        wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode())
        wire.ask(b"DATA")
        assert wire.ask(b"Subject: x\r\n\r\n.").startswith(b"250 2.0.0 OK"), name
        wire.close()

    lines = [message.split(b"\r\n") for message in gateway.collect(acme_mailbox)]
    assert [message[1] for message in lines] == [
        b"Received: from " + written.get(name, name) + b" ([127.0.0.1])" for name in names
    ]
    assert {message[2].partition(b" id ")[0] for message in lines} == {b"\tby gateway.localhost with SMTP"}


@pytest.mark.parametrize("name", HELLOS["still_refuse"])
def test_an_empty_name_and_control_characters_are_refused(talking, name):
    wire = talking.smtp_wire()

    assert wire.ask(f"EHLO {name}".encode())[:3] in (b"500", b"501")
    assert wire.ask(f"HELO {name}".encode())[:3] in (b"500", b"501")
