"""Sealing and opening: whole or an error, whatever the sizes, whatever happened to the container."""

import dataclasses
import itertools
import os
import tracemalloc
from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailboxes import vault
from mailboxes.vault import CHUNK_OCTETS, HEADER_OCTETS, KeyPair, MessageContext, VaultError

PAIR = vault.generate_key_pair()
MESSAGE = MessageContext(uuid4(), uuid4(), uuid4())
STEP = CHUNK_OCTETS + 25
FLAT_OCTETS = 2 * 2**20  # a few chunks and the interpreter's own noise


def sealed(*pieces: bytes) -> bytes:
    return b"".join(vault.seal(pieces, PAIR.public, context=MESSAGE))


def read(container: bytes, key: KeyPair = PAIR, context: MessageContext = MESSAGE) -> tuple[bytes, str]:
    """What is released, and how it ends: an error's code, or "whole"."""
    released = bytearray()
    try:
        for chunk in vault.open_sealed([container], key.private, context=context):
            released += chunk
    except VaultError as error:
        return bytes(released), error.code
    return bytes(released), "whole"


@pytest.mark.parametrize("octets", [0, 1, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1, 3 * CHUNK_OCTETS])
def test_a_message_of_any_size_comes_back_and_its_container_is_as_large_as_foretold(octets: int) -> None:
    mail = os.urandom(octets)
    container = sealed(mail)
    assert read(container) == (mail, "whole")
    assert len(container) == vault.sealed_size(octets)


def test_a_container_opens_in_an_earlier_context_too_where_the_caller_says_so() -> None:
    container, today = sealed(b"mail"), MessageContext(uuid4(), uuid4(), MESSAGE.message)
    also = [MessageContext(uuid4(), MESSAGE.mailbox, MESSAGE.message), MESSAGE]
    opened = vault.open_sealed([container], PAIR.private, context=today, also=also)
    assert b"".join(opened) == b"mail"
    for others in ([], also[:1], [dataclasses.replace(MESSAGE, message=uuid4())]):
        with pytest.raises(vault.WrongCustomer):
            vault.open_sealed([container], PAIR.private, context=today, also=others)
    new = vault.seal([b"new"], PAIR.public, context=today)
    assert b"".join(vault.open_sealed(new, PAIR.private, context=today, also=also)) == b"new"


sizes = st.lists(
    st.sampled_from([0, 1, 2, 998, CHUNK_OCTETS - 1, CHUNK_OCTETS, CHUNK_OCTETS + 1]), max_size=6
)
steps = st.sampled_from([1, 7, 1000, HEADER_OCTETS, CHUNK_OCTETS, STEP, 10**6])


