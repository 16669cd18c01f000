import pytest
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import TallyChange
from mailboxes.services import delivery, tallies
from tenants import audit
from tenants.models import AuditEvent
from tests.conftest import PEER


@pytest.fixture(autouse=True)
def _rolled_back(db):
    """One thread, so a transaction that is rolled back serves."""


@pytest.fixture
def edit(acme, acme_mailbox, cast):
    def change(**wanted):
        values = {"name": acme_mailbox.mailbox.name, "description": "", **wanted}
        return services.edit_mailbox(acme, acme_mailbox.mailbox, by=cast.admin, **values)

    return change


def test_who_changed_what_from_where_is_written_down_with_before_and_after(edit, cast, acme):
    token = audit.origin.set("192.0.2.44")
    edit(name="Journal", description="of all mail")
    audit.origin.reset(token)
    event = AuditEvent.objects.get(action="mailbox.edited")
    assert (event.actor_email, event.origin, event.customer_id) == (cast.admin.email, "192.0.2.44", acme.pk)
    assert event.data == {
        "before": {"name": "Office 365 Journal", "description": ""},
        "after": {"name": "Journal", "description": "of all mail"},
    }


def test_nothing_changed_is_nothing_to_write_down(edit):
    edit()
    assert not AuditEvent.objects.filter(action__startswith="mailbox.edited").exists()


def test_a_name_can_change_its_case_but_not_be_somebody_elses(edit, make_mailbox):
    make_mailbox("Other")
    assert edit(name="OFFICE 365 Journal").name == "OFFICE 365 Journal"
    with pytest.raises(errors.NameTaken):
        edit(name="other")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"name": " "}, errors.InvalidName),
        ({"name": "x" * 101}, errors.InvalidName),
        ({"description": "two\nlines"}, errors.InvalidDescription),
        ({"description": "x" * 501}, errors.InvalidDescription),
        ({"colour": "red"}, TypeError),
        ({"status": "suspended", "reason": "x" * 501}, errors.InvalidReason),
        ({"status": "deleting"}, errors.UnknownStatus),
    ],
)
def test_what_makes_no_sense_changes_nothing(edit, wanted, error, acme_mailbox, acme):
    with pytest.raises(error):
        edit(**{"name": "New name", **wanted})
    with tenant_context(acme):
        acme_mailbox.mailbox.refresh_from_db()
    assert acme_mailbox.mailbox.name == "Office 365 Journal"


def test_suspended_mail_is_put_off_counted_and_collection_goes_on(
    edit, fill, collect, acme, acme_mailbox, cast
):
    fill(b"one")
    mailbox = edit(status="suspended", reason="moving to Exchange Online")
    assert (mailbox.suspended_by_email, mailbox.suspension_reason) == (
        cast.admin.email,
        "moving to Exchange Online",
    )
    for _ in range(3):
        with pytest.raises(errors.MailboxSuspended):
            delivery.resolve(acme_mailbox.address, peer=PEER)
    assert collect(acme_mailbox.password) == [b"one"]
    with tenant_context(acme):
        assert services.activity(acme, mailbox, by=SYSTEM).put_off == 3


def test_a_flood_of_attempts_at_a_suspended_mailbox_writes_few_rows_and_all_are_counted(
    acme, acme_mailbox, monkeypatch
):
    def attempt():
        with pytest.raises(errors.MailboxSuspended):
            delivery.resolve(acme_mailbox.address, peer=PEER)

    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    monkeypatch.setattr(tallies, "PUT_OFF_SECONDS", 3600)
    for _ in range(3 * tallies.PUT_OFF_ROWS):
        attempt()
    with tenant_context(acme):
        assert TallyChange.objects.filter(put_off__gt=0).count() == tallies.PUT_OFF_ROWS
    monkeypatch.setattr(tallies, "PUT_OFF_SECONDS", 1e-9)  # much later
    attempt()
    with tenant_context(acme):
        put_off = services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).put_off
    assert put_off == 3 * tallies.PUT_OFF_ROWS + 1


def test_what_a_flood_left_behind_counts_for_no_later_suspension(acme, acme_mailbox, monkeypatch):
    monkeypatch.setattr(tallies, "PUT_OFF_SECONDS", 3600)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    for _ in range(2 * tallies.PUT_OFF_ROWS):
        with pytest.raises(errors.MailboxSuspended):
            delivery.resolve(acme_mailbox.address, peer=PEER)
    services.activate_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    monkeypatch.setattr(tallies, "PUT_OFF_SECONDS", 1e-9)  # much later
    with pytest.raises(errors.MailboxSuspended):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    assert services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).put_off == 1


@pytest.mark.parametrize("moment", range(1, 4))
def test_a_fold_in_the_middle_of_a_suspension_brings_no_count_of_an_earlier_one_back(
    acme, acme_mailbox, folding, moment
):
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    with pytest.raises(errors.MailboxSuspended):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    services.activate_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    with folding(moment):
        services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    with tenant_context(acme):
        assert services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).put_off == 0


def test_a_suspension_keeps_its_beginning_and_the_next_counts_anew(acme, acme_mailbox):
    first = services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM, reason="a")
    again = services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM, reason="b")
    assert (again.suspended_at, again.suspension_reason) == (first.suspended_at, "b")
    with pytest.raises(errors.MailboxSuspended):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    active = services.activate_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert (active.status, active.suspended_at, active.suspension_reason) == ("active", None, "")
    assert delivery.resolve(acme_mailbox.address, peer=PEER)
    with tenant_context(acme):
        services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
        assert services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).put_off == 0
    actions = AuditEvent.objects.filter(target_id=str(acme_mailbox.mailbox.pk)).order_by("pk")
    assert list(actions.values_list("action", flat=True))[-4:] == [
        "mailbox.suspended",
        "mailbox.edited",
        "mailbox.activated",
        "mailbox.suspended",
    ]
