from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors
from mailboxes.models import KeyLock, Mailbox, MailboxKey, MaildropLock, Message, Tally, TallyChange
from mailboxes.services import activity, collection, delivery, tallies
from mailboxes.vault import (
    Cost,
    LockContext,
    VaultError,
    has_todays_cost,
    lock_with_password,
    new_password,
    open_password_lock,
    parse_password,
)
from tenants.models import DirectoryEntry

PEER = "192.0.2.7"
MAIL = b"Subject: hello\r\n\r\nIt is 8-bit \xff and has a NUL \x00.\r\n"


@pytest.fixture(autouse=True)
def _rolled_back(db):
    """These tests speak to the services in one thread, so a transaction that is rolled back serves."""


@pytest.fixture
def receives(acme_mailbox):
    def take(*mails: bytes) -> None:
        for mail in mails:
            delivery.deliver([delivery.resolve(acme_mailbox.address, peer=PEER)], [mail])

    return take


@pytest.fixture
def opened(acme_mailbox):
    def open_it(password: str = acme_mailbox.password, login: str = acme_mailbox.address):
        return collection.open_maildrop(login, password, peer=PEER)

    return open_it


def everything_in(maildrop) -> list[bytes]:
    return [b"".join(maildrop.read(index)) for index in range(len(maildrop.entries))]


def blobs(settings) -> list[Path]:
    return [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()]


def test_mail_comes_back_byte_for_byte_in_order_of_arrival(receives, opened):
    large = bytes(range(256)) * 4096
    receives(MAIL, b"", large)
    maildrop = opened()
    assert everything_in(maildrop) == [MAIL, b"", large]
    assert [entry.octets for entry in maildrop.entries] == [len(MAIL), 0, len(large)]


def test_a_lock_of_an_earlier_release_opens_and_is_made_anew_by_who_has_the_password(
    acme, acme_mailbox, receives, opened
):
    receives(MAIL)
    context, password = LockContext(acme.pk, acme_mailbox.mailbox.pk), parse_password(acme_mailbox.password)

    def lock() -> KeyLock:
        return KeyLock.objects.get(key__mailbox=acme_mailbox.mailbox, kind="password")

    with tenant_context(acme):
        private = open_password_lock(bytes(lock().data), password, context=context)
        earlier = lock_with_password(private, password, context=context, cost=Cost(64, 2, 4))
        KeyLock.objects.filter(pk=lock().pk).update(data=earlier)

    with pytest.raises(errors.BadCredentials):
        opened(new_password().reveal())
    with tenant_context(acme):
        assert bytes(lock().data) == earlier, "a wrong password changes nothing"
    opened().release()
    with tenant_context(acme):
        renewed = bytes(lock().data)
    assert has_todays_cost(renewed)
    assert everything_in(opened()) == [MAIL]
    with tenant_context(acme):
        assert bytes(lock().data) == renewed, "once is enough"


def test_what_lies_in_the_store_is_sealed(receives, settings):
    receives(MAIL)
    (blob,) = blobs(settings)
    assert b"hello" not in blob.read_bytes()
    assert b"8-bit" not in blob.read_bytes()


def test_the_part_before_the_at_is_a_login_too(receives, opened, acme_mailbox):
    receives(MAIL)
    assert everything_in(opened(login=acme_mailbox.address.partition("@")[0])) == [MAIL]


def test_entry_of_the_password_forgives_case_and_dashes(receives, opened, acme_mailbox):
    receives(MAIL)
    assert everything_in(opened(acme_mailbox.password.replace("-", " ").upper())) == [MAIL]


def test_a_wrong_a_mistyped_and_an_empty_password_and_an_unknown_mailbox_are_refused_alike(
    opened, acme_mailbox
):
    wrong = new_password().reveal()
    for login, password in (
        (acme_mailbox.address, wrong),
        (acme_mailbox.address, acme_mailbox.password[:-1]),
        (acme_mailbox.address, ""),
        ("mbx-nobody@gateway.localhost", wrong),
        ("", ""),
        ("\x00", "\x00"),
    ):
        with pytest.raises(errors.BadCredentials):
            opened(password, login)


def test_a_deleted_message_is_gone_with_its_blob_and_the_others_stay(receives, opened, settings):
    receives(b"one", b"two", b"three")
    opened().commit([1])
    maildrop = opened()
    assert everything_in(maildrop) == [b"one", b"three"]
    assert len(blobs(settings)) == 2


