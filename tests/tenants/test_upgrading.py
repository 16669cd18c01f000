"""Which schemas lack migrations: asked of them all at once, and of no note that could be wrong."""

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import SYSTEM
from tenants import pooling, upgrading
from tenants.management.commands.upgrade import Lines
from tenants.migrated import note
from tenants.models import SpareSchema
from tenants.schemas import that_are_there
from tenants.services import create_customer
from tenants.starting import refuse_unsafe_setup
from tenants.upgrading import schemas
from tests import citus
from tests.cast import LOST, provider
from tests.mailboxes.backups import end_who_holds

of_notes = pytest.mark.skipif(bool(citus.URL), reason="Nodes of a cluster have no triggers, and so no notes.")


def behind():
    return {name for name, state in schemas.customers().items() if state.is_behind}


def without_note():
    return {name for name, state in schemas.customers().items() if not state.is_noted}


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def customers_whose_tables_are_locked():
    """By this transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT n.nspname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE l.pid = pg_backend_pid() AND n.nspname LIKE 'c\\_%'"
        )
        return {name for (name,) in cursor.fetchall()}


def test_however_many_customers_there_are_one_query_asks_them_all(db):
    with CaptureQueriesContext(connection) as few:
        assert len(schemas.customers()) == 3
    for number in range(5):
        create_customer(f"more{number}", f"More {number}", provider=provider("northwind"), by=SYSTEM)
    with CaptureQueriesContext(connection) as many:
        assert len(schemas.customers()) == 8
    assert not behind()
    assert len(few) == len(many) <= 2  # one of them may choose the schema


@of_notes
def test_whose_schema_has_a_note_that_nothing_is_left_is_not_looked_into(db):
    assert not behind() and not without_note()
    assert customers_whose_tables_are_locked() == set()
    execute("COMMENT ON TABLE c_acme.django_migrations IS NULL")
    assert without_note() == {"c_acme"}
    assert "c_globex" not in customers_whose_tables_are_locked()


OLDER = "DELETE FROM c_acme.django_migrations WHERE app = 'mailboxes'"
TRIGGER = "django_migrations_changed ON c_acme.django_migrations"


@of_notes
@pytest.mark.parametrize(
    "sql",
    [
        OLDER,
        "UPDATE c_acme.django_migrations SET name = 'another'",
        "TRUNCATE c_acme.django_migrations",
        f"DROP TRIGGER {TRIGGER}; {OLDER}",
        f"ALTER TABLE c_acme.django_migrations DISABLE TRIGGER USER; {OLDER}",
        f"ALTER SCHEMA c_acme RENAME TO aside; ALTER SCHEMA aside RENAME TO c_acme; {OLDER}",
    ],
)
def test_no_note_outlives_what_it_says(db, sql):
    execute(sql)
    assert behind() == without_note() == {"c_acme"}
    note("c_acme")
    assert behind() == without_note() == {"c_acme"}


def test_a_note_of_another_release_says_nothing(db, next_release):
    assert behind() == without_note() == {"c_acme", "c_globex", "c_initech"}


@of_notes
def test_an_upgrade_with_nothing_to_do_notes_what_has_no_note(committed_db):
    execute("COMMENT ON TABLE c_acme.django_migrations IS NULL")
    execute("DROP FUNCTION c_globex.django_migrations_changed() CASCADE")
    assert without_note() == {"c_acme", "c_globex"}
    assert upgrading.upgrade(Lines(), by=1, hold=1.0).upgraded == []
    assert not without_note()


def test_more_than_one_query_may_lock_are_asked_in_parts(db, monkeypatch):
    monkeypatch.setattr(schemas, "AT_ONCE", 2)
    execute("DELETE FROM c_initech.django_migrations WHERE name = '0010_blanks_in_names'")
    assert set(schemas.customers()) == {"c_acme", "c_globex", "c_initech"}
    assert behind() == {"c_initech"}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM c_acme.django_migrations WHERE id = (SELECT max(id) FROM c_acme.django_migrations WHERE app = 'mailboxes')",
        "DROP TABLE c_acme.django_migrations",
        "DROP SCHEMA c_acme CASCADE",
        "ALTER SCHEMA c_acme RENAME TO aside; CREATE SCHEMA c_acme",
    ],
    ids=["an older backup", "half a backup", "gone", "somebody else's"],
)
def test_a_schema_that_was_restored_from_elsewhere_is_seen(db, sql):
    execute(sql)
    assert behind() == {"c_acme"}


def test_what_only_looks_like_a_list_of_migrations_is_not_asked(db):
    """A view would do what it says as whoever asks, who may own all tables."""
    execute("ALTER TABLE c_acme.django_migrations RENAME TO kept")
    execute(
        "CREATE FUNCTION c_acme.acts() RETURNS text LANGUAGE plpgsql AS $$"
        " BEGIN DELETE FROM public.tenants_spareschema; RETURN 'mailboxes'; END $$"
    )
    execute("CREATE VIEW c_acme.django_migrations AS SELECT c_acme.acts() AS app, name FROM c_acme.kept")
    SpareSchema.objects.create(schema_name="spare_probe", fingerprint="")
    assert behind() == {"c_acme"}
    assert SpareSchema.objects.exists()


def test_a_schema_that_was_migrated_by_hand_is_seen(db):
    call_command("migrate_schemas", "mailboxes", "0009", schema_name="c_acme", tenant=True, verbosity=0)
    assert behind() == {"c_acme"}
    assert without_note() == ({"c_acme", "c_globex", "c_initech"} if citus.URL else {"c_acme"})
    call_command("migrate_schemas", schema_name="c_acme", tenant=True, verbosity=0)
    assert not behind()


def test_an_upgrade_beside_which_another_could_begin_goes_no_further(committed_db):
    for schema in ("c_acme", "c_globex"):
        call_command("migrate_schemas", "mailboxes", "0009", schema_name=schema, tenant=True, verbosity=0)

    class Told(Lines):
        def done(self, outcome):
            end_who_holds(upgrading.UPGRADE_LOCK)

    with pytest.raises(pooling.LockLost, match="kept others away has ended"):
        upgrading.upgrade(Told(), by=1, hold=1.0)
    assert behind() == {"c_globex"}
    assert upgrading.upgrade(Lines(), by=1, hold=1.0).upgraded == ["c_globex"]


@pytest.mark.parametrize("how", LOST.values(), ids=list(LOST))
def test_an_upgrade_makes_nobody_anew_whose_schema_is_gone(committed_db, next_release, how):
    """A customer with tables and without keys would pass for a whole one, and its mail for nobody's."""
    # One by one: what a cluster's coordinator is given at once it hands on as that, and no node takes it.
    for statement in how.split("; "):
        execute(statement)
    before = tables_of("c_acme")
    report = upgrading.upgrade(Lines(), by=1, hold=1.0)
    assert {name: outcome.trouble for name, outcome in report.failed.items()} == {"c_acme": upgrading.LOST}
    assert that_are_there(["c_acme", "c_globex"]) == ["c_globex"]
    assert tables_of("c_acme") == before


