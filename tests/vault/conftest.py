"""A mailbox's key, its place and its message; everything else, tests spell out."""

from uuid import uuid4

import pytest

from mailboxes.vault import Cost, KeyPair, LockContext, MessageContext, generate_key_pair


@pytest.fixture(scope="session")
def pair() -> KeyPair:
    return generate_key_pair()


@pytest.fixture(scope="session")
def other_pair() -> KeyPair:
    return generate_key_pair()


@pytest.fixture(scope="session")
def message() -> MessageContext:
    return MessageContext(uuid4(), uuid4(), uuid4())


@pytest.fixture(scope="session")
def place() -> LockContext:
    return LockContext(uuid4(), uuid4())


@pytest.fixture(scope="session")
def cheap() -> Cost:
    """Argon2id at next to no cost: these tests are not about guessing."""
    return Cost(memory_kib=64, passes=1, lanes=1)
