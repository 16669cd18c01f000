from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Job, KeyLock, Message
from mailboxes.services import collection
from mailboxes.tasks import tidy_store
from mailboxes.vault import new_password
from mailboxes.work.reencryption import step
from tenants.models import AuditEvent
from tests.conftest import PEER
from tests.mailboxes.backups import before_its_guards

MAILS = [b"Subject: one\r\n\r\n1\r\n", b"", bytes(range(256)) * 1000]


@pytest.fixture(autouse=True)
def _rolled_back(db):
    """One thread, so a transaction that is rolled back serves."""


@pytest.fixture
def reset(acme, acme_mailbox):
    def anew(current="", **options):
        return services.reset_password(
            acme,
            acme_mailbox.mailbox,
            by=SYSTEM,
            current_password=getattr(current, "reveal", lambda: current)(),
            **options,
        )

    return anew


def test_the_new_password_opens_everything_at_once_and_the_old_one_nothing(
    fill, collect, reset, acme_mailbox
):
    fill(*MAILS)
    new, job = reset(acme_mailbox.password)
    assert job.total == 3
    assert collect(new) == MAILS, "before a single message is re-encrypted"
    with pytest.raises(errors.BadCredentials):
        collect(acme_mailbox.password)


def test_new_mail_is_sealed_to_the_new_key_at_once(fill, reset, acme_mailbox, keys):
    fill(b"before")
    reset(acme_mailbox.password)
    fill(b"after")
    assert keys() == {1: ("retired", ["successor", "worker"], 1), 2: ("current", ["password"], 1)}


def test_when_the_job_is_done_the_old_key_exists_no_more(fill, collect, work, reset, acme_mailbox, keys):
    fill(*MAILS)
    new, job = reset(acme_mailbox.password)
    job = work(job)
    assert (job.state, job.done, job.total) == ("done", 3, 3)
    assert keys() == {2: ("current", ["password"], 3)}
    assert collect(new) == MAILS


def test_ids_and_order_stay_the_same(fill, work, reset, acme_mailbox, acme):
    fill(*MAILS)
    before = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER).entries
    new, job = reset(acme_mailbox.password)
    work(job)
    assert collection.open_maildrop(acme_mailbox.address, new, peer=PEER).entries == before


def test_who_comes_in_the_middle_finds_the_order_in_which_mail_came(fill, reset, acme_mailbox, acme, collect):
    fill(b"one")
    second, _ = reset(acme_mailbox.password)
    fill(b"two")
    third, job = reset(second)
    with tenant_context(acme):
        assert step(acme, job), "one has moved to the third key, two waits under the second"
    assert collect(third) == [b"one", b"two"]


def test_an_empty_mailbox_needs_no_job(reset, acme_mailbox, collect, keys):
    new, job = reset(acme_mailbox.password)
    assert job is None
    assert collect(new) == []
    assert keys() == {2: ("current", ["password"], 0)}


def test_a_second_reset_while_the_first_is_worked_on_goes_into_the_same_job(
    fill, collect, work, reset, acme_mailbox, keys
):
    fill(b"one")
    second, first_job = reset(acme_mailbox.password)
    fill(b"two")
    third, job = reset(second)
    assert job.pk == first_job.pk
    assert job.total == 2
    assert keys()[1][:2] == keys()[2][:2] == ("retired", ["successor", "worker"])
    assert collect(third) == [b"one", b"two"]
    job = work(job)
    assert (job.state, job.done, job.total) == ("done", 2, 2)
    assert keys() == {3: ("current", ["password"], 2)}
    assert collect(third) == [b"one", b"two"]
    for old in (acme_mailbox.password, second):
        with pytest.raises(errors.BadCredentials):
            collect(old)


def test_a_session_that_came_in_by_the_old_password_ends(fill, reset, acme_mailbox, collect):
    fill(b"one", b"two")
    session = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
    new, _ = reset(acme_mailbox.password)
    with pytest.raises(errors.MaildropLost):
        session.read(0)
    with pytest.raises(errors.MaildropLost):
        session.commit([0])
    assert collect(new) == [b"one", b"two"]


