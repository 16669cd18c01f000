"""Figures in `public`: what the folds of customers' counters tell there adds up to what has happened, day by day."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services, tasks
from mailboxes.models import TallyChange
from mailboxes.services import collection, delivery, tallies
from mailboxes.work.slices import work_slice
from tenants import figures
from tenants.counts import CustomerDay, MailboxDay, MailboxFigures
from tenants.errors import NotAllowed
from tenants.figures import Usage, Waiting, keeping
from tenants.models import Customer, DirectoryEntry, Provider
from tenants.services import create_customer, give_up_customer
from tests.conftest import PEER

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def at(monkeypatch):
    """From now on it is then."""

    def turn(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    return turn


@pytest.fixture
def fold(acme):
    def now() -> None:
        with tenant_context(acme):
            tallies.fold(Customer.objects.select_related("provider").get(pk=acme.pk))

    return now


@pytest.fixture
def takes_away(acme_mailbox):
    def collect(*indexes: int) -> None:
        maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
        maildrop.commit(indexes)

    return collect


def today(acme, mailbox):
    return figures.days_of_mailbox(acme, mailbox.mailbox.pk, by=SYSTEM)[-1]


def sums(rows):
    return [
        (row.day.day, row.messages_in, row.octets_in, row.messages_out, row.octets_out)
        for row in rows.order_by("day")
    ]


# --- What is told ---
def test_mail_that_came_was_collected_was_given_up_or_was_put_off_is_told_apart(
    db, acme, acme_mailbox, fill, fold, takes_away
):
    fill(b"one", b"three", b"fifteen")
    takes_away(0)
    mailbox = acme_mailbox.mailbox
    _password, job = services.reset_password(acme, mailbox, by=SYSTEM, current_password=acme_mailbox.password)
    while work_slice(acme, job.pk):  # what is sealed anew neither comes nor goes
        pass
    fold()
    fill(b"locked")
    services.reset_password(acme, mailbox, by=SYSTEM, locked_mail="delete")
    services.suspend_mailbox(acme, mailbox, by=SYSTEM)
    with pytest.raises(errors.MailboxSuspended):
        delivery.resolve(acme_mailbox.address, peer=PEER)
    fold()
    day = today(acme, acme_mailbox)
    assert (day.messages_in, day.octets_in, day.messages_out, day.octets_out) == (4, 21, 1, 3)
    assert (day.put_off, day.waiting) == (1, Waiting(0, 0))
    row = MailboxDay.objects.get()
    assert (row.messages_else, row.octets_else, row.peak_octets) == (-3, -18, 18)
    assert (sum(row.hours_in), sum(row.hours_out)) == (4, 1)
    of_all = CustomerDay.objects.get(customer=acme)
    assert (of_all.messages_in, of_all.octets_else, of_all.peak_octets) == (4, -18, 18)


def test_a_mailbox_is_told_of_as_its_own_page_tells_of_it(db, acme, acme_mailbox, fill, fold, takes_away):
    fill(b"12345", b"1234567890")
    takes_away(0)
    fold()
    now = services.activity(acme, acme_mailbox.mailbox, by=SYSTEM)
    told = MailboxFigures.objects.get()
    assert (told.messages, told.octets) == (now.waiting, now.waiting_octets) == (1, 10)
    for name in ("first_mail_at", "last_mail_at", "first_collection_at", "last_collection_at"):
        assert getattr(told, name) == getattr(now, name), name
    assert told.first_mail_at < told.oldest_at < told.last_collection_at
    assert told.collectable_since == told.oldest_at
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, locked_mail="keep")
    with tenant_context(acme):
        tallies.fold(acme, wholly=True)
    told.refresh_from_db()
    assert told.oldest_at and told.collectable_since is None  # nobody shows it to an archiver


def test_every_mailbox_is_told_of_whatever_has_happened_to_it(db, acme, acme_mailbox, monkeypatch):
    """Also one that was there before there were figures."""
    assert MailboxFigures.objects.get().messages == 0
    MailboxFigures.objects.all().delete()
    rung = []
    monkeypatch.setattr(tasks.fold_tallies, "delay", lambda *a, **k: rung.append((a, k)))
    tasks.fold_all_tallies()
    assert ((acme.schema_name,), {"wholly": True}) in rung
    rung.clear()
    tasks.fold_tallies(acme.schema_name, wholly=True)
    assert MailboxFigures.objects.get().messages == 0
    tasks.fold_all_tallies()
    assert not [one for one in rung if one[1]]


# --- Once ---
@pytest.mark.parametrize("table", ["tenants_mailboxday", "tenants_customerday", "tenants_mailboxfigures"])
def test_a_fold_that_ends_at_any_step_has_counted_nothing(db, acme, acme_mailbox, fill, fold, table):
    fill(b"one", b"two")

    def fails(execute, statement, *rest):
        result = execute(statement, *rest)
        if f"INSERT INTO public.{table}" in str(statement):
            raise ConnectionError("killed")
        return result

    with pytest.raises(ConnectionError), connection.execute_wrapper(fails):
        fold()
    assert not MailboxDay.objects.exists() and not CustomerDay.objects.exists()
    with tenant_context(acme):
        assert TallyChange.objects.count() == 2
    fold()
    assert today(acme, acme_mailbox).messages_in == 2
    assert CustomerDay.objects.get().octets_in == 6


def test_folds_side_by_side_count_each_mail_once(committed_db, acme, acme_mailbox, fill, fold):
    going = threading.Event()

    def folds():
        while not going.is_set():
            fold()
        connections.close_all()

    beside = [threading.Thread(target=folds) for _ in range(3)]
    for one in beside:
        one.start()
    try:
        for _ in range(6):
            fill(b"12345")
    finally:
        going.set()
        for one in beside:
            one.join()
    fold()
    day = today(acme, acme_mailbox)
    assert (day.messages_in, day.octets_in, day.waiting) == (6, 30, Waiting(6, 30))
    assert MailboxDay.objects.get().peak_octets == 30


def test_a_fold_waits_for_another_of_the_same_customer(committed_db, acme, globex):
    """Of what two count at once, nobody knows how much waited in between."""
    done = []

    def folds(customer):
        with tenant_context(customer):
            tallies.fold(customer)
        done.append(customer.slug)
        connections.close_all()

    with transaction.atomic(), tenant_context(acme):
        tallies.fold(acme)  # which has taken nothing that others could wait for but its turn
        others = [threading.Thread(target=folds, args=(one,)) for one in (acme, globex)]
        for one in others:
            one.start()
        others[1].join(30)
        others[0].join(0.3)
        assert done == ["globex"]
    others[0].join(30)
    assert done == ["globex", "acme"]


# --- Days ---
def test_days_are_those_of_the_providers_clock_at_the_moment_of_the_mail(
    db, acme, acme_mailbox, fill, fold, at
):
    Provider.objects.filter(pk=acme.provider_id).update(time_zone="Australia/Sydney")  # ten hours ahead then
    at(NOON := datetime(2026, 3, 10, 12, 59, tzinfo=UTC))
    fill(b"of the tenth")
    at(NOON + timedelta(minutes=2))
    fill(b"of the eleventh")
    at(NOON + timedelta(hours=3))
    fold()
    assert [row[:2] for row in sums(MailboxDay.objects)] == [(10, 1), (11, 1)]
    assert [row.hours_in.index(1) for row in MailboxDay.objects.order_by("day")] == [23, 0]
    # Another clock counts for what comes after.
    Provider.objects.filter(pk=acme.provider_id).update(time_zone="UTC")
    fill(b"of the tenth again")
    fold()
    assert [row[:2] for row in sums(MailboxDay.objects)] == [(10, 2), (11, 1)]


def test_what_a_month_used_is_told_exactly_whatever_days_had_no_change(
    db, acme, acme_mailbox, fill, fold, takes_away, at
):
    at(NOON)
    fill(b"x" * 1000)
    at(NOON + 2 * DAY)
    fold()
    fill(b"x" * 500)
    fold()
    at(NOON + 30 * DAY)  # in April
    takes_away(0)
    fold()
    at(NOON + 90 * DAY)
    march = figures.usage_of(acme, date(2026, 3, 1), date(2026, 3, 31), by=SYSTEM)
    seconds = 31 * 86400
    used = 1000 * (21.5 * 86400) + 500 * (19.5 * 86400)
    pk = acme_mailbox.mailbox.pk
    assert march == {pk: Usage(2, 1500, 0, 0, 1500, pytest.approx(used / seconds))}
    april = figures.usage_of(acme, date(2026, 4, 1), date(2026, 4, 30), by=SYSTEM)
    used = 1500 * 8.5 * 86400 + 500 * 21.5 * 86400
    assert april == {pk: Usage(0, 0, 1, 1000, 1500, pytest.approx(used / (30 * 86400)))}
    may = figures.usage_of(acme, date(2026, 5, 1), date(2026, 5, 31), by=SYSTEM)
    assert may == {pk: Usage(0, 0, 0, 0, 500, pytest.approx(500))}
    assert figures.usage_of(acme, date(2026, 2, 1), date(2026, 2, 28), by=SYSTEM) == {}


def test_another_clock_in_the_middle_of_a_month_leaves_its_mean_exact(db, acme, acme_mailbox, fill, fold, at):
    for zone, moment in (
        ("Australia/Sydney", NOON - timedelta(hours=2)),  # three hours before that day's end there
        ("UTC", NOON),
        ("Australia/Sydney", NOON + timedelta(hours=2)),
    ):
        Provider.objects.filter(pk=acme.provider_id).update(time_zone=zone)
        at(moment)
        fill(b"x" * 1000)
        fold()
    at(NOON + 90 * DAY)
    (used,) = figures.usage_of(acme, date(2026, 3, 1), date(2026, 3, 31), by=SYSTEM).values()
    expected = sum(1000 * (21.5 * 86400 - hours * 3600) for hours in (-2, 0, 2))
    assert used.mean_octets == pytest.approx(expected / (31 * 86400))


def test_mail_that_was_committed_late_counts_on_its_own_day_and_waited_from_then_on(
    db, acme, acme_mailbox, fill, fold, takes_away, at
):
    at(NOON + DAY)
    fill(b"x" * 1000)
    fold()
    at(NOON)
    fill(b"x" * 10)
    at(NOON + DAY)
    fold()
    shown = figures.days_of_mailbox(acme, acme_mailbox.mailbox.pk, by=SYSTEM, days=3)
    assert [(day.messages_in, day.waiting.octets) for day in shown] == [(0, 0), (1, 10), (1, 1010)]
    assert MailboxDay.objects.get(day=NOON.date()).peak_octets == 0  # of it nobody knows more than that
    used = figures.usage_of(acme, NOON.date(), NOON.date(), by=SYSTEM)
    assert used[acme_mailbox.mailbox.pk].peak_octets == 10


def test_days_that_are_too_old_go_some_at_a_time(db, acme, monkeypatch):
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    CustomerDay.objects.bulk_create(
        CustomerDay(customer=acme, day=midnight.date() - n * DAY, ends_at=midnight) for n in range(500)
    )
    monkeypatch.setattr(keeping, "CLEARED_AT_ONCE", 60)
    assert [keeping.clear_old(midnight.date()) for _ in range(3)] == [60, 39, 0]
    assert CustomerDay.objects.count() == keeping.KEPT_DAYS + 1


# --- Ends and beginnings ---
def test_days_of_a_deleted_mailbox_stay_and_nothing_waits_in_it(db, acme, acme_mailbox, fill, fold, at):
    noon = (
        datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - DAY
    )  # the trail takes no other
    at(noon)
    fill(b"x" * 1000)
    fold()
    at(noon + DAY)
    fill(b"never folded")
    at(noon + DAY + timedelta(minutes=1))
    mailbox = services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    job = services.start_deletion(acme, mailbox, by=SYSTEM)
    while work_slice(acme, job.pk):
        pass
    assert not MailboxFigures.objects.exists()
    shown = figures.days_of_mailbox(acme, mailbox.pk, by=SYSTEM, days=2)
    assert [(day.messages_in, day.messages_out, day.waiting.octets) for day in shown] == [
        (1, 0, 1000),
        (1, 0, 0),
    ]
    at(noon + 2 * DAY)
    (used,) = figures.usage_of(acme, noon.date(), noon.date() + DAY, by=SYSTEM).values()
    assert (used.messages_in, used.peak_octets) == (2, 1012)
    assert used.mean_octets == pytest.approx(500, rel=0.001)  # from noon to noon
    assert figures.usage_of(acme, noon.date() + 2 * DAY, noon.date() + 2 * DAY, by=SYSTEM) == {}


def test_a_customers_figures_go_with_the_customer(db, acme, make_mailbox, fill):
    lost = create_customer("lost", "Lost", provider=acme.provider, by=SYSTEM)
    fill(b"one", to=make_mailbox("Journal", customer=lost))
    with tenant_context(lost):
        tallies.fold(lost)
    assert CustomerDay.objects.filter(customer=lost).exists()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {lost.schema_name} CASCADE")
    give_up_customer(lost, by=SYSTEM)
    for rows in (MailboxFigures, MailboxDay, CustomerDay):
        assert not rows.objects.filter(customer_id=lost.pk).exists()


def test_what_changed_the_counters_behind_a_folds_back_is_told_as_neither_come_nor_gone(
    db, acme, acme_mailbox, fill, fold
):
    """As the release before folds, which tells nobody."""
    fill(b"one", b"two")
    fold()
    with tenant_context(acme), connection.cursor() as cursor:
        cursor.execute("UPDATE mailboxes_tally SET messages = 5, octets = 50")
        tallies.fold(acme, wholly=True)
        tallies.fold(acme, wholly=True)
    day, row = today(acme, acme_mailbox), MailboxDay.objects.get()
    assert (day.messages_in, day.messages_out, day.waiting) == (2, 0, Waiting(5, 50))
    assert (row.messages_else, row.octets_else) == (3, 44)


# --- Names ---
def test_names_and_descriptions_are_in_the_directory_with_the_act_that_gives_them(db, acme, make_mailbox):
    box = make_mailbox("Journal", description="of all mail")

    def called():
        return DirectoryEntry.objects.values_list("name", "description").get(mailbox_id=box.mailbox.pk)

    assert called() == ("Journal", "of all mail")
    services.edit_mailbox(acme, box.mailbox, by=SYSTEM, name="Exchange", description="new")
    assert called() == ("Exchange", "new")
    with pytest.raises(errors.NameTaken):
        services.edit_mailbox(acme, make_mailbox("Other").mailbox, by=SYSTEM, name="Exchange")
    assert called() == ("Exchange", "new")
    # What the release before has made or renamed.
    DirectoryEntry.objects.update(name="", description="old")
    tasks.tidy_store(acme.schema_name)
    assert called() == ("Exchange", "new")


def test_an_upgrade_puts_the_names_of_those_that_are_there_into_the_directory(db, acme, make_mailbox):
    box = make_mailbox("Journal", description="of all mail")
    with tenant_context(acme):
        MigrationExecutor(connection).migrate([("mailboxes", "0014_when_and_why_counters_change")])
        DirectoryEntry.objects.update(name="", description="")
        MigrationExecutor(connection).migrate([("mailboxes", "0015_publish_names")])
    entry = DirectoryEntry.objects.get(mailbox_id=box.mailbox.pk)
    assert (entry.name, entry.description) == ("Journal", "of all mail")


# --- Reading ---
def test_figures_of_many_are_read_by_as_many_queries_as_of_one_and_by_who_may_enter(
    db, cast, acme, globex, make_mailbox, fill, fold
):
    for customer in (acme, globex):
        fill(b"12345", to=make_mailbox("Journal", customer=customer))
        with tenant_context(customer):
            tallies.fold(customer)

    def asked(customers, by):
        with CaptureQueriesContext(connection) as queries:
            found = figures.of_customers(customers, by=by)
        return found, len(queries)

    both = list(Customer.objects.filter(slug__in=("acme", "globex")).select_related("provider"))
    two, cost = asked(both, cast.owner)
    _one, cost_of_one = asked(both[:1], cast.owner)
    assert cost == cost_of_one <= 3
    assert two.keys() == {acme.pk, globex.pk}
    assert (two[acme.pk].waiting, two[acme.pk].mail_a_day[-1], sum(two[acme.pk].mail_a_day)) == (
        Waiting(1, 5),
        1,
        1,
    )
    assert two[acme.pk].oldest_at and two[acme.pk].last_mail_at and not two[acme.pk].last_collection_at
    assert asked(both, cast.admin)[0].keys() == {acme.pk}  # of Acme alone
    assert not asked(both, cast.stranger)[0]
    northwind = acme.provider
    assert figures.days_of_provider(northwind, by=cast.owner)[-1].messages_in == 2
    assert figures.days_of_provider(northwind, by=cast.admin)[-1].waiting == Waiting(1, 5)
    assert figures.days_of_provider(northwind, by=cast.stranger)[-1].messages_in == 0
    assert len(figures.days_of_provider(northwind, by=cast.owner)) == 90
    with pytest.raises(NotAllowed):
        figures.usage_of(acme, date(2026, 1, 1), date(2026, 1, 2), by=cast.stranger)
