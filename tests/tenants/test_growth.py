"""What would grow with the number of customers, and does not: sessions of the database, locks, catalogs that are read whole."""

import io
import json

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.core.signals import request_finished, request_started
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_exists, tenant_context

from accounts.actors import SYSTEM
from accounts.services import create_person
from gateway.threads import Threads
from mailboxes.backup import taking
from mailboxes.backup.keys import new_recovery_key
from mailboxes.models import Mailbox
from portal.celery import app
from portal.doctor import parts
from tenants import figures, pooling
from tenants.counts import CustomerDay, MailboxDay
from tenants.database import base
from tenants.models import AuditEvent, Customer, Provider
from tenants.schemas import between_customers
from tenants.services import add_membership, create_customer, create_provider
from tenants.upgrading import migrating, schemas
from tests.cast import provider
from tests.catalogs import structure

# Customers whose tables somebody's transaction has locked.
LOCKED = """
SELECT pid, count(DISTINCT n.nspname) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_stat_activity USING (pid)
WHERE n.nspname LIKE 'c\\_%' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND application_name <> 'pg_dump'
GROUP BY pid
"""


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def looks_into(*customers):
    for customer in customers:
        with tenant_context(customer):
            Mailbox.objects.exists()
    return backend()


# --- Sessions ---
def test_a_session_that_has_looked_at_too_many_customers_is_given_up_between_two_requests(
    committed_db, acme, globex, settings
):
    settings.SCHEMAS_PER_CONNECTION = 2  # `public` is one of them

    def request(*customers):
        request_started.send(None)
        served_by = looks_into(*customers)
        request_finished.send(None)
        return served_by

    first = request(acme)
    assert request(acme) == first
    assert request(globex) == first  # within one, nobody is cut off
    second = request(acme)
    assert second != first
    assert request(acme) == second


def test_so_is_one_of_the_gateway_between_two_calls(committed_db, acme, globex, settings):
    settings.SCHEMAS_PER_CONNECTION = 2
    threads = Threads("test", size=1)
    try:
        first = threads.start(looks_into, acme).result()
        assert threads.start(looks_into, acme, globex).result() == first
        assert threads.start(looks_into, acme).result() != first
    finally:
        threads.stop()


def test_never_within_a_transaction(db, acme, globex, settings):
    settings.SCHEMAS_PER_CONNECTION = 1
    session = looks_into(acme, globex)
    between_customers()
    assert backend() == session


def test_upgrades_and_comparisons_of_all_customers_give_theirs_up(committed_db, settings, monkeypatch):
    settings.SCHEMAS_PER_CONNECTION = 1
    ended = []
    close = base.DatabaseWrapper.close
    monkeypatch.setattr(
        base.DatabaseWrapper, "close", lambda self: ended.append(len(self._seen)) or close(self)
    )
    call_command("check_store", stdout=io.StringIO())
    assert ended and max(ended) <= 2
    connection.close()  # with what the comparison has looked at since
    ended.clear()
    for schema in ("c_acme", "c_globex", "c_initech"):
        migrating.migrate(schema, hold=1)
    assert ended and max(ended) <= 2


# --- Locks ---
def test_nothing_locks_the_tables_of_many_customers_in_one_transaction(
    committed_db, acme, acme_mailbox, fill, settings, monkeypatch, tmp_path, request
):
    """One over some thousand runs out of locks, and then nothing that asks for any goes on."""
    monkeypatch.setattr(schemas, "AT_ONCE", 1)  # the one question that is asked of so many at once
    fill(b"Subject: one\r\n\r\n")
    asked = 0

    def holds(*_):
        nonlocal asked
        asked += 1
        locked = dict(other.execute(LOCKED).fetchall())
        assert max(locked.values(), default=0) <= 1, (
            "a transaction has locked the tables of several customers"
        )

    def watch(execute, *statement):
        result = execute(*statement)
        holds()
        return result

    request.addfinalizer((other := pooling.connect(connection)).close)
    with connection.execute_wrapper(watch):
        app.loader.import_default_modules()
        for entry in django_settings.CELERY_BEAT_SCHEDULE.values():
            app.tasks[entry["task"]]()
        call_command("upgrade", processes=1, stdout=io.StringIO())
        call_command("check_store", stdout=io.StringIO())
        parts.database()
    place = tmp_path / "backups"
    place.mkdir()
    settings.RECOVERY_PUBLIC_KEY, _ = new_recovery_key()
    before = asked
    taking.back_up(place.as_uri(), by=SYSTEM, tell=holds)
    assert asked > before > 100