@settings(max_examples=60, deadline=None)
@given(sizes=sizes, step=steps, empties=st.booleans())
def test_how_a_message_is_split_makes_no_difference(sizes: list[int], step: int, empties: bool) -> None:
    mail = os.urandom(sum(sizes))
    step = max(step, len(mail) // 2000)
    source = iter(mail)
    container = sealed(*(bytes(itertools.islice(source, size)) for size in sizes))
    pieces = [container[at : at + step] for at in range(0, len(container), step)]
    if empties:
        pieces = [part for piece in pieces for part in (b"", piece)]
    assert len(container) == vault.sealed_size(len(mail))
    assert b"".join(vault.open_sealed(pieces, PAIR.private, context=MESSAGE)) == mail


@given(sizes=st.lists(st.integers(0, 2 * CHUNK_OCTETS), max_size=5))
@settings(max_examples=30, deadline=None)
def test_a_sealer_gives_what_seal_gives(sizes: list[int]) -> None:
    parts = [os.urandom(size) for size in sizes]
    sealer = vault.Sealer(PAIR.public, context=MESSAGE)
    container = b"".join([*map(sealer.update, parts), sealer.finish()])
    assert read(container) == (b"".join(parts), "whole")


def test_a_sealer_takes_a_buffer_that_its_caller_uses_again() -> None:
    sealer = vault.Sealer(PAIR.public, context=MESSAGE)
    buffer = bytearray(b"a" * CHUNK_OCTETS)
    parts = [sealer.update(buffer)]
    buffer[:] = b"b" * CHUNK_OCTETS
    parts += [sealer.update(buffer), sealer.finish()]
    assert read(b"".join(parts)) == (b"a" * CHUNK_OCTETS + b"b" * CHUNK_OCTETS, "whole")


def test_a_finished_sealer_takes_nothing_more() -> None:
    sealer = vault.Sealer(PAIR.public, context=MESSAGE)
    sealer.finish()
    with pytest.raises(ValueError, match="finished"):
        sealer.update(b"more")
    with pytest.raises(ValueError, match="finished"):
        sealer.finish()


def test_every_flipped_octet_is_noticed_and_nothing_false_is_released() -> None:
    mail = b"Subject: hello\r\n\r\nA short one.\r\n"
    container = sealed(mail)
    for at in range(len(container)):
        changed = bytearray(container)
        changed[at] ^= 0x20
        released, ending = read(bytes(changed))
        assert released == b"", at
        assert ending != "whole", at


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_of_the_clear_parts_has_its_own_error(bit: int) -> None:
    container = sealed(b"x")
    expected = {range(8): {"bad-magic"}, range(8, 9): {"unknown-version"},
                range(9, HEADER_OCTETS): {"header-tampered"},
                range(HEADER_OCTETS, HEADER_OCTETS + 1): {"chunk-tampered", "malformed-chunk"},
                range(HEADER_OCTETS + 1, HEADER_OCTETS + 5): {"out-of-order"},
                range(HEADER_OCTETS + 5, HEADER_OCTETS + 9): {"malformed-chunk", "truncated", "trailing-data",
                                                              "chunk-tampered"}}  # fmt: skip
    for places, endings in expected.items():
        for at in places:
            changed = bytearray(container)
            changed[at] ^= 1 << bit
            assert read(bytes(changed))[1] in endings, at


def test_a_cut_anywhere_is_a_truncation() -> None:
    container = sealed(b"A short one.")
    assert {read(container[:at])[1] for at in range(len(container))} == {"truncated"}


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_a_cut_between_chunks_releases_what_came_before_and_says_so(chunks: int) -> None:
    mail = os.urandom(3 * CHUNK_OCTETS + 10)
    container = sealed(mail)
    assert read(container[: HEADER_OCTETS + chunks * STEP]) == (mail[: chunks * CHUNK_OCTETS], "truncated")


@pytest.mark.parametrize("order", sorted(set(itertools.permutations(range(3))) - {(0, 1, 2)}))
def test_chunks_in_another_order_are_noticed_where_they_begin(order: tuple[int, int, int]) -> None:
    mail = os.urandom(3 * CHUNK_OCTETS)
    container = sealed(mail)
    parts = [container[HEADER_OCTETS + n * STEP : HEADER_OCTETS + (n + 1) * STEP] for n in range(3)]
    right = CHUNK_OCTETS if order[0] == 0 else 0
    changed = container[:HEADER_OCTETS] + b"".join(parts[n] for n in order)
    assert read(changed) == (mail[:right], "out-of-order")


def test_a_chunk_of_another_message_proves_nothing_here() -> None:
    one, two = sealed(b"the first message"), sealed(b"the other message")
    assert read(one[:HEADER_OCTETS] + two[HEADER_OCTETS:]) == (b"", "chunk-tampered")


@pytest.mark.parametrize("what", ["customer", "mailbox", "message"])
def test_a_container_opens_only_where_it_belongs(what: str) -> None:
    elsewhere = dataclasses.replace(MESSAGE, **{what: uuid4()})
    assert read(sealed(b"mail"), context=elsewhere) == (b"", f"wrong-{what}")


def test_a_container_opens_only_under_its_key(other_pair: KeyPair) -> None:
    assert read(sealed(b"mail"), key=other_pair) == (b"", "wrong-key")


def test_the_key_id_of_a_container_can_be_read_without_a_key() -> None:
    container = sealed(b"mail")
    assert vault.read_header(container[:HEADER_OCTETS]) == vault.key_id(PAIR.public) == PAIR.private.key_id
    with pytest.raises(vault.Truncated):
        vault.read_header(container[: HEADER_OCTETS - 1])


def test_a_bad_header_is_refused_at_the_call_before_anything_is_answered() -> None:
    with pytest.raises(vault.BadMagic):
        vault.open_sealed([b"From someone"], PAIR.private, context=MESSAGE)


def test_an_error_of_the_source_passes_as_it_is() -> None:
    container = sealed(b"x" * 200_000)

    def failing() -> Iterator[bytes]:
        yield container[:100_000]
        raise OSError("disk")

    opened = vault.open_sealed(failing(), PAIR.private, context=MESSAGE)
    assert next(opened) == b"x" * CHUNK_OCTETS
    with pytest.raises(OSError, match="disk"):
        next(opened)


LOW_ORDER = PAIR.public[:1184] + bytes(32)  # an X25519 half with which every secret would be zero


@pytest.mark.parametrize("public", [b"", bytes(1215), bytes(1217), b"\xff" * 1216, LOW_ORDER])
def test_only_a_public_key_can_be_sealed_to(public: bytes) -> None:
    with pytest.raises(vault.BadKey):
        vault.Sealer(public, context=MESSAGE)


def test_memory_stays_flat_whatever_the_size() -> None:
    piece, times = b"m" * CHUNK_OCTETS, 400

    tracemalloc.start()
    try:
        stream = vault.seal(itertools.repeat(piece, times), PAIR.public, context=MESSAGE)
        octets = sum(len(chunk) for chunk in vault.open_sealed(stream, PAIR.private, context=MESSAGE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert octets == times * CHUNK_OCTETS
    assert peak < FLAT_OCTETS
