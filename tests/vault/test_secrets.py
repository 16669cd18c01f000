"""Passwords and private keys hide themselves, and passwords notice how they were mistyped."""

import base64
import copy
import itertools
import json
import logging
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailboxes import vault
from mailboxes.vault import KeyPair, PrivateKey, Secret
from mailboxes.vault.passwords import ALPHABET
from portal.onebox.secrets import new_worker_key

PASSWORD = vault.new_password()
SHOWN = PASSWORD.reveal()
PLACES = [at for at, sign in enumerate(SHOWN) if sign != "-"]


def test_a_password_is_seven_groups_of_four_that_nothing_has_to_quote() -> None:
    assert [len(group) for group in SHOWN.split("-")] == [4] * 7
    assert set(SHOWN) <= set(ALPHABET) | {"-"}
    assert vault.parse_password(SHOWN) == PASSWORD


def test_passwords_differ() -> None:
    assert len({vault.new_password().reveal() for _ in range(200)}) == 200


@given(at=st.sampled_from(PLACES), symbol=st.sampled_from(ALPHABET))
def test_any_wrong_symbol_is_noticed(at: int, symbol: str) -> None:
    assume(SHOWN[at] != symbol)
    with pytest.raises(vault.MistypedPassword):
        vault.parse_password(SHOWN[:at] + symbol + SHOWN[at + 1 :])


@given(places=st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES)))
def test_any_two_swapped_symbols_are_noticed(places: tuple[int, int]) -> None:
    one, two = places
    assume(SHOWN[one] != SHOWN[two])
    signs = list(SHOWN)
    signs[one], signs[two] = signs[two], signs[one]
    with pytest.raises(vault.MistypedPassword):
        vault.parse_password("".join(signs))


@pytest.mark.parametrize("places", [(0, 1), (3, 21), (32, 33)])
def test_any_two_wrong_symbols_are_noticed(places: tuple[int, int]) -> None:
    right = [SHOWN[at] for at in places]
    signs = list(SHOWN)
    for symbols in itertools.product(ALPHABET, repeat=2):
        signs[places[0]], signs[places[1]] = symbols
        if list(symbols) != right:
            with pytest.raises(vault.MistypedPassword):
                vault.parse_password("".join(signs))


@given(text=st.text(max_size=60))
def test_whatever_is_typed_is_a_password_or_mistyped(text: str) -> None:
    try:
        assert vault.parse_password(text).reveal()
    except vault.MistypedPassword as error:
        assert str(error) == "mistyped-password"


def test_a_secret_shows_a_mask_wherever_it_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r %s", PASSWORD, PASSWORD, [PASSWORD])
    printed = [str(PASSWORD), repr(PASSWORD), f"{PASSWORD}", f"{PASSWORD:>50}", f"{PASSWORD!r}", caplog.text]
    printed += [str({"password": PASSWORD}), "%s" % PASSWORD, str(ValueError(PASSWORD))]  # noqa: UP031
    assert not any(SHOWN in text or SHOWN[:4] in text for text in printed)


def test_a_secret_is_not_stored_copied_or_serialised() -> None:
    for store in (pickle.dumps, json.dumps, copy.copy, copy.deepcopy, hash, vars):
        with pytest.raises(TypeError):
            store(PASSWORD)  # type: ignore[operator]


def test_secrets_are_equal_by_what_they_hold_and_to_nothing_else() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("é") != Secret("e")
    assert Secret("\udc80") != Secret("\udc81")
    assert PASSWORD != SHOWN


def test_a_private_key_shows_its_name_only_and_is_not_stored(pair: KeyPair) -> None:
    key = pair.private
    for text in (str(key), repr(key), f"{key}", repr(pair)):
        assert key.seed().hex() not in text
        assert repr(key.seed()) not in text
    for store in (pickle.dumps, json.dumps, copy.copy, copy.deepcopy, hash, vars):
        with pytest.raises(TypeError):
            store(key)  # type: ignore[operator]


def test_a_key_pair_belongs_together(pair: KeyPair, other_pair: KeyPair) -> None:
    assert len(pair.public) == 1216
    assert pair.private.public == pair.public
    assert PrivateKey.from_seed(pair.private.seed()) == pair.private
    assert pair.private != other_pair.private


def test_a_key_of_the_workers_is_read_as_it_was_generated_or_as_openssl_prints_it() -> None:
    seed = b"\xfb\xff" * 16
    for text in (base64.urlsafe_b64encode(seed).decode().rstrip("="), base64.b64encode(seed).decode() + "\n"):
        assert PrivateKey.from_text(text).seed() == seed
    assert len(PrivateKey.from_text(new_worker_key()).seed()) == 32


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", "A" * 41, "A" * 45, "é" * 43])
def test_anything_else_is_no_key(text: str) -> None:
    with pytest.raises(vault.BadKey):
        PrivateKey.from_text(text)