def test_a_session_goes_on_while_its_messages_move_under_it(fill, reset, work, acme_mailbox):
    fill(b"one", b"two")
    new, job = reset(acme_mailbox.password)
    session = collection.open_maildrop(acme_mailbox.address, new, peer=PEER)
    assert b"".join(session.read(0)) == b"one"
    work(job)
    assert b"".join(session.read(1)) == b"two"
    session.commit([0, 1])


def test_without_the_current_password_somebody_has_to_decide(fill, reset, collect, acme_mailbox):
    fill(b"one")
    with pytest.raises(errors.LockedMailUndecided):
        reset()
    assert collect(acme_mailbox.password) == [b"one"], "nothing has changed"


def test_kept_mail_is_locked_left_out_and_counted(fill, reset, collect, acme_mailbox, acme, keys):
    fill(b"one", b"two")
    new, job = reset(locked_mail="keep")
    fill(b"three")
    assert job is None
    assert collect(new) == [b"three"]
    with pytest.raises(errors.BadCredentials):
        collect(acme_mailbox.password)
    with tenant_context(acme):
        now = services.activity(acme, acme_mailbox.mailbox, by=SYSTEM)
        row = services.list_mailboxes(acme, by=SYSTEM).get(pk=acme_mailbox.mailbox.pk)
    assert (now.waiting, now.locked, now.locked_octets) == (3, 2, 6)
    assert (row.waiting, row.locked) == (3, 2)
    assert keys() == {1: ("locked", ["password"], 2), 2: ("current", ["password"], 1)}


def test_a_later_unlock_brings_locked_mail_back(fill, reset, collect, work, acme, acme_mailbox, keys):
    fill(b"one", b"two")
    new, _ = reset(locked_mail="keep")
    job = services.unlock(acme, acme_mailbox.mailbox, acme_mailbox.password, by=SYSTEM)
    assert collect(new) == [b"one", b"two"], "at once"
    assert work(job).state == "done"
    assert collect(new) == [b"one", b"two"]
    assert keys() == {2: ("current", ["password"], 2)}
    with tenant_context(acme):
        assert services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).locked == 0


def test_what_was_being_reencrypted_is_locked_with_the_rest_and_unlocked_with_it(
    fill, reset, collect, work, acme, acme_mailbox
):
    fill(b"one")
    second, job = reset(acme_mailbox.password)
    fill(b"two")
    third, _ = reset(locked_mail="keep")
    assert work(job).error == "password-lost", "nobody who did not know the password gets at the mail"
    assert collect(third) == []
    with pytest.raises(errors.WrongCurrentPassword):
        services.unlock(acme, acme_mailbox.mailbox, acme_mailbox.password, by=SYSTEM)
    job = services.unlock(acme, acme_mailbox.mailbox, second.reveal(), by=SYSTEM)
    assert work(job).state == "done"
    assert collect(third) == [b"one", b"two"]


def test_deleted_locked_mail_is_gone_at_once_and_its_storage_soon(
    fill, reset, collect, work, acme, acme_mailbox, settings, keys
):
    fill(b"one", b"two")
    new, job = reset(locked_mail="delete")
    with tenant_context(acme):
        assert not KeyLock.objects.filter(key__generation=1).exists()
        assert services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).waiting == 0
    with pytest.raises(errors.WrongCurrentPassword):
        services.unlock(acme, acme_mailbox.mailbox, acme_mailbox.password, by=SYSTEM)
    fill(b"three")
    job = work(job)
    assert (job.kind, job.state, job.done, job.total) == ("locked-mail-deletion", "done", 2, 2)
    assert collect(new) == [b"three"]
    assert len([path for path in settings.STORE_ROOT.rglob("*") if path.is_file()]) == 1
    assert keys() == {2: ("current", ["password"], 1)}


