"""CHUNKING and BINARYMIME (RFC 3030): any octets, in step whatever happens, kept or refused as a whole."""

import json
from pathlib import Path

import pytest

from tests.gateway.kit import without_trace

CASE = json.loads((Path(__file__).resolve().parents[1] / "cases" / "bare-lf-chunking.json").read_text())
MESSAGE = bytes.fromhex(CASE["message_hex"])
KEPT = b"250 2.0.0 OK, kept as "
TAKEN = b"250 2.0.0 Chunk taken\r\n"
TEXTS = [
    MESSAGE,
    b"Subject: dots\n.\n..\r\n.\r\n.\n\n.\r\nQUIT\r\n",
    b"nul \0 bare \r cr \n lf \xff\r\n",
    b".\r\n",
    b"",
    b"Subject: long\n\n" + bytes(range(256)) * 2000 + b"\r\n",
]


def chunks(text: bytes, sizes: list[int]) -> list[bytes]:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(text[start : start + size])
        start += size
    return pieces


def commands(pieces: list[bytes], *, last: bool = True) -> bytes:
    octets = b"".join(b"BDAT %d\r\n" % len(piece) + piece for piece in pieces[:-1])
    return octets + b"BDAT %d%s\r\n" % (len(pieces[-1]), b" LAST" if last else b"") + pieces[-1]


def begin(wire, mailbox, *, parameters: bytes = b"") -> None:
    assert wire.ask(b"MAIL FROM:<a@b.example>" + parameters).startswith(b"250 ")
    assert wire.ask(f"RCPT TO:<{mailbox.address}>".encode()).startswith(b"250 ")


def test_any_octets_in_any_chunks_come_back_exactly(gateway, acme_mailbox):
    wire = gateway.smtp_wire(secure=True)
    sent = []
    for text in TEXTS:
        half = len(text) // 2
        for sizes in [
            *(CASE["chunks"] if text == MESSAGE else []),
            [len(text)],
            [half, len(text) - half],
            [len(text), 0],
        ]:
            begin(wire, acme_mailbox, parameters=b" BODY=BINARYMIME")
            wire.send(commands(chunks(text, sizes)))
            for _ in sizes[:-1]:
                assert wire.reply() == TAKEN
            assert wire.reply().startswith(KEPT)
            sent.append(text)

    assert [without_trace(message) for message in gateway.collect(acme_mailbox)] == sent


def test_chunks_of_one_octet_and_whole_transactions_can_be_pipelined(gateway, acme_mailbox):
    wire = gateway.smtp_wire()
    one = f"MAIL FROM:<a@b.example>\r\nRCPT TO:<{acme_mailbox.address}>\r\n".encode()
    text = commands([MESSAGE[start : start + 1] for start in range(len(MESSAGE))])

    wire.send(one + text + one + b"BDAT 3 LAST\r\nx\r\nQUIT\r\n")

    codes = [line[:9] for line in wire.rest().splitlines()]
    taken = len(MESSAGE) - 1
    assert codes == [
        b"250 2.1.0",
        b"250 2.1.5",
        *[b"250 2.0.0"] * taken,
        b"250 2.0.0",
        b"250 2.1.0",
        b"250 2.1.5",
    ] + [
        b"250 2.0.0",
        b"221 2.0.0",
    ]
    assert [without_trace(message) for message in gateway.collect(acme_mailbox)] == [MESSAGE, b"x\r\n"]


def test_chunks_after_a_refused_recipient_are_read_and_refused(gateway, acme_mailbox):
    inside = b"QUIT\r\nMAIL FROM:<mallory@globex.example>\r\n"
    wire = gateway.smtp_wire()

    wire.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@gateway.localhost>\r\n")
    wire.send(commands([inside] * 15) + b"NOOP\r\n")

    assert [wire.reply()[:3] for _ in range(2)] == [b"250", b"550"]
    assert [wire.reply() for _ in range(15)] == [b"503 5.5.1 Send RCPT first\r\n"] * 15
    assert wire.reply() == b"250 2.0.0 OK\r\n"
    begin(wire, acme_mailbox)
    wire.send(commands([b"x"]))
    assert wire.reply().startswith(KEPT)


