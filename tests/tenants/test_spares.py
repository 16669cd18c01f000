"""Spare schemas: taken by renaming, rebuilt after an upgrade, and never missed when there are none."""

import threading

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_exists, tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Mailbox
from tenants import services, spares
from tenants.errors import BeingUpgraded, SlugTaken
from tenants.migrated import note
from tenants.models import AuditEvent, Customer, Domain, SpareSchema
from tests import citus
from tests.cast import provider
from tests.catalogs import contents, structure


def oid(schema):
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_namespace WHERE nspname = %s", [schema])
        return cursor.fetchone()[0]


def works(customer):
    with tenant_context(customer):
        return Mailbox.objects.create(name="Journal", address=f"mbx-{customer.slug}@gateway.localhost").pk


def test_refilling_builds_what_is_missing_and_no_more(db):
    assert spares.refill(target=2) == 2
    assert spares.refill(target=2) == 0
    assert all(schema_exists(spare.schema_name) for spare in SpareSchema.objects.all())
    assert connection.schema_name == "public"


def test_a_schema_that_repeats_what_migrations_did_is_as_one_that_they_made(db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA migrated")
    call_command("migrate_schemas", schema_name="migrated", tenant=True, verbosity=0)
    if not citus.URL:  # whose nodes have no triggers, and so no notes
        note("migrated")
    spares.refill(target=2)  # before the second one there was another
    repeated = SpareSchema.objects.latest("created_at").schema_name
    with CaptureQueriesContext(connection) as queries:
        assert spares.refill(target=3) == 1
    assert not any("pg_catalog.pg_" in query["sql"] for query in queries)  # migrations look there
    assert all(structure("migrated")[: 3 if citus.URL else 4])
    assert structure(repeated) == structure("migrated")
    assert contents(repeated) == contents("migrated")


def test_a_new_customer_takes_a_spare_one_as_it_is(db):
    spares.refill(target=1)
    spare = SpareSchema.objects.get()
    ready = oid(spare.schema_name)
    umbrella = services.create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    assert oid("c_umbrella") == ready
    assert not SpareSchema.objects.exists()
    assert works(umbrella)


def test_with_none_left_the_schema_is_built_on_the_spot(db):
    SpareSchema.objects.all().delete()
    umbrella = services.create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    assert connection.schema_name == "public"
    assert works(umbrella)


def test_a_customer_has_host_schema_and_audit_line(db):
    who = services.create_customer("big-corp2", "Big Corp", provider=provider("northwind"), by=SYSTEM)
    assert who.schema_name == "c_big_corp2"
    assert Domain.objects.get(tenant=who).domain == "big-corp2.portal.localhost"
    event = AuditEvent.objects.get(action="customer.created", customer_id=who.pk)
    assert event.provider_id == who.provider_id


def test_spare_ones_of_another_release_are_never_handed_out(db):
    spares.refill(target=1)
    old = SpareSchema.objects.get()
    SpareSchema.objects.update(fingerprint="of another release")
    services.create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    assert SpareSchema.objects.get() == old
    assert spares.refill(target=1) == 1
    assert not schema_exists(old.schema_name)
    assert SpareSchema.objects.get().fingerprint == spares.fingerprint()


def test_a_release_that_is_being_replaced_creates_no_customer_that_would_lack_something(db):
    recorder = MigrationRecorder(connection)
    recorder.record_applied("mailboxes", "0001_what_was_replaced_since")
    services.create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    for app, name in (("mailboxes", "9001_of_a_later_release"), ("calendars", "0001_of_another_app")):
        recorder.record_applied(app, name)
        with pytest.raises(BeingUpgraded):
            services.create_customer("wonka", "Wonka", provider=provider("northwind"), by=SYSTEM)
        recorder.record_unapplied(app, name)


def test_a_failure_gives_the_spare_one_back(db):
    spares.refill(target=1)
    spare = SpareSchema.objects.get()
    with pytest.raises(RuntimeError, match="on purpose"), transaction.atomic():
        spares.take("c_umbrella")
        raise RuntimeError("on purpose")
    assert SpareSchema.objects.get() == spare
    assert schema_exists(spare.schema_name)
    assert not schema_exists("c_umbrella")


def test_customers_created_at_once_each_take_another_spare_one(committed_db):
    spares.refill(target=2)
    northwind = provider("northwind")
    start, failures = threading.Barrier(2), []

    def create(slug):
        try:
            start.wait(timeout=30)
            services.create_customer(slug, slug, provider=northwind, by=SYSTEM)
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=create, args=(slug,)) for slug in ("umbrella", "wonka")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert not SpareSchema.objects.exists()
    assert all(works(Customer.objects.get(slug=slug)) for slug in ("umbrella", "wonka"))


def test_of_two_with_the_same_name_one_wins(committed_db):
    northwind = provider("northwind")
    start, outcomes = threading.Barrier(2), []

    def create():
        try:
            start.wait(timeout=30)
            outcomes.append(
                services.create_customer("umbrella", "Umbrella", provider=northwind, by=SYSTEM).slug
            )
        except SlugTaken as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcomes) == ["slug-taken", "umbrella"]


def test_who_was_quicker_with_the_schema_has_the_name(cast):
    """Between our look for the name and django-tenants' look for the schema; here the first finds nothing."""
    Customer.objects.filter(slug="globex").update(slug="not-yet-seen")
    with pytest.raises(SlugTaken):
        services.create_customer("globex", "Globex", provider=provider("northwind"), by=SYSTEM)
    assert Customer.objects.filter(schema_name="c_globex").count() == 1  # and the transaction goes on


def test_a_broker_that_is_down_costs_a_line_in_the_log(committed_db, turn_to, caplog):
    turn_to("redis+socket:///nowhere/redis.sock")
    services.create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    assert Customer.objects.filter(slug="umbrella").exists()
    (line,) = [record for record in caplog.records if record.name == "accounts.bell"]
    assert "beat will have to ring for tenants.tasks.refill_spares" in line.getMessage()
