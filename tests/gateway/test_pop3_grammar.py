"""POP3 lines and dots: any pieces, any octets, only declared outcomes."""

import base64
import io
import poplib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lines import LineBuffer
from gateway.pop3.grammar import BadCommand, numbers, parse_command, parse_plain
from gateway.pop3.stuffing import DotStuffer, TopFilter

PIECES = [1, 2, 3, 4, 8, 16, 100_000]


@pytest.mark.parametrize("piece", PIECES)
def test_commands_fed_in_pieces(piece):
    wire, buffer, commands = (b"user Mbx-1\r\nPASS a  b \r\nRETR 1\r\nQUIT\r\n", LineBuffer(), [])
    for start in range(0, len(wire), piece):
        buffer.feed(wire[start : start + piece])
        while (line := buffer.next_line(255)) is not None:
            commands.append(tuple(parse_command(line)))

    assert commands == [("USER", "Mbx-1"), ("PASS", "a  b "), ("RETR", "1"), ("QUIT", "")]


@pytest.mark.parametrize(
    "line", [b"", b" USER x", b"US\0R", b"USER a\0b", b"USER a\x1bb", b"AB", b"STAT\t1", b"\xff\xff\xff"]
)
def test_lines_that_are_no_command(line):
    with pytest.raises(BadCommand):
        parse_command(line)


def test_a_name_that_is_no_text_reaches_its_verb_to_be_refused_there():
    assert parse_command(b"USER \xff").verb == "USER"


def test_an_argument_never_shows_in_a_traceback():
    assert "hunter2" not in repr(parse_command(b"PASS hunter2"))
    assert "hunter2" not in repr(parse_plain(base64.b64encode(b"\0me\0hunter2")))


@pytest.mark.parametrize("argument", ["", "1 2", "x", "-1", "+1", "1 ", " 1", "1.0", "²", "9" * 10])
def test_what_is_no_message_number(argument):
    with pytest.raises(BadCommand):
        numbers(argument, least=1, most=1)


def test_plain_carries_login_and_password():
    plain = parse_plain(base64.b64encode("\0mbx-1\0pässword".encode()))

    assert (plain.authorization, plain.login, plain.password) == ("", "mbx-1", "pässword")


@pytest.mark.parametrize("octets", [b"", b"\0", b"\0a", b"\0a\0", b"\0\0b", b"a\0b\0c\0d"])
def test_plain_that_is_not(octets):
    with pytest.raises(BadCommand):
        parse_plain(base64.b64encode(octets))


@pytest.mark.parametrize("response", ["!", "AG", "ä", "AGE AGI=", "=", "*"])
def test_responses_that_are_no_base64(response):
    with pytest.raises(BadCommand):
        parse_plain(response)


@given(st.binary(max_size=300))
def test_only_declared_errors(octets):
    for parse in (parse_command, parse_plain, lambda o: numbers(parse_command(o).argument, least=1, most=2)):
        try:
            parse(octets)
        except BadCommand as error:
            assert str(error).isascii()


def sent(text: bytes, piece: int) -> bytes:
    stuffer = DotStuffer()
    wire = b"".join(stuffer.feed(text[start : start + piece]) for start in range(0, len(text), piece))
    return wire + stuffer.finish()


@given(
    st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\r", b"\n", b"x", b"\0", b"\r\n."]), max_size=40),
    st.sampled_from(PIECES),
)
def test_dots_are_doubled_whatever_the_pieces(parts, piece):
    text = b"".join(parts) + b"\r\n"

    wire = sent(text, piece)

    lines = wire.split(b"\n")  # as nearly all clients read
    assert lines[-2:] == [b".\r", b""]
    assert not any(line in (b".", b".\r") for line in lines[:-2]), "nothing may look like the end"
    assert b"\n".join(line.removeprefix(b".") for line in lines[:-2]) + b"\n" == text


def test_a_message_without_its_last_line_end_gets_one():
    assert sent(b"a", 1) == b"a\r\n.\r\n"
    assert sent(b"a\r", 1) == b"a\r\r\n.\r\n"


def test_an_empty_message_is_a_lone_dot():
    assert sent(b"", 1) == b".\r\n"


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    ("lines", "top"),
    [
        (0, b"A: 1\r\nB: 2\r\n\r\n"),
        (1, b"A: 1\r\nB: 2\r\n\r\nx\r\n"),
        (2, b"A: 1\r\nB: 2\r\n\r\nx\r\n\r\n"),
        (9, b"A: 1\r\nB: 2\r\n\r\nx\r\n\r\ny\r\n"),
    ],
)
def test_the_top_of_a_message(lines, top, piece):
    text, wanted, got = b"A: 1\r\nB: 2\r\n\r\nx\r\n\r\ny\r\n", TopFilter(lines), b""
    for start in range(0, len(text), piece):
        got += wanted.feed(text[start : start + piece])
        if wanted.done:
            break

    assert got == top


def test_what_poplib_reads_is_the_message():
    text = b".\r\n..\r\n.a\r\n\r\n.\r\n"
    client = poplib.POP3.__new__(poplib.POP3)
    client.file, client._debugging = io.BytesIO(b"+OK\r\n" + sent(text, 1)), 0

    _, lines, _ = client._getlongresp()

    assert b"".join(line + b"\r\n" for line in lines) == text
