"""Locks: the right password or key opens, in the right place, and nothing else does."""

import contextlib
import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from mailboxes import vault
from mailboxes.vault import Cost, KeyPair, LockContext, primitives
from mailboxes.vault.primitives import SIDE_BY_SIDE

KINDS = ["successor", "worker", "recovery"]


def test_the_password_opens_its_lock_at_the_default_cost(pair: KeyPair, place: LockContext) -> None:
    password = vault.new_password()
    lock = vault.lock_with_password(pair.private, password, context=place)
    assert vault.open_password_lock(lock, password, context=place) == pair.private
    with pytest.raises(vault.WrongPassword):
        vault.open_password_lock(lock, vault.new_password(), context=place)


@pytest.mark.parametrize("kind", KINDS)
def test_the_recipient_opens_a_key_lock(
    pair: KeyPair, other_pair: KeyPair, place: LockContext, kind: Any
) -> None:
    lock = vault.lock_to_key(pair.private, other_pair.public, kind=kind, context=place)
    opened = vault.open_key_lock(lock, other_pair.private, kind=kind, context=place)
    assert (opened.seed(), opened.public) == (pair.private.seed(), pair.public)
    with pytest.raises(vault.WrongKey):
        vault.open_key_lock(lock, pair.private, kind=kind, context=place)
    for other in set(KINDS) - {kind}:
        with pytest.raises(vault.WrongKind):
            vault.open_key_lock(lock, other_pair.private, kind=other, context=place)


@pytest.mark.parametrize("what", ["customer", "mailbox"])
def test_a_lock_opens_only_where_it_belongs(
    pair: KeyPair, other_pair: KeyPair, place: LockContext, cheap: Cost, what: str
) -> None:
    password = vault.new_password()
    elsewhere = dataclasses.replace(place, **{what: uuid4()})
    error = {"customer": vault.WrongCustomer, "mailbox": vault.WrongMailbox}[what]
    with pytest.raises(error):
        lock = vault.lock_with_password(pair.private, password, context=place, cost=cheap)
        vault.open_password_lock(lock, password, context=elsewhere)
    with pytest.raises(error):
        lock = vault.lock_to_key(pair.private, other_pair.public, kind="worker", context=place)
        vault.open_key_lock(lock, other_pair.private, kind="worker", context=elsewhere)


def test_a_lock_opens_in_an_earlier_context_too_where_the_caller_says_so(
    pair: KeyPair, other_pair: KeyPair, place: LockContext, cheap: Cost
) -> None:
    password, today = vault.new_password(), LockContext(uuid4(), uuid4())
    also = [LockContext(uuid4(), place.mailbox), place, LockContext(place.customer, uuid4())]
    by_password = vault.lock_with_password(pair.private, password, context=place, cost=cheap)
    by_key = vault.lock_to_key(pair.private, other_pair.public, kind="worker", context=place)
    assert vault.open_password_lock(by_password, password, context=today, also=also) == pair.private
    assert vault.open_key_lock(by_key, other_pair.private, kind="worker", context=today, also=also)
    for others in (also[:1], also[2:]):
        with pytest.raises(vault.WrongCustomer):
            vault.open_password_lock(by_password, password, context=today, also=others)
        with pytest.raises(vault.WrongCustomer):
            vault.open_key_lock(by_key, other_pair.private, kind="worker", context=today, also=others)
    new = vault.lock_with_password(pair.private, password, context=today, cost=cheap)
    assert vault.open_password_lock(new, password, context=today, also=also) == pair.private


def test_every_flipped_octet_and_every_cut_of_a_password_lock_is_noticed(
    pair: KeyPair, place: LockContext, cheap: Cost
) -> None:
    password = vault.new_password()
    lock = vault.lock_with_password(pair.private, password, context=place, cost=cheap)
    for at in range(len(lock)):
        changed = bytearray(lock)
        changed[at] ^= 0x01
        with pytest.raises((vault.Tampered, vault.Unreadable)):
            vault.open_password_lock(bytes(changed), password, context=place)
        with pytest.raises(vault.Truncated):
            vault.open_password_lock(lock[:at], password, context=place)


