"""Every vector ends as it says, in the vault and, where it opens, in a reader written from the documents."""

import hashlib
from typing import Any
from uuid import UUID

import pytest

from mailboxes import vault
from tests.vault import reader
from tests.vault.vectors import container_of, load


def pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


@pytest.mark.parametrize("vector", load("sealed"))
@pytest.mark.parametrize("size", [1000, 2**20])
def test_every_container_ends_as_it_says(vector: dict[str, Any], size: int) -> None:
    context = vault.MessageContext(*(UUID(vector[name]) for name in ("customer", "mailbox", "message")))
    private = vault.PrivateKey.from_seed(bytes.fromhex(vector["key"]))
    released, ending = bytearray(), "whole"
    try:
        for chunk in vault.open_sealed(pieces(container_of(vector), size), private, context=context):
            released += chunk
    except vault.VaultError as error:
        ending = error.code
    found = {"octets": len(released), "sha256": hashlib.sha256(released).hexdigest()}
    assert (found, ending) == (vector["released"], vector["ending"])


@pytest.mark.parametrize("vector", load("locks"))
def test_every_lock_ends_as_it_says(vector: dict[str, Any]) -> None:
    seed, ending = None, "opens"
    try:
        seed = open_lock(vector).seed().hex()
    except vault.VaultError as error:
        ending = error.code
    assert (seed, ending) == (vector["seed"], vector["ending"])


@pytest.mark.parametrize("vector", load("passwords"))
def test_every_password_ends_as_it_says(vector: dict[str, Any]) -> None:
    canonical, ending = None, "parses"
    try:
        canonical = vault.parse_password(vector["typed"]).reveal()
    except vault.MistypedPassword as error:
        ending = error.code
    assert (canonical, ending) == (vector["canonical"], vector["ending"])


def test_the_documents_suffice_to_read_a_container() -> None:
    read = 0
    for (vector,) in (parameter.values for parameter in load("sealed")):
        if vector["ending"] == "whole":
            ids = [vector[name] for name in ("customer", "mailbox", "message")]
            mail = reader.read_message(container_of(vector), bytes.fromhex(vector["key"]), *ids)
            assert hashlib.sha256(mail).hexdigest() == vector["released"]["sha256"]
            read += 1
    assert read == 4


def test_the_documents_suffice_to_read_a_lock() -> None:
    read = 0
    for (vector,) in (parameter.values for parameter in load("locks")):
        if vector["ending"] == "opens":
            lock = bytes.fromhex(vector["lock"])
            seed = reader.read_lock(lock, vector["opener"], vector["customer"], vector["mailbox"])
            assert seed.hex() == vector["seed"]
            read += 1
    assert read == 6


def open_lock(vector: dict[str, Any]) -> vault.PrivateKey:
    lock, kind = bytes.fromhex(vector["lock"]), vector["kind"]
    context = vault.LockContext(UUID(vector["customer"]), UUID(vector["mailbox"]))
    if kind == "password":
        return vault.open_password_lock(lock, vault.parse_password(vector["opener"]), context=context)
    recipient = vault.PrivateKey.from_seed(bytes.fromhex(vector["opener"]))
    return vault.open_key_lock(lock, recipient, kind=kind, context=context)