# --- Catalogs ---
def test_a_schemas_tables_are_found_without_reading_those_of_all(db, acme):
    with tenant_context(acme), connection.cursor() as cursor:
        ours = {table.name for table in connection.introspection.get_table_list(cursor)}
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'c_acme'")
        assert ours == {name for (name,) in cursor.fetchall()} >= {"mailboxes_mailbox", "django_migrations"}
        cursor.execute("SET LOCAL enable_seqscan = off")  # so that few customers are read as many would be
        cursor.execute(f"EXPLAIN {base.TABLES}", ["c_acme"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan" not in plan
        with CaptureQueriesContext(connection) as asked:
            connection.introspection.table_names()
    assert [query["sql"] for query in asked] == [base.TABLES.replace("%s", "'c_acme'")]
    with connection.cursor() as cursor:
        assert "tenants_customer" in connection.introspection.table_names(cursor)


# --- Empty customers, for measuring ---
def makes(*args, **options):
    said = io.StringIO()
    call_command("make_empty_customers", *args, stdout=said, json=True, **options)
    return json.loads(said.getvalue())


def names():
    return sorted(Customer.objects.values_list("slug", flat=True))


def test_empty_customers_are_whole_ones_and_go_again(db, settings):
    settings.MEASURING = True
    before = names()
    assert makes("2") == {"made": 2}
    assert makes("1") == {"made": 1}
    assert sorted({*names()} - {*before}) == ["measuring-00001", "measuring-00002", "measuring-00003"]
    made = Customer.objects.get(slug="measuring-00002")
    assert structure(made.schema_name) == structure("c_acme")
    assert made.domains.get().domain == "measuring-00002.portal.localhost"
    assert makes(remove=True) == {"removed": 3, "kept": 0}
    assert names() == before
    assert not schema_exists(made.schema_name)
    assert {"customer.created", "customer.removed"} == set(
        AuditEvent.objects.filter(customer_id=made.pk).values_list("action", flat=True)
    )


def test_busy_customers_have_mailboxes_and_figures_and_making_them_again_adds_what_is_missing(db, settings):
    settings.MEASURING = True

    def makes_busy(*args):
        call_command("make_busy_customers", *args, "--mailboxes", "2", "--days", "5", stdout=io.StringIO())
        ours = list(Customer.objects.filter(provider__slug="measuring").select_related("provider"))
        provider = ours[0].provider
        owner = create_person(
            "owner@measuring.example", name="O", password="four-words-no-one-heard", by=SYSTEM
        )[0]
        add_membership(owner, provider=provider, role="owner", by=SYSTEM)
        told = figures.of_customers(ours, by=owner)
        owner.memberships.all().delete()
        owner.delete()
        return ours, told

    _, few = makes_busy("1")
    ours, told = makes_busy("2")
    assert len(ours) == 2 and few.items() <= {pk: told[pk] for pk in few}.items()
    for one in ours:
        assert told[one.pk].waiting.messages == 21 and told[one.pk].last_mail_at
        assert [mail > 0 for mail in told[one.pk].mail_a_day[-6:]] == [True] * 5 + [False]
        with tenant_context(one):
            assert {box.waiting for box in Mailbox.objects.with_activity()} == {7, 14}
    row = MailboxDay.objects.filter(messages_in__gt=0)[0]
    assert sum(row.hours_in) == row.messages_in > 0
    days = CustomerDay.objects.aggregate(Sum("octets_in"))["octets_in__sum"]
    assert days == MailboxDay.objects.aggregate(Sum("octets_in"))["octets_in__sum"]


def test_they_are_refused_where_anybody_has_mail(db, settings, acme_mailbox):
    before = names()
    for options in ({"number": "1"}, {"remove": True}):
        arguments = [options.pop("number")] if "number" in options else []
        settings.MEASURING = False
        with pytest.raises(CommandError, match="not for measuring"):
            makes(*arguments, **options)
        settings.MEASURING = True
        with pytest.raises(CommandError, match="this is somebody's installation"):
            makes(*arguments, **options)
    assert names() == before


def test_none_goes_that_has_had_a_mailbox_or_has_people(db, settings, cast, make_mailbox):
    settings.MEASURING = True
    makes("3")
    used, peopled = Customer.objects.get(slug="measuring-00001"), Customer.objects.get(slug="measuring-00002")
    make_mailbox("Journal", customer=used)
    peopled.memberships.create(user=cast.viewer, role="viewer")
    other = create_customer("other", "Other", provider=provider("northwind"), by=SYSTEM)
    assert makes(remove=True) == {"removed": 1, "kept": 2}
    assert {"measuring-00001", "measuring-00002", "other", "acme"} <= {*names()}
    assert all(schema_exists(customer.schema_name) for customer in (used, peopled, other))


def test_none_goes_that_was_not_made_so_whoever_bears_the_short_name(db, settings):
    settings.MEASURING = True
    theirs = create_customer(
        "contoso", "Contoso", provider=create_provider("measuring", "Measuring", by=SYSTEM), by=SYSTEM
    )
    for name, slug, called in (
        ("Measuring Ltd", "measuring-00001", "Measuring 00001"),
        ("Measuring", "contoso", "Contoso"),
        ("Measuring", "measuring-00001", "Somebody"),
    ):
        Provider.objects.filter(slug="measuring").update(name=name)
        Customer.objects.filter(pk=theirs.pk).update(slug=slug, name=called)
        for arguments, options in ((["1"], {}), ([], {"remove": True})):
            with pytest.raises(CommandError, match="They are somebody's"):
                makes(*arguments, **options)
        assert Customer.objects.filter(pk=theirs.pk).exists()


def test_an_installation_for_measuring_says_so_at_each_start(db, settings):
    from django.core.checks import run_checks

    assert "gatehouse.W009" not in {message.id for message in run_checks()}
    settings.MEASURING = True
    assert "gatehouse.W009" in {message.id for message in run_checks()}