@pytest.mark.parametrize("moment", range(1, 6))
def test_a_fold_in_the_middle_of_a_reset_leaves_no_deleted_mail_in_the_counters(
    fill, reset, acme, acme_mailbox, folding, moment
):
    fill(b"one", b"two", b"three")
    with folding(moment):
        _, job = reset(locked_mail="delete")
    assert job.total == 3
    with tenant_context(acme):
        now = services.activity(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert (now.waiting, now.waiting_octets, now.locked) == (0, 0, 0)


def test_kept_mail_can_be_given_up_later(fill, reset, work, acme, acme_mailbox, keys):
    fill(b"one")
    reset(locked_mail="keep")
    job = services.delete_locked_mail(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert work(job).state == "done"
    assert list(keys()) == [2]
    with pytest.raises(errors.NothingToUnlock):
        services.delete_locked_mail(acme, acme_mailbox.mailbox, by=SYSTEM)


def test_how_long_to_wait_is_counted_as_the_language_counts():
    def told(minutes):
        return errors.TooManyGuesses(minutes=minutes).message

    assert "Wait 1 minute, then" in told(1) and "Wait 15 minutes, then" in told(15)
    with override("ar"):
        assert "5 دقائق" in told(5) and "15 دقيقة" in told(15)


def test_a_mistyped_password_is_told_apart_from_a_wrong_one_and_both_are_written_down(
    reset, acme_mailbox, cast, derivations
):
    derivations.clear()
    swapped = acme_mailbox.password[1] + acme_mailbox.password[0] + acme_mailbox.password[2:]
    mistyped = swapped if swapped != acme_mailbox.password else acme_mailbox.password[:-1]
    with pytest.raises(errors.PasswordMistyped):
        reset(mistyped)
    assert derivations == [], "its check characters tell, at no cost"
    with pytest.raises(errors.WrongCurrentPassword):
        reset(new_password())
    written = AuditEvent.objects.filter(action="mailbox.password-refused").values_list("data", flat=True)
    assert [data["mistyped"] for data in written] == [False, True]


@pytest.mark.parametrize("typed", ["four", " f-o u\u2013r ", "password" * 4, "ÄÖ?!"])
def test_one_of_another_length_is_told_so_at_no_cost_and_is_counted_as_any_other(reset, derivations, typed):
    derivations.clear()
    with pytest.raises(errors.PasswordMistyped) as refused:
        reset(typed)
    length = 32 if typed.startswith("password") else 4
    assert (
        f"has 28 characters, not counting spaces and dashes, and you typed {length}." in refused.value.message
    )
    assert (refused.value.code, derivations) == ("password-mistyped", [])
    written = AuditEvent.objects.filter(action="mailbox.password-refused").values_list("data", flat=True)
    assert [data["mistyped"] for data in written] == [True]


def test_after_ten_wrong_ones_even_the_right_one_has_to_wait(reset, acme_mailbox):
    for _ in range(10):
        with pytest.raises(errors.PasswordMistyped):
            reset("wrong")
    with pytest.raises(errors.TooManyGuesses):
        reset(acme_mailbox.password)
    assert AuditEvent.objects.filter(action="mailbox.password-refused").count() == 10


def refused_ten_times(action, owner, box):
    for _ in range(10):
        AuditEvent.objects.create(
            action=action, customer_id=owner.pk, target_type="mailbox", target_id=str(box.mailbox.pk)
        )


def test_wrong_ones_of_days_to_come_keep_nobody_waiting(reset, acme, acme_mailbox, monkeypatch):
    """Whoever had the application's password could write them, and nobody takes them away."""
    now = timezone.now()
    with monkeypatch.context() as ahead, before_its_guards():
        ahead.setattr(timezone, "now", lambda: now + timedelta(days=300))
        refused_ten_times("mailbox.password-refused", acme, acme_mailbox)
    reset(acme_mailbox.password)


def test_wrong_ones_that_an_earlier_release_wrote_down_count(reset, acme, acme_mailbox):
    refused_ten_times("mailbox.password_refused", acme, acme_mailbox)
    with pytest.raises(errors.TooManyGuesses):
        reset(acme_mailbox.password)


def test_two_steps_make_one_generation_however_often_ok_is_pressed(
    fill, collect, acme, acme_mailbox, cast, keys
):
    fill(b"one")
    offer = services.offer_reset(
        acme, acme_mailbox.mailbox, by=cast.admin, current_password=acme_mailbox.password
    )
    assert collect(acme_mailbox.password) == [b"one"], "until OK the old one stays"
    with pytest.raises(errors.NotUnderstood):
        services.accept_reset(acme, acme_mailbox.mailbox, offer.token, by=cast.admin, understood=False)
    services.accept_reset(acme, acme_mailbox.mailbox, offer.token, by=cast.admin, understood=True)
    with pytest.raises(errors.AlreadyReset):
        services.accept_reset(acme, acme_mailbox.mailbox, offer.token, by=cast.admin, understood=True)
    assert list(keys()) == [1, 2]
    assert collect(offer.password) == [b"one"]
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, current_password=offer.password.reveal())
    with pytest.raises(errors.OfferOutdated):
        services.accept_reset(acme, acme_mailbox.mailbox, offer.token, by=cast.admin, understood=True)


def test_of_two_offers_the_second_is_outdated(fill, acme, acme_mailbox, cast, collect):
    fill(b"one")
    offers = [
        services.offer_reset(
            acme, acme_mailbox.mailbox, by=cast.admin, current_password=acme_mailbox.password
        )
        for _ in range(2)
    ]
    services.accept_reset(acme, acme_mailbox.mailbox, offers[0].token, by=cast.admin, understood=True)
    with pytest.raises(errors.OfferOutdated):
        services.accept_reset(acme, acme_mailbox.mailbox, offers[1].token, by=cast.admin, understood=True)
    assert collect(offers[0].password) == [b"one"]


def test_an_offer_made_before_an_unlock_would_lose_mail_and_is_refused(
    fill, reset, acme, acme_mailbox, cast, collect
):
    fill(b"one")
    second, _ = reset(locked_mail="keep")
    fill(b"two")
    offer = services.offer_reset(acme, acme_mailbox.mailbox, by=cast.admin, current_password=second.reveal())
    services.unlock(acme, acme_mailbox.mailbox, acme_mailbox.password, by=SYSTEM)
    with pytest.raises(errors.OfferOutdated):
        services.accept_reset(acme, acme_mailbox.mailbox, offer.token, by=cast.admin, understood=True)
    assert collect(second) == [b"one", b"two"]


def test_an_offer_serves_its_person_and_mailbox_only(acme, acme_mailbox, make_mailbox, cast):
    other = make_mailbox("Other")
    offer = services.offer_reset(
        acme, acme_mailbox.mailbox, by=cast.admin, current_password=acme_mailbox.password
    )
    with pytest.raises(errors.OfferAltered):
        services.accept_reset(acme, acme_mailbox.mailbox, offer.token, by=cast.owner, understood=True)
    with pytest.raises(errors.OfferAltered):
        services.accept_reset(acme, other.mailbox, offer.token, by=cast.admin, understood=True)


def test_when_the_workers_access_has_ended_the_job_asks_for_the_password(
    fill, reset, work, acme, acme_mailbox, collect
):
    fill(b"one", b"two")
    new, job = reset(acme_mailbox.password)
    with tenant_context(acme):
        KeyLock.objects.filter(kind="worker").update(expires_at=timezone.now() - timedelta(seconds=1))
    job = work(job)
    assert job.state == "waiting-for-password"
    progress = services.progress(job)
    assert progress.needs_password
    assert "password" in progress.advice
    with pytest.raises(errors.PasswordNeeded):
        services.retry(acme, job, by=SYSTEM)
    with pytest.raises(errors.WrongCurrentPassword):
        services.retry(acme, job, by=SYSTEM, password=new_password().reveal())
    again = services.retry(acme, job, by=SYSTEM, password=new.reveal())
    assert again.pk == job.pk
    assert work(again).state == "done"
    assert collect(new) == [b"one", b"two"]


def test_a_damaged_message_stops_only_itself(fill, reset, work, acme, acme_mailbox, settings, collect, keys):
    fill(b"one", b"two", b"three")
    with tenant_context(acme):
        victim = Message.objects.order_by("pk")[1]
    blob = settings.STORE_ROOT / victim.blob
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    new, job = reset(acme_mailbox.password)
    job = work(job)
    assert (job.state, job.done, job.total) == ("failed", 2, 3)
    assert services.progress(job).trouble.startswith("1 message can't be read")
    assert keys()[1] == ("retired", ["successor"], 1), "the workers' access has ended"
    blob.write_bytes(whole)
    assert collect(new) == [b"one", b"two", b"three"]
    again = services.retry(acme, job, by=SYSTEM, password=new.reveal())
    job = work(again)
    assert (job.pk, job.state, job.done, job.total) == (again.pk, "done", 3, 3)
    assert list(keys()) == [2]


def test_a_missing_message_is_damaged_too(fill, reset, work, acme, acme_mailbox, settings):
    fill(b"one")
    _, job = reset(acme_mailbox.password)
    with tenant_context(acme):
        (settings.STORE_ROOT / Message.objects.get().blob).unlink()
    assert (work(job).state, work(job).error) == ("failed", "unreadable")
    with tenant_context(acme):
        assert services.activity(acme, acme_mailbox.mailbox, by=SYSTEM).damaged == 1


def test_everything_is_in_the_audit_trail(fill, reset, acme, acme_mailbox, cast):
    fill(b"one")
    services.reset_password(acme, acme_mailbox.mailbox, by=cast.admin, current_password=acme_mailbox.password)
    event = AuditEvent.objects.get(action="mailbox.password-reset")
    assert event.actor_email == cast.admin.email
    assert event.data["generation"] == 2
    assert event.data["with_current_password"] is True


def test_one_job_at_a_time(fill, reset, acme_mailbox, acme):
    fill(b"one")
    new, _ = reset(acme_mailbox.password)
    for _ in range(3):
        new, _ = reset(new)
    with tenant_context(acme):
        assert Job.objects.count() == 1


def test_worker_locks_end_even_when_no_worker_works(fill, reset, acme, acme_mailbox, keys):
    fill(b"one")
    reset(acme_mailbox.password)
    with tenant_context(acme):
        KeyLock.objects.filter(kind="worker").update(expires_at=timezone.now() - timedelta(seconds=1))
    tidy_store(acme.schema_name)
    assert keys()[1] == ("retired", ["successor"], 1)


def test_an_unlocked_mailbox_asks_for_no_decision_about_mail_that_was_locked_already(fill, reset, collect):
    fill(b"one")
    reset(locked_mail="keep")
    new, job = reset()
    assert (collect(new), job) == ([], None)


def test_clearing_locked_mail_does_not_stop_a_reencryption(fill, reset, collect, work):
    fill(b"one")
    second, clearing = reset(locked_mail="delete")
    fill(b"two")
    third, reencryption = reset(second)
    assert work(clearing).state == "done"
    assert work(reencryption).state == "done"
    assert collect(third) == [b"two"]


def test_mail_that_is_given_up_twice_goes_by_one_job(fill, reset, work):
    fill(b"one")
    _, first = reset(locked_mail="delete")
    fill(b"two")
    _, second = reset(locked_mail="delete")
    assert (second.pk, second.total) == (first.pk, 2)
    assert work(second).done == 2


def test_a_failed_job_of_a_mailbox_that_is_being_deleted_is_over(fill, reset, work, acme, acme_mailbox):
    fill(b"one")
    _, job = reset(acme_mailbox.password)
    with tenant_context(acme):
        KeyLock.objects.filter(kind="worker").delete()
    job = work(job)
    assert services.progress(job).may_retry
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert not services.progress(services.job_for(SYSTEM, acme, job.pk)).may_retry
    with pytest.raises(errors.NothingToRetry):
        services.retry(acme, job, by=SYSTEM, password="whatever")