def tables_of(schema):
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [schema])
        return cursor.fetchall()


def complaints():
    found = run_checks(include_deployment_checks=True, databases=["default"])
    return {message.id: message.msg for message in found}


def test_the_checks_say_what_is_of_an_earlier_release(db):
    assert not {"gatehouse.E028", "gatehouse.W008"} & complaints().keys()
    execute("DELETE FROM c_acme.django_migrations WHERE app = 'mailboxes'")
    execute("DELETE FROM c_globex.django_migrations WHERE app = 'mailboxes'")
    found = complaints()
    assert found["gatehouse.W008"] == (
        "2 of the customers' schemas are of an earlier release: c_acme, c_globex."
    )
    assert "gatehouse.E028" not in found
    execute("DROP SCHEMA c_acme CASCADE")  # of no release, and no upgrade brings it back
    execute("CREATE SCHEMA c_acme")
    assert complaints()["gatehouse.W008"] == (
        "1 of the customers' schemas are of an earlier release: c_globex."
    )
    execute("DELETE FROM public.django_migrations WHERE app = 'tenants'")
    assert complaints()["gatehouse.E028"] == "The database is of an earlier release."


def test_a_check_of_the_schemas_that_fails_is_told(committed_db):
    execute("ALTER TABLE public.tenants_customer RENAME COLUMN schema_name TO another")
    found = complaints()
    assert "could not be asked whether all customers are of this release: column" in found["gatehouse.W016"]
    assert "gatehouse.W008" not in found


def test_nothing_starts_on_a_database_of_an_earlier_release(committed_db, caplog):
    refuse_unsafe_setup()
    execute("DELETE FROM public.django_migrations WHERE app = 'tenants'")
    with pytest.raises(SystemExit):
        refuse_unsafe_setup()
    assert "gatehouse.E028: The database is of an earlier release. Run `manage.py upgrade`." in caplog.text