def test_leaving_without_commit_deletes_nothing(receives, opened):
    receives(MAIL)
    maildrop = opened()
    maildrop.release()
    maildrop.release()
    assert everything_in(opened()) == [MAIL]


def test_one_session_at_a_time(opened, acme):
    first = opened()
    with pytest.raises(errors.MaildropInUse):
        opened()
    first.release()
    opened().release()


def test_a_session_that_died_frees_the_maildrop_when_its_lock_expires(receives, opened, acme):
    receives(MAIL)
    dead = opened()
    with tenant_context(acme):
        MaildropLock.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    living = opened()
    with pytest.raises(errors.MaildropLost):
        dead.renew()
    with pytest.raises(errors.MaildropLost):
        dead.commit([0])
    assert everything_in(living) == [MAIL]


def test_mail_that_arrives_during_a_session_waits_for_the_next(receives, opened):
    maildrop = opened()
    receives(MAIL)
    assert maildrop.entries == ()
    maildrop.commit([])
    assert len(opened().entries) == 1


def test_unique_ids_stay_the_same(receives, opened):
    receives(b"one", b"two")
    first = opened()
    first.release()
    assert opened().entries == first.entries


def test_mail_sealed_to_a_key_that_was_replaced_meanwhile_is_refused_for_now(acme, acme_mailbox, settings):
    recipient = delivery.resolve(acme_mailbox.address, peer=PEER)
    with tenant_context(acme):
        MailboxKey.objects.update(state="retired")
    with pytest.raises(errors.KeyChanged):
        delivery.deliver([recipient], [MAIL])
    with tenant_context(acme):
        assert not Message.objects.exists()
    assert blobs(settings) == []


def test_an_aborted_delivery_leaves_nothing(acme_mailbox, acme, settings):
    begun = delivery.begin(
        [delivery.resolve(acme_mailbox.address, peer=PEER)], trace=lambda recipient: b"Top\r\n"
    )
    begun.write(MAIL * 10_000)
    begun.abort()
    begun.abort()
    assert blobs(settings) == []


def test_the_trace_lies_on_top_and_counts(receives, opened, acme_mailbox):
    recipient = delivery.resolve(acme_mailbox.address, peer=PEER)
    delivery.deliver([recipient], [MAIL], trace=lambda to: f"For: {to.address}\r\n".encode())
    maildrop = opened()
    expected = f"For: {acme_mailbox.address}\r\n".encode() + MAIL
    assert everything_in(maildrop) == [expected]
    assert maildrop.entries[0].octets == len(expected)


def test_a_blob_of_another_message_in_its_place_is_found_out(receives, opened, acme, settings):
    receives(b"one", b"two")
    with tenant_context(acme):
        one, two = (settings.STORE_ROOT / message.blob for message in Message.objects.order_by("pk"))
    one.write_bytes(two.read_bytes())
    with pytest.raises(VaultError):
        b"".join(opened().read(0))


def test_a_missing_blob_is_no_empty_message(receives, opened, settings):
    receives(MAIL)
    (blob,) = blobs(settings)
    blob.unlink()
    with pytest.raises(errors.MessageGone):
        b"".join(opened().read(0))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("suspended", errors.MailboxSuspended),
        ("deleting", errors.MailboxDeleting),
        ("retired", errors.UnknownAddress),
    ],
)
def test_only_active_mailboxes_take_mail(acme_mailbox, status, error):
    DirectoryEntry.objects.filter(mailbox_id=acme_mailbox.mailbox.pk).update(status=status)
    with pytest.raises(error):
        delivery.resolve(acme_mailbox.address, peer=PEER)


def test_collection_goes_on_while_a_mailbox_is_suspended(receives, opened, acme_mailbox):
    receives(MAIL)
    DirectoryEntry.objects.filter(mailbox_id=acme_mailbox.mailbox.pk).update(status="suspended")
    assert everything_in(opened()) == [MAIL]


@pytest.mark.parametrize("status", ["deleting", "retired"])
def test_nobody_collects_from_a_mailbox_that_is_being_deleted(opened, acme_mailbox, status):
    DirectoryEntry.objects.filter(mailbox_id=acme_mailbox.mailbox.pk).update(status=status)
    with pytest.raises(errors.BadCredentials):
        opened()


def test_a_customer_can_take_mail_from_its_own_networks_only(acme, acme_mailbox):
    acme.allowed_networks = ["198.51.100.0/24", "2001:db8::/32"]
    acme.save()
    with pytest.raises(errors.NetworkNotAllowed):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    for peer in ("198.51.100.9", "::ffff:198.51.100.9", "2001:db8::1"):
        assert delivery.resolve(acme_mailbox.address, peer=peer).address == acme_mailbox.address


