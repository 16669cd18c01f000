import pytest
from django.db import connection
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import KeyLock, Mailbox, MailboxKey, Message, Tally
from mailboxes.services import collection, delivery
from tenants import directory
from tenants.errors import AddressTaken
from tenants.models import AuditEvent, DirectoryEntry, OpenJob
from tests.conftest import PEER


@pytest.fixture(autouse=True)
def _rolled_back(db):
    """One thread, so a transaction that is rolled back serves."""


@pytest.fixture
def delete(acme, acme_mailbox, cast):
    def ask(**options):
        services.suspend_mailbox(acme, acme_mailbox.mailbox, by=cast.admin)
        return services.start_deletion(acme, acme_mailbox.mailbox, by=cast.admin, **options)

    return ask


def test_an_active_mailbox_is_not_deleted(acme, acme_mailbox, fill, collect):
    fill(b"one")
    with pytest.raises(errors.StillActive):
        services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert collect(acme_mailbox.password) == [b"one"]


def test_a_name_that_is_not_typed_exactly_deletes_nothing(delete, fill, collect, acme_mailbox):
    fill(b"one")
    for typed in ("", "office 365 journal", "Office"):
        with pytest.raises(errors.NameNotConfirmed):
            delete(confirmed_name=typed)
    assert collect(acme_mailbox.password) == [b"one"]
    assert delete(confirmed_name=" Office 365 Journal ")


def test_what_will_be_lost_is_known_before(acme, acme_mailbox, fill):
    fill(b"one", b"three")
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, locked_mail="keep")
    fill(b"after")
    lost = services.losses(acme, acme_mailbox.mailbox, by=SYSTEM)
    with tenant_context(acme):
        oldest = Message.objects.earliest("pk").received_at
    assert lost == (3, 13, 2, oldest, True)


def test_from_that_second_no_password_opens_it_and_no_mail_comes_in(
    delete, fill, collect, acme, acme_mailbox
):
    fill(b"one")
    on_its_way = delivery.begin(
        [delivery.resolve(acme_mailbox.address, peer=PEER)], trace=lambda recipient: b""
    )
    session = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
    delete()
    with tenant_context(acme):
        assert not KeyLock.objects.exists(), "every lock of every key is gone before any storage is"
        assert Message.objects.exists()
    with pytest.raises(errors.BadCredentials):
        collect(acme_mailbox.password)
    with pytest.raises(errors.MaildropLost):
        session.read(0)
    with pytest.raises(errors.MailboxDeleting):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    with pytest.raises(errors.KeyChanged):
        on_its_way.commit()
    on_its_way.abort()
    for act in (
        lambda mailbox: services.activate_mailbox(acme, mailbox, by=SYSTEM),
        lambda mailbox: services.start_deletion(acme, mailbox, by=SYSTEM),
        lambda mailbox: services.reset_password(acme, mailbox, by=SYSTEM, locked_mail="keep"),
        lambda mailbox: services.unlock(acme, mailbox, acme_mailbox.password, by=SYSTEM),
    ):
        with pytest.raises(errors.MailboxDeleting):
            act(acme_mailbox.mailbox)


def test_in_the_end_nothing_is_left_but_the_certificate_and_the_retired_address(
    delete, fill, work, acme, acme_mailbox, settings, cast
):
    fill(b"one", b"three")
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password)
    with tenant_context(acme):
        fingerprints = [key.fingerprint for key in MailboxKey.objects.order_by("generation")]
    job = work(delete())
    assert (job.state, job.done, job.total, job.mailbox_name) == ("done", 2, 2, "Office 365 Journal")
    assert [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()] == []
    with tenant_context(acme):
        for model in (Mailbox, MailboxKey, KeyLock, Message, Tally):
            assert not model.objects.exists()
    assert not OpenJob.objects.exists()
    certificate = services.certificate_of(acme, acme_mailbox.mailbox.pk, by=SYSTEM)
    assert certificate.valid
    assert certificate.facts["messages"] == 2
    assert certificate.facts["octets"] == 8
    assert certificate.facts["keys"] == fingerprints
    assert certificate.facts["requested_by"] == cast.admin.email
    entry = DirectoryEntry.objects.get(mailbox_id=acme_mailbox.mailbox.pk)
    assert (entry.status, bytes(entry.public_key)) == ("retired", b"")
    with pytest.raises(errors.UnknownAddress):
        delivery.resolve(acme_mailbox.address, peer=PEER)


def test_the_address_is_never_given_out_again_and_the_name_is_free(
    delete, work, acme, acme_mailbox, make_mailbox
):
    work(delete())
    with pytest.raises(AddressTaken), tenant_context(acme):
        directory.publish(
            address=acme_mailbox.address,
            customer=acme,
            mailbox_id=acme.pk,
            status="active",
            public_key=b"",
            generation=1,
        )
    assert make_mailbox(acme_mailbox.mailbox.name).address != acme_mailbox.address


def test_a_deletion_ends_the_jobs_that_it_overtakes(delete, fill, work, acme, acme_mailbox):
    fill(b"one")
    _, job = services.reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    deletion = delete()
    overtaken = work(job)
    assert (overtaken.state, overtaken.error) == ("failed", "mailbox-deleted")
    assert not services.progress(overtaken).may_retry
    assert work(deletion).state == "done"


def test_the_request_asks_no_more_of_the_database_with_more_mail(
    delete, fill, acme, acme_mailbox, make_mailbox, django_assert_max_num_queries
):
    """And no query looks at messages, but for the oldest one."""
    fill(*[b"mail"] * 30)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    connection.queries_log.clear()
    with django_assert_max_num_queries(60) as asked:
        services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    over_messages = [query["sql"] for query in asked if "mailboxes_message" in query["sql"]]
    assert all("damaged_at" in sql for sql in over_messages), "which has an index of its own"


def test_both_ends_of_a_deletion_are_in_the_audit_trail(delete, work, cast):
    job = work(delete())
    started = AuditEvent.objects.get(action="mailbox.deletion-started")
    assert (started.actor_email, started.data["job"]) == (cast.admin.email, str(job.pk))
    assert AuditEvent.objects.filter(action="mailbox.deleted").count() == 1
