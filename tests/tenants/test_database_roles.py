"""The two roles that docs/database-roles.md gives the database: what it says is run, and then tried as the application's."""

import os
import re
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from accounts.actors import SYSTEM
from mailboxes.services import create_mailbox
from portal.checks import trail
from portal.doctor.examination import Level, parts
from tenants import audit
from tenants.models import AuditEvent
from tenants.services import create_customer
from tenants.upgrading import schemas
from tests.cast import customer, provider

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "database-roles.md"
ROLE = f"gatehouse_app_{os.getpid()}"


def statements(beginning):
    """The document's SQL that begins with this comment, for the role and the database of this test."""
    blocks = re.findall(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(f"-- {beginning}")]
    database = connection.settings_dict["NAME"]
    return found.replace("gatehouse_app", ROLE).replace("DATABASE gatehouse ", f'DATABASE "{database}" ')


def as_superuser(*queries):
    """Only the server that the tests have started lets us be one."""
    known = connection.get_connection_params()
    try:
        server = psycopg.connect(
            host=known["host"], port=known["port"], user="postgres", dbname=known["dbname"], autocommit=True
        )
    except psycopg.OperationalError:
        pytest.skip("Only on a server of our own may tests make roles.")
    with server:
        for query in queries:
            server.execute(query)


@pytest.fixture
def application(committed_db):
    """All that follows is done as the application's role."""
    owner = connection.settings_dict["USER"]
    connection.close()
    documented = [
        statements(beginning) for beginning in ("what the application may do", "the customers' schemas")
    ]
    as_superuser(
        f"CREATE ROLE {ROLE} LOGIN",
        "REVOKE ALL ON DATABASE " + f'"{connection.settings_dict["NAME"]}" FROM PUBLIC',
        f"SET ROLE {owner}",
        documented[0],
        "RESET ROLE",
        documented[1],
    )
    connection.settings_dict["USER"] = ROLE
    yield
    connection.close()
    connection.settings_dict["USER"] = owner
    as_superuser(f"DROP OWNED BY {ROLE} CASCADE", f"DROP ROLE {ROLE}")


def test_the_applications_role_does_the_work_and_can_not_touch_the_trail(application, settings):
    settings.DATABASE_IS_EMBEDDED = False
    create_mailbox(customer("acme"), name="Journal", by=SYSTEM)
    umbrella = create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    create_mailbox(umbrella, name="Journal", by=SYSTEM)
    audit.record("mailbox.created", customer=umbrella, by=SYSTEM)
    count = AuditEvent.objects.count()
    for attempt in (
        "UPDATE tenants_auditevent SET action = 'x'",
        "DELETE FROM tenants_auditevent",
        "TRUNCATE tenants_auditevent",
        "TRUNCATE tenants_provider CASCADE",
        "ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL",
        "DROP TRIGGER tenants_audit_only_grows ON tenants_auditevent",
        "DROP TABLE tenants_auditevent",
        "SET session_replication_role = replica",
        "CREATE TABLE public.elsewhere ()",
        "CREATE OR REPLACE FUNCTION public.tenants_audit_only_grows() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NULL; END'",
    ):
        with connection.cursor() as cursor, pytest.raises(Exception) as refused:
            cursor.execute(attempt)
        assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege), attempt
    assert AuditEvent.objects.count() == count
    assert trail.the_trail_is_out_of_reach(None, ["default"]) == []


def test_the_applications_role_upgrades_the_customers(application, next_release):
    call_command("upgrade", processes=1, stdout=StringIO())
    assert all(state.is_noted for state in schemas.customers().values())


def test_where_somebody_else_owns_the_list_of_migrations_it_is_asked_each_time(application):
    as_superuser("COMMENT ON TABLE c_acme.django_migrations IS NULL")
    as_superuser("ALTER TABLE c_acme.django_migrations OWNER TO postgres")
    as_superuser(f"GRANT SELECT ON c_acme.django_migrations TO {ROLE}")
    call_command("upgrade", processes=1, stdout=(out := StringIO()))
    assert "Nothing to do." in out.getvalue()
    assert [name for name, state in schemas.customers().items() if not state.is_noted] == ["c_acme"]
    as_superuser(f"ALTER TABLE c_acme.django_migrations OWNER TO {ROLE}")


def test_what_only_the_owner_may_upgrade_stops_the_applications_role_with_a_reason(application):
    as_superuser("DELETE FROM public.django_migrations WHERE name = '0017_applied_migrations'")
    with pytest.raises(CommandError, match=r"public: tenants\.0017_applied_migrations: .*permission denied"):
        call_command("upgrade", processes=1)


def test_the_doctor_names_what_the_applications_role_lacks(application):
    assert [finding.level for finding in parts.database()] == [Level.OK]
    as_superuser(
        f'REVOKE CREATE ON DATABASE "{connection.settings_dict["NAME"]}" FROM {ROLE}',
        f"REVOKE INSERT ON public.accounts_pendingmail FROM {ROLE}",
        "ALTER SCHEMA c_acme OWNER TO postgres",
    )
    found = parts.database()
    told = " ".join(finding.seen for finding in found)
    assert {finding.level for finding in found} == {Level.ERROR} and all(finding.advice for finding in found)
    assert "may not make schemas" in told and "may not use accounts_pendingmail of" in told
    assert "schema c_acme belongs to another role" in told
    as_superuser(f"ALTER SCHEMA c_acme OWNER TO {ROLE}")


def test_a_role_that_could_is_warned_of_unless_the_database_is_the_demos(db, settings):
    settings.DATABASE_IS_EMBEDDED = False
    (warning,) = trail.the_trail_is_out_of_reach(None, ["default"])
    assert (warning.id, "docs/database-roles.md" in warning.hint) == ("gatehouse.W002", True)
    settings.DATABASE_IS_EMBEDDED = True
    assert trail.the_trail_is_out_of_reach(None, ["default"]) == []
