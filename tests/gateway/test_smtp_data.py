"""DATA's octets: what ends a message, what does not, and that nothing else changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.data import DotDecoder

PIECES = [1, 2, 3, 4, 5, 7, 64, 100_000]


def decode(octets: bytes, piece: int) -> tuple[bytes, DotDecoder]:
    decoder, text = DotDecoder(), b""
    for start in range(0, len(octets), piece):
        if decoder.done:
            decoder.rest += octets[start:]
            break
        text += decoder.feed(octets[start : start + piece])
    return text, decoder


def stuffed(text: bytes) -> bytes:
    """A message as a correct client sends it."""
    lines = text.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n"


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b"a\r\n..\r\n..b\r\n.\r\n", b"a\r\n.\r\n.b\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
        (b"nul \0 eight \xff bare \r cr\r\n.\r\n", b"nul \0 eight \xff bare \r cr\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"\r\r\n.\r\n", b"\r\r\n"),
    ],
)
def test_dots_and_ends(wire, text, piece):
    got, decoder = decode(wire + b"QUIT\r\n", piece)

    assert decoder.done
    assert got == text
    assert decoder.rest == b"QUIT\r\n"
    assert not decoder.bare_lf


@given(
    st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\r", b"x", b"\0", b"\xff", b"\r\n."]), max_size=40),
    st.sampled_from(PIECES),
)
def test_what_a_correct_client_sends_arrives_exactly(parts, piece):
    text = b"".join(parts) + b"\r\n"

    got, decoder = decode(stuffed(text) + b"NEXT", piece)

    assert (got, decoder.rest, decoder.bare_lf) == (text, b"NEXT", False)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\n", b"\r\n.\r\r\n", b"\r.\r", b"\r.\r\n"]
)
def test_no_other_end_ends_the_text(end, piece):
    smuggled = b"x" + end + b"MAIL FROM:<evil@example.com>\r\n"

    _, decoder = decode(smuggled, piece)

    assert not decoder.done


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("text", [b"\n", b"a\nb\r\n", b"a\r\n\n", b"a\r\n.\nb\r\n", b"a\r\r\n\nb\r\n"])
def test_a_bare_line_feed_is_noticed_anywhere(text, piece):
    _, decoder = decode(text + b"\r\n.\r\n", piece)

    assert decoder.done
    assert decoder.bare_lf


def test_a_long_line_is_not_held():
    decoder, held = DotDecoder(), 0
    for _ in range(100):
        held += 1000 - len(decoder.feed(b"x" * 1000))

    assert held == 0
