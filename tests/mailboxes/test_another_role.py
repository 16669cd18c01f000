"""As who may more than the application's role nothing runs that it has put into the database: whoever enters a customer's
schema asks whose it is first.
"""

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import schema_context, tenant_context

from accounts.actors import SYSTEM
from mailboxes.backup import examining, tools
from mailboxes.models import Message
from portal.checks.trail import could_change_it
from tenants import spares
from tenants.services import create_customer
from tenants.upgrading import schemas
from tenants.whose import LesserOwner
from tests.cast import provider
from tests.roles import OTHER, ROLE, as_superuser

OWNER = "gatehouse"
# Whoever reads messages runs it; in a transaction that only reads, too.
VIEW = """
CREATE FUNCTION c_acme.planted(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    IF current_user <> '{role}' THEN RAISE EXCEPTION 'what was planted ran as %', current_user; END IF;
    RETURN $1;
END $$;
ALTER TABLE c_acme.mailboxes_message RENAME TO elsewhere;
CREATE VIEW c_acme.mailboxes_message AS SELECT {columns} FROM c_acme.elsewhere
"""
# As soon as a row comes.
TRIGGER = """
CREATE FUNCTION {spare}.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF current_user <> '{role}' THEN RAISE EXCEPTION 'what was planted ran as %', current_user; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER planted BEFORE INSERT ON {spare}.mailboxes_mailbox FOR EACH ROW EXECUTE FUNCTION {spare}.planted()
"""


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def become(user):
    connection.close()
    connection.settings_dict["USER"] = user


@pytest.fixture(params=["postgres", "the owner"])
def who(request):
    """Who may more; not a member of the application's role, as the application is none of theirs."""
    if request.param == "postgres":
        return request.param
    as_superuser(f"CREATE ROLE {OTHER} LOGIN IN ROLE {OWNER}")
    request.addfinalizer(lambda: as_superuser(f"DROP OWNED BY {OTHER}", f"DROP ROLE {OTHER}"))
    request.addfinalizer(connection.close)
    return OTHER


@pytest.fixture
def planted(operator, application, acme, acme_mailbox, fill):
    """By the application's role, after a backup."""
    fill(b"mail")
    spares.refill(1)
    operator.backs_up()
    with connection.cursor() as cursor:
        names = [field.column for field in Message._meta.concrete_fields]
        columns = ", ".join("c_acme.planted(blob) AS blob" if name == "blob" else name for name in names)
        cursor.execute(VIEW.format(role=ROLE, columns=columns))
        cursor.execute("SELECT schema_name FROM public.tenants_spareschema")
        for (spare,) in cursor.fetchall():
            cursor.execute(TRIGGER.format(spare=spare, role=ROLE))
    yield operator
    become(ROLE)


def said(who, schemas):
    return (
        f"{schemas} of the customers' schemas belong to {ROLE}, which may do less than {who}, the role in DATABASE_URL, and to read "
        f"there is to run what that role has put there: run this as {ROLE} (docs/database-roles.md)."
    )


def test_whoever_enters_a_customers_schema_asks_whose_it_is(planted, who):
    become(who)
    said = f"The schema c_acme belongs to {ROLE}, which may do less than {who}"
    with pytest.raises(LesserOwner, match=said), schema_context("c_acme"):
        list(Message.objects.all())
    # Nothing looks there now, and what all share is there.
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("public",)
    become(ROLE)
    with schema_context("c_acme"):
        assert Message.objects.count() == 1