def test_too_large_a_text_is_refused_in_step(start_gateway, acme_mailbox):
    gateway = start_gateway(max_octets=1000)
    wire = gateway.smtp_wire()
    too_large = b"552 5.3.4 Message is larger than the limit\r\n"

    for pieces in ([b"x" * 1001], [b"x" * 1_000_000], [b"x" * 600, b"QUIT\r\n" * 100, b"more\r\n"]):
        begin(wire, acme_mailbox)
        wire.send(commands(pieces))
        assert [wire.reply() for _ in pieces] == (
            [TAKEN, too_large, too_large] if pieces[1:] else [too_large]
        )
        assert wire.ask(b"NOOP") == b"250 2.0.0 OK\r\n"
    begin(wire, acme_mailbox)
    wire.send(commands([b"x" * 600, b"x" * 401], last=False))
    assert wire.reply() == TAKEN
    assert wire.reply() == too_large
    begin(wire, acme_mailbox)  # without RSET: its sender gave it up
    wire.send(commands([b"x" * 998 + b"\r\n"]))
    assert wire.reply().startswith(KEPT)
    assert [len(without_trace(message)) for message in gateway.collect(acme_mailbox)] == [1000]


def test_chunks_and_other_commands_keep_their_order(gateway, acme_mailbox):
    wire = gateway.smtp_wire()

    begin(wire, acme_mailbox, parameters=b" BODY=BINARYMIME")
    assert wire.ask(b"DATA") == b"503 5.5.1 BINARYMIME needs BDAT\r\n"
    wire.send(b"BDAT 5\r\nfirst")
    assert wire.reply() == TAKEN
    assert wire.ask(b"DATA") == b"503 5.5.1 Chunks have begun, send BDAT or RSET\r\n"
    assert wire.ask(f"RCPT TO:<{acme_mailbox.address}>".encode()).startswith(b"503 5.5.1 Chunks have begun")
    assert wire.ask(b"MAIL FROM:<>") == b"503 5.5.1 Sender already given\r\n"
    assert wire.ask(b"RSET") == b"250 2.0.0 OK\r\n"
    assert wire.ask(b"BDAT 0 LAST") == b"503 5.5.1 Send MAIL first\r\n"
    begin(wire, acme_mailbox)
    wire.send(commands([b"second\r\n", b""]))
    assert wire.reply() == TAKEN
    assert wire.reply().startswith(KEPT)

    assert [without_trace(message) for message in gateway.collect(acme_mailbox)] == [b"second\r\n"]


@pytest.mark.parametrize("end", [b"RSET\r\n", b"EHLO again.example\r\n", b"QUIT\r\n", b""])
def test_chunks_without_their_last_leave_nothing(gateway, acme_mailbox, settings, until, end):
    def files() -> set[str]:
        return {str(path) for path in settings.STORE_ROOT.rglob("*") if path.is_file()}

    before = files()
    wire = gateway.smtp_wire()
    begin(wire, acme_mailbox)
    wire.send(commands([b"x" * 300_000], last=False))
    assert wire.reply() == TAKEN
    assert files() != before

    wire.send(end)
    if not end:
        wire.close()

    until(lambda: files() == before)
    assert gateway.collect(acme_mailbox) == []


def test_a_chunk_whose_length_nobody_knows_ends_the_connection(gateway, acme_mailbox):
    wire = gateway.smtp_wire()
    begin(wire, acme_mailbox)

    wire.send(b"BDAT 99999999999999999999999 LAST\r\nMAIL FROM:<mallory@globex.example>\r\n")

    assert wire.rest() == b"501 5.5.4 Syntax error in parameters\r\n"
