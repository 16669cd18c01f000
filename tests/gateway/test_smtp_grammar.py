"""Command lines: what is taken, what is refused and how, and that nothing else can come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.grammar import parse_command, parse_hello, parse_recipient, parse_sender
from gateway.smtp.replies import Refused

MAX = 1000


def sender(argument: str, extended: bool = True):
    return parse_sender(argument, extended=extended, max_octets=MAX)


def refusal(parse, *arguments, **keywords) -> str:
    with pytest.raises(Refused) as caught:
        parse(*arguments, **keywords)
    return str(caught.value.reply)[:9].strip()


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("FROM:<>", ""),
        ("from:<a@b.example>", "a@b.example"),
        ("FROM: <a@b.example>", "a@b.example"),
        ("FROM:<a@b.example> SIZE=1000", "a@b.example"),
        ("FROM:<a@b.example> size=10 body=8bitmime", "a@b.example"),
        ("FROM:<a@b.example> BODY=7BIT SMTPUTF8", "a@b.example"),
        ("FROM:<ä@bücher.example> SMTPUTF8", "ä@bücher.example"),
        ("FROM:<ä@bücher.example>", "ä@bücher.example"),
        ("FROM:<a@b.example> BODY=BINARYMIME", "a@b.example"),
        ('FROM:<"a b\\"@c"@b.example>', '"a b\\"@c"@b.example'),
        ("FROM:<a..b.@b.example>", "a..b.@b.example"),
        ("FROM:<a=b+c/d@host_name.example>", "a=b+c/d@host_name.example"),
        ("FROM:<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("FROM:<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("FROM:<@relay.example,@other.example:a@b.example>", "a@b.example"),
    ],
)
def test_senders_that_are_taken(argument, address):
    assert sender(argument).address == address


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", "501 5.1.7"),
        ("FROM:", "501 5.1.7"),
        ("FROM:a@b.example", "501 5.1.7"),
        ("FROM:a b", "501 5.1.7"),
        ("FROM:<a@b.example", "501 5.1.7"),
        ("FROM:<a@b.example>x", "501 5.1.7"),
        ("FROM:<a>b@c>", "501 5.1.7"),
        ("FROM:<<a@b>>", "501 5.1.7"),
        ("FROM:<a@b.example> SIZE=1>", "501 5.5.4"),
        ("TO:<a@b.example>", "501 5.1.7"),
        ("FROM:<a@b.example> SIZE=1001", "552 5.3.4"),
        ("FROM:<a@b.example> SIZE=x", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=²", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=1 SIZE=2", "501 5.5.4"),
        ("FROM:<a@b.example> BODY=BASE64", "501 5.5.4"),
        ("FROM:<a@b.example> BODY", "501 5.5.4"),
        ("FROM:<a@b.example> SMTPUTF8=1", "501 5.5.4"),
        ("FROM:<a@b.example> =x", "501 5.5.4"),
        ("FROM:<a@b.example> RET=FULL", "555 5.5.4"),
        ("FROM:<a@b.example> AUTH=<>", "555 5.5.4"),
    ],
)
def test_senders_that_are_refused(argument, reply):
    assert refusal(sender, argument) == reply


def test_parameters_need_ehlo():
    assert refusal(sender, "FROM:<a@b.example> SIZE=1", extended=False) == "555 5.5.4"


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("TO:<>", "501 5.1.3"),
        ("TO:a@b.example", "501 5.1.3"),
        ("TO:<a@b.example> NOTIFY=NEVER", "555 5.5.4"),
        ("TO:<ä@b.example>", "553 5.6.7"),
    ],
)
def test_recipients_that_are_refused(argument, reply):
    assert refusal(parse_recipient, argument, smtputf8=False) == reply


def test_recipients_that_are_taken():
    assert parse_recipient("TO:<mbx-1@gateway.localhost>", smtputf8=False) == "mbx-1@gateway.localhost"
    assert parse_recipient("TO:<Postmaster>", smtputf8=False) == "Postmaster"
    assert parse_recipient("TO:<ä@b.example>", smtputf8=True) == "ä@b.example"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" NOOP",
        b"NO\0OP",
        b"EHLO \x1b[31m",
        b"EHLO a\rb",
        b"MAIL\tFROM:<a@b>",
        b"\x16\x03\x01",
        b"\xff\xfe",
        b"X-TRA a",
        b"EHLO \xc2\x85",
        "NÖOP".encode(),
    ],
)
def test_lines_that_are_no_command(line):
    assert refusal(parse_command, line) == "500 5.5.2"


@pytest.mark.parametrize(
    "line", [b"NOOP " + b"x" * 506, b"MAIL FROM:<a@b> " + b"x" * 2100, b"RCPT TO:<" + b"x" * 600 + b">"]
)
def test_lines_that_are_too_long(line):
    assert refusal(parse_command, line) == "500 5.5.2"


def test_a_greeting_needs_a_word():
    assert refusal(parse_hello, "") == "501 5.5.4"
    assert parse_hello("two words") == "two words"
    assert parse_hello("[IPv6:2001:db8::1]") == "[IPv6:2001:db8::1]"


@given(st.binary(max_size=300) | st.from_regex(rb"(MAIL FROM|RCPT TO):? ?<[^>]{0,20}>?.{0,20}"))
def test_only_declared_errors(octets):
    try:
        command = parse_command(octets)
        for parse in (
            lambda argument: parse_sender(argument, extended=True, max_octets=MAX),
            lambda argument: parse_recipient(argument, smtputf8=True),
            parse_hello,
        ):
            try:
                parse(command.argument)
            except Refused as refused:
                assert refused.reply.code in (500, 501, 552, 553, 555)
    except Refused as refused:
        assert refused.reply.code == 500