def test_a_full_mailbox_takes_mail_again_after_a_collection(receives, opened, acme, acme_mailbox):
    acme.mailbox_quota_octets = 10
    acme.save()
    receives(b"0123456789")
    with pytest.raises(errors.MailboxFull):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    opened().commit([0])
    delivery.resolve(acme_mailbox.address, peer=PEER)


@pytest.mark.parametrize("octets", [11, 4_000_000])
def test_a_message_that_a_limit_leaves_no_room_for_is_not_kept(
    receives, acme, acme_mailbox, settings, octets
):
    acme.mailbox_quota_octets = 20
    acme.save()
    receives(b"0123456789")
    recipient = delivery.resolve(acme_mailbox.address, peer=PEER)
    before = blobs(settings)

    with pytest.raises(errors.MailboxFull):
        delivery.resolve(acme_mailbox.address, peer=PEER, octets=octets)
    with pytest.raises(errors.MailboxFull):
        delivery.deliver([recipient], [b"x" * octets])

    assert blobs(settings) == before
    receives(b"x" * 10)


def test_a_message_begun_before_a_suspension_is_put_off_and_nobody_gets_it(
    acme, acme_mailbox, make_mailbox, settings
):
    both = [delivery.resolve(to.address, peer=PEER) for to in (make_mailbox("Other"), acme_mailbox)]
    begun = delivery.begin(both, trace=lambda recipient: b"")
    begun.write(MAIL)
    DirectoryEntry.objects.filter(mailbox_id=acme_mailbox.mailbox.pk).update(status="suspended")

    with pytest.raises(errors.MailboxSuspended):
        begun.commit()
    begun.abort()

    assert blobs(settings) == []
    with tenant_context(acme):
        assert not Message.objects.exists()
        assert tallies.of(acme_mailbox.mailbox.pk).put_off == 1


def test_addresses_are_found_whatever_their_case(acme_mailbox):
    assert delivery.resolve(acme_mailbox.address.upper(), peer=PEER).mailbox_id == acme_mailbox.mailbox.pk


def test_counters_are_the_same_before_and_after_folding(receives, opened, acme, acme_mailbox):
    receives(b"12345", b"1234567890")
    maildrop = opened()
    everything_in(maildrop)
    maildrop.commit([0])
    with tenant_context(acme):
        before = activity(acme, acme_mailbox.mailbox, by=SYSTEM)
        tallies.fold(acme)
        tallies.fold(acme)
        assert activity(acme, acme_mailbox.mailbox, by=SYSTEM) == before
        listed = Mailbox.objects.with_activity().get()
        assert not TallyChange.objects.exists()
        assert Tally.objects.get().messages == 1
    assert (before.waiting, before.waiting_octets) == (1, 10)
    assert before.first_mail_at < before.last_mail_at < before.last_collection_at
    assert (listed.waiting, listed.waiting_octets) == (1, 10)
    assert (listed.last_mail_at, listed.last_collection_at) == (
        before.last_mail_at,
        before.last_collection_at,
    )


@pytest.mark.parametrize("moment", range(1, 5))
def test_a_fold_in_the_middle_of_a_look_hides_nothing(receives, opened, acme, acme_mailbox, folding, moment):
    receives(b"12345", b"1234567890")
    opened().commit([0])
    with tenant_context(acme):
        before = activity(acme, acme_mailbox.mailbox, by=SYSTEM)
        with folding(moment):
            assert activity(acme, acme_mailbox.mailbox, by=SYSTEM) == before
    assert (before.waiting, before.waiting_octets) == (1, 10)


def test_a_look_into_an_empty_maildrop_is_no_collection(opened, acme, acme_mailbox):
    opened().commit([])
    with tenant_context(acme):
        assert activity(acme, acme_mailbox.mailbox, by=SYSTEM).first_collection_at is None


def test_a_delivery_only_inserts(receives, acme, django_capture_on_commit_callbacks):
    """A journal mailbox takes mail over dozens of connections: a row that all of them update would queue them."""
    with connection.execute_wrapper(note := Note()):
        receives(MAIL)
    writes = [
        statement.split()[0] for statement in note.statements if not statement.startswith(("SELECT", "SET"))
    ]
    assert set(writes) <= {"INSERT", "SAVEPOINT", "RELEASE"}


class Note:
    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute, statement, *arguments):
        self.statements.append(str(statement))
        return execute(statement, *arguments)