@pytest.mark.parametrize("how", ["assumed", "by default"])
def test_a_role_that_was_taken_on_is_not_who_enters(planted, acme, who, how, request):
    """What is planted leaves it (SET ROLE NONE), and is whoever has signed in."""
    if who == OTHER:
        as_superuser(f"GRANT {ROLE} TO {OTHER}")
    assert not could_change_it()
    become(who)
    if how == "assumed":
        connection.settings_dict["OPTIONS"]["assume_role"] = ROLE
        request.addfinalizer(lambda: connection.settings_dict["OPTIONS"].pop("assume_role"))
    else:
        as_superuser(f"ALTER ROLE {who} SET role = {ROLE}")
        request.addfinalizer(lambda: as_superuser("SET ROLE NONE", f"ALTER ROLE {who} RESET role"))
    request.addfinalizer(connection.close)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, session_user")
        assert cursor.fetchone() == (ROLE, who)
    with (
        pytest.raises(LesserOwner, match=f"belongs to {ROLE}, which may do less than {who}"),
        tenant_context(acme),
    ):
        list(Message.objects.all())
    assert could_change_it()
    execute("COMMENT ON TABLE c_acme.django_migrations IS NULL")
    assert schemas.customers()["c_acme"].is_anothers
    assert schemas.lesser_owner() == (ROLE, 1, who)
    if how == "by default":  # as the reader of a backup signs in, too
        with tools.connect() as reader, reader.transaction():
            broken = examining.customers(reader, ["c_acme"]).broken
        assert broken == {"c_acme": "its schema belongs to a role that may do less than ours"}


def test_nor_within_a_transaction_that_looked_elsewhere_before(planted, acme):
    """The schema of the customer before stays where the search path leads, and the transaction comes to nothing."""
    as_superuser(f"CREATE ROLE {OTHER}", f"ALTER SCHEMA c_globex OWNER TO {OTHER}")
    connection.close()
    with schema_context("c_initech"):
        Message.objects.count()
        with pytest.raises(LesserOwner), schema_context("c_globex"):
            Message.objects.count()
        assert Message.objects.count() == 0
    as_superuser(f"ALTER SCHEMA c_globex OWNER TO {ROLE}", f"DROP ROLE {OTHER}")


def test_a_schema_that_comes_later_is_asked_about_when_it_is_there(application):
    with schema_context("c_later"), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        as_superuser("CREATE SCHEMA c_later")
        as_superuser(f"CREATE ROLE {OTHER}", f"ALTER SCHEMA c_later OWNER TO {OTHER}")
    with pytest.raises(LesserOwner), schema_context("c_later"), connection.cursor():
        pass
    as_superuser("DROP SCHEMA c_later", f"DROP ROLE {OTHER}")


@pytest.mark.parametrize(
    ("command", "schemas"),
    # Where a spare one may be taken, or nobody is gone through by name, it counts as well.
    [("backup", 3), ("export_customer", 1), ("check_store", 4), ("check_store acme", 4), ("restore", 4)],
)
def test_each_command_says_in_one_line_as_whom_to_run_it_before_it_does_anything(
    command, schemas, planted, who, tmp_path, monkeypatch
):
    become(who)
    files = planted.files()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pytest.raises(CommandError) as refused:
        if command == "backup":
            planted.backs_up(keep=1)
        elif command == "export_customer":
            call_command("export_customer", "acme", elsewhere.as_uri())
        elif command == "restore":
            planted.restores(monkeypatch, customer="acme", as_slug="acme2")
        else:
            out = io.StringIO()
            call_command(*command.split(), stdout=out, stderr=out)
    assert str(refused.value) == said(who, schemas)
    assert planted.files() == files and list(elsewhere.iterdir()) == []


def test_a_spare_schema_of_the_applications_is_filled_by_nobody_else(planted, who):
    become(who)
    with pytest.raises(LesserOwner):
        create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)


def test_the_applications_role_goes_on_as_ever(operator, application, acme, acme_mailbox, fill, monkeypatch):
    fill(b"mail")
    assert operator.backs_up()["customers"] == 3
    operator.restores(monkeypatch, customer="acme", as_slug="acme2")
    call_command("check_store", stdout=io.StringIO())
    with tenant_context(acme):
        assert Message.objects.count() == 1


def test_schemas_that_are_nobodys_outvote_nobody(planted, who):
    """The application's role writes customers' rows, and names there what belongs to whoever may more."""
    with connection.cursor() as cursor:
        for name in ("pg_catalog", "information_schema", "pg_toast"):
            cursor.execute(
                "INSERT INTO public.tenants_customer (id, slug, schema_name, name, created_at, provider_id, allowed_networks) "
                "SELECT gen_random_uuid(), translate(%s, '_', '-'), %s, name, created_at, provider_id, allowed_networks "
                "FROM public.tenants_customer LIMIT 1",
                [name, name],
            )
    become(who)
    with pytest.raises(CommandError, match=f"3 of the customers' schemas belong to {ROLE}"):
        call_command("backup", planted.place)
