"""What a customer's limits and its suspension do to mail that comes in, and to new mailboxes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.services import collection, delivery, tallies
from tenants.models import Customer, DirectoryEntry
from tenants.services import activate_customer, edit_customer, suspend_customer
from tests.conftest import PEER
from tests.tenants.kit import at_once

KB = 1024


@pytest.fixture
def limit(acme, database):
    return lambda **limits: Customer.objects.filter(pk=acme.pk).update(**limits)


@pytest.fixture
def take(database):
    """A message of so many octets, for one or several mailboxes."""

    def deliver(octets, *boxes):
        delivery.deliver([delivery.resolve(box.address, peer=PEER) for box in boxes], [b"x" * octets])

    return deliver


# --- What waits at the customer ---
def test_what_waits_in_all_mailboxes_counts_before_and_after_a_fold_and_until_it_is_collected(
    acme, limit, take, make_mailbox
):
    one, other = make_mailbox("One"), make_mailbox("Other")
    limit(waiting_quota_octets=100)
    take(60, one)
    with tenant_context(acme):
        tallies.fold(acme)
    take(30, other)
    for box in (one, other):
        with pytest.raises(errors.CustomerFull):
            delivery.resolve(box.address, peer=PEER, octets=11)
        delivery.resolve(box.address, peer=PEER, octets=10)
    maildrop = collection.open_maildrop(one.address, one.password, peer=PEER)
    maildrop.commit([0])
    delivery.resolve(other.address, peer=PEER, octets=70)


def test_the_copies_of_one_message_count_together(limit, take, make_mailbox):
    boxes = make_mailbox("One"), make_mailbox("Other")
    limit(waiting_quota_octets=100)
    with pytest.raises(errors.CustomerFull):
        take(51, *boxes)
    take(50, *boxes)


def test_the_limit_of_one_mailbox_holds_beside_that_of_all(limit, take, make_mailbox):
    one, other = make_mailbox("One"), make_mailbox("Other")
    limit(waiting_quota_octets=1000, mailbox_quota_octets=100)
    take(100, one)
    with pytest.raises(errors.MailboxFull) as refused:
        take(1, one)
    assert not isinstance(refused.value, errors.CustomerFull)
    take(100, other)


def test_a_recipient_costs_one_question_and_two_where_there_is_a_limit(limit, acme_mailbox):
    def questions():
        with CaptureQueriesContext(connection) as asked:
            delivery.resolve(acme_mailbox.address, peer=PEER)
        return [each["sql"] for each in asked if "SET search_path" not in each["sql"]]

    limit(message_limit_octets=100 * KB)
    assert len(questions()) == 1
    limit(waiting_quota_octets=100, mailbox_quota_octets=100)
    assert len(questions()) == 2


# --- The size of a message ---
def test_a_message_that_is_too_large_is_refused_by_what_is_announced_and_by_what_comes(
    limit, take, acme_mailbox, settings
):
    limit(message_limit_octets=64 * KB)
    with pytest.raises(errors.MessageTooLarge):
        delivery.resolve(acme_mailbox.address, peer=PEER, octets=64 * KB + 1)
    with pytest.raises(errors.MessageTooLarge):
        take(64 * KB + 1, acme_mailbox)
    assert not [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()]
    take(64 * KB, acme_mailbox)  # what each copy has on top does not count


# --- A suspended customer ---
def test_mail_for_a_suspended_customer_is_put_off_and_what_waits_can_be_collected(
    cast, acme, take, acme_mailbox
):
    take(10, acme_mailbox)
    under_way = delivery.begin([delivery.resolve(acme_mailbox.address, peer=PEER)], trace=lambda to: b"")
    suspend_customer(acme, by=cast.owner)
    with pytest.raises(errors.CustomerSuspended):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    with pytest.raises(errors.CustomerSuspended):
        under_way.commit()
    under_way.abort()
    maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
    assert len(maildrop.entries) == 1
    maildrop.release()
    activate_customer(acme, by=cast.owner)
    take(10, acme_mailbox)


# --- The number of mailboxes ---
def test_there_are_no_more_mailboxes_than_the_limit_until_one_is_gone(cast, acme, make_mailbox):
    edit_customer(acme, mailbox_limit=1, by=cast.owner)
    offer = services.offer(acme, by=cast.admin, name="Late")
    box = make_mailbox("One")
    assert services.mailboxes_left(acme, by=cast.admin) == 0
    for act in (
        lambda: services.offer(acme, by=cast.admin, name="Two"),
        lambda: services.accept(acme, offer.token, by=cast.admin, name="Late", understood=True),
        lambda: services.create_mailbox(acme, by=SYSTEM, name="Two"),
    ):
        with pytest.raises(errors.TooManyMailboxes):
            act()
    assert services.use_of(acme, by=cast.admin).mailboxes == 1
    DirectoryEntry.objects.filter(mailbox_id=box.mailbox.pk).update(status="retired")
    services.accept(acme, offer.token, by=cast.admin, name="Late", understood=True)  # the offer is good still


def test_of_two_who_create_the_last_one_at_once_the_second_is_refused(committed_db, cast, acme):
    edit_customer(acme, mailbox_limit=1, by=cast.owner)

    def creates(name):
        return lambda: services.create_mailbox(acme, by=cast.admin, name=name)

    assert at_once(creates("One"), creates("Two")) == ["done", "too-many-mailboxes"]