def test_every_flipped_octet_and_every_cut_of_a_key_lock_is_noticed(
    pair: KeyPair, other_pair: KeyPair, place: LockContext
) -> None:
    lock = vault.lock_to_key(pair.private, other_pair.public, kind="worker", context=place)
    for at in range(len(lock)):
        changed = bytearray(lock)
        changed[at] ^= 0x01
        with pytest.raises((vault.Tampered, vault.Unreadable)):
            vault.open_key_lock(bytes(changed), other_pair.private, kind="worker", context=place)
        with pytest.raises(vault.Truncated):
            vault.open_key_lock(lock[:at], other_pair.private, kind="worker", context=place)


def test_two_locks_of_one_key_share_nothing_that_opens(
    pair: KeyPair, place: LockContext, cheap: Cost
) -> None:
    password = vault.new_password()
    one, two = (vault.lock_with_password(pair.private, password, context=place, cost=cheap) for _ in range(2))
    assert one[52:68] != two[52:68]
    assert one[68:] != two[68:]


def test_a_key_that_is_not_the_one_named_is_refused(
    pair: KeyPair, other_pair: KeyPair, place: LockContext
) -> None:
    """Anyone can seal a key of theirs to the workers; it must not pass for the mailbox's."""
    imposter = vault.PrivateKey.from_seed(bytes(32))
    imposter.key_id = pair.private.key_id
    lock = vault.lock_to_key(imposter, other_pair.public, kind="worker", context=place)
    with pytest.raises(vault.Tampered):
        vault.open_key_lock(lock, other_pair.private, kind="worker", context=place)


def test_no_password_opens_a_decoy_and_trying_costs_as_much(pair: KeyPair, place: LockContext) -> None:
    password = vault.new_password()
    real = vault.lock_with_password(pair.private, password, context=place)
    decoy, decoy_place = vault.decoy_password_lock()
    assert len(decoy) == len(real)
    assert decoy[43:52] == real[43:52]  # the same cost of Argon2id

    def fastest(lock: bytes, context: LockContext) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            with pytest.raises(vault.WrongPassword):
                vault.open_password_lock(lock, vault.new_password(), context=context)
            times.append(time.process_time() - began)
        return min(times)

    assert 1 / 3 < fastest(decoy, decoy_place) / fastest(real, place) < 3


@pytest.mark.parametrize(
    ("cost", "together", "ever"),
    [
        pytest.param(Cost(), SIDE_BY_SIDE, True, id="as many as there are cores"),
        pytest.param(Cost(), SIDE_BY_SIDE + 1, False, id="and no more, for their memory"),
        pytest.param(Cost(64, 1, 4), 2, False, id="with several lanes one at a time"),
        pytest.param(Cost(16 * 1024, 1, 1), 2, False, id="with much memory one at a time"),
    ],
)
def test_so_many_derivations_go_side_by_side(
    monkeypatch: pytest.MonkeyPatch, cost: Cost, together: int, ever: bool
) -> None:
    """Each waits, in the midst of it, for so many others to be there as well: either they come, or they can't."""
    met = threading.Barrier(together)

    class Meeting:
        def __init__(self, **parameters: Any) -> None:
            self._parameters = parameters

        def derive(self, password: bytes) -> bytes:
            with contextlib.suppress(threading.BrokenBarrierError):
                met.wait(20 if ever else 0.3)
            return Argon2id(**self._parameters).derive(password)

    monkeypatch.setattr(primitives, "Argon2id", Meeting)
    with ThreadPoolExecutor(together) as hands:
        list(hands.map(lambda _: primitives.stretch("", bytes(16), cost), range(together)))

    assert met.broken is not ever


@pytest.mark.parametrize(
    "cost", [(7, 1, 1), (64, 0, 1), (64, 1, 0), (2**20, 1, 1), (64, 17, 1), (4096, 1, 17)]
)
def test_a_cost_out_of_bounds_can_not_be_asked_for(cost: tuple[int, int, int]) -> None:
    with pytest.raises(vault.CostOutOfBounds):
        Cost(*cost)
