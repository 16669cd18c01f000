"""The directory: one row for each mailbox, found by address or login, never given to another."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants import directory
from tenants.errors import AddressTaken
from tenants.models import DirectoryEntry

ADDRESS = "mbx-tellme@gateway.localhost"


def publish(customer, mailbox_id, **changes):
    facts = {"address": ADDRESS, "status": "active", "public_key": b"key 1", "generation": 1} | changes
    directory.publish(customer=customer, mailbox_id=mailbox_id, **facts)


def test_publishing_again_changes_the_same_entry(acme):
    mailbox_id = uuid.uuid4()
    publish(acme, mailbox_id)
    publish(acme, mailbox_id, status="suspended", public_key=b"key 2", generation=2)
    with CaptureQueriesContext(connection) as asked:
        entry = directory.look_up(ADDRESS)
        assert entry.customer == acme
    assert sum(query["sql"].startswith("SELECT") for query in asked) == 1
    assert (entry.mailbox_id, entry.status, bytes(entry.public_key), entry.generation) == (
        mailbox_id,
        "suspended",
        b"key 2",
        2,
    )
    assert DirectoryEntry.objects.filter(mailbox_id=mailbox_id).count() == 1


@pytest.mark.parametrize("asked", [ADDRESS, ADDRESS.upper(), "mbx-tellme", " MBX-tellme "])
def test_logins_are_addresses_or_what_stands_before_the_at(acme, asked):
    publish(acme, uuid.uuid4())
    assert directory.look_up_login(asked).address == ADDRESS


def test_a_letter_that_lower_case_makes_an_ascii_one_is_another_letter(acme):
    publish(acme, uuid.uuid4(), address="mbx-knock@gateway.localhost")
    assert directory.look_up("MBX-KNOCK@gateway.localhost")
    assert directory.look_up("mbx-\u212anock@gateway.localhost") is None


@pytest.mark.parametrize(
    "asked", ["nobody@gateway.localhost", "mbx-tellme@elsewhere.example", "", "a\x00b", "@"]
)
def test_whoever_is_not_there_is_not_found(acme, asked):
    publish(acme, uuid.uuid4())
    assert directory.look_up_login(asked) is None


@pytest.mark.parametrize("status", ["active", "retired"])
def test_nobody_gets_an_address_that_another_has_or_had(acme, globex, status):
    publish(acme, uuid.uuid4(), status=status)
    with pytest.raises(AddressTaken):
        publish(globex, uuid.uuid4(), address=ADDRESS.upper())
    assert directory.look_up(ADDRESS).customer == acme  # and the transaction is still usable


def test_a_retired_entry_stays_retired(acme):
    mailbox_id = uuid.uuid4()
    publish(acme, mailbox_id, status="retired")
    publish(acme, mailbox_id, status="retired")
    with pytest.raises(AddressTaken):
        publish(acme, mailbox_id, status="active")
    assert directory.look_up(ADDRESS).status == "retired"


def test_a_mailbox_can_not_move_to_another_customer(acme, globex):
    mailbox_id = uuid.uuid4()
    publish(acme, mailbox_id)
    with pytest.raises(AddressTaken):
        publish(globex, mailbox_id, address="mbx-other@gateway.localhost")
