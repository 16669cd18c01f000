"""Lines come out the same whatever pieces they arrive in, and nothing that is no line comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BareLineFeed, EndlessLine, LineTooLong
from gateway.lines import SKIP_OCTETS, LineBuffer

PIECES = [1, 2, 3, 4, 8, 16, 1000]


def outcomes(octets: bytes, piece: int, limit: int = 20) -> list[bytes | str]:
    buffer, found = LineBuffer(), []
    for start in range(0, len(octets), piece):
        buffer.feed(octets[start : start + piece])
        while True:
            try:
                line = buffer.next_line(limit)
            except (LineTooLong, BareLineFeed) as error:
                found.append(type(error).__name__)
                continue
            if line is None:
                break
            found.append(line)
    return found


@pytest.mark.parametrize("piece", PIECES)
def test_each_line_gets_one_outcome(piece):
    octets = (
        b"NOOP\r\n\r\nbare\n"
        + b"x" * 50
        + b"\r\nwith \r inside\r\n"
        + b"y" * 18
        + b"\r\n"
        + b"z" * 19
        + b"\r\n"
    )

    assert outcomes(octets, piece) == [
        b"NOOP",
        b"",
        "BareLineFeed",
        "LineTooLong",
        b"with \r inside",
        b"y" * 18,
        "LineTooLong",
    ]


@given(st.binary(max_size=200).map(lambda octets: octets.replace(b"a", b"\r\n")), st.sampled_from(PIECES))
def test_pieces_make_no_difference(octets, piece):
    assert outcomes(octets, piece) == outcomes(octets, 10_000)


def test_a_line_that_never_ends_is_given_up_without_being_kept():
    buffer = LineBuffer()

    with pytest.raises(EndlessLine):
        for _ in range(SKIP_OCTETS):
            buffer.feed(b"x" * 10)
            assert buffer.next_line(512) is None
            assert len(buffer) <= 522


def test_what_was_put_back_is_read_first():
    buffer = LineBuffer()
    buffer.feed(b"T\r\n")
    buffer.put_back(b"QUI")

    assert buffer.next_line(20) == b"QUIT"
