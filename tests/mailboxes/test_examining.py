"""A backup says what of the database could not be brought back, keeps earlier ones meanwhile, and saves everybody else."""

import io
import json
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.backup import back_up, examining, export_customer, restore, tools
from mailboxes.backup.place import Place
from mailboxes.models import Message
from tenants import migrated, pooling, spares
from tenants.models import LastBackup, SpareSchema
from tenants.services import create_customer
from tests import folders
from tests.breaking.kit import short_or_long
from tests.cast import provider
from tests.mailboxes.backups import collected
from tests.poolers import PORT, SESSIONS, Pooler
from tests.roles import OTHER, ROLE, as_superuser

TEXTS = [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n"]


def _without(table, kind):
    """Of constraints those of this kind are gone."""
    return (
        f"DO $$ BEGIN EXECUTE (SELECT string_agg('ALTER TABLE {table} DROP CONSTRAINT ' || conname, ';') FROM pg_constraint "
        f"WHERE conrelid = '{table}'::regclass AND contype = '{kind}'); END $$"
    )


# Each with what is said of it.
BROKEN = {
    "no table": ("DROP TABLE mailboxes_message CASCADE", "the table mailboxes_message is missing"),
    "no column": (
        "ALTER TABLE mailboxes_message RENAME COLUMN octets TO o",
        "the table mailboxes_message lacks the column octets",
    ),
    "hidden rows": (
        "ALTER TABLE mailboxes_message ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "row level security hides rows of mailboxes_message",
    ),
    "a view": (
        "ALTER TABLE mailboxes_message RENAME TO m; CREATE VIEW mailboxes_message AS SELECT * FROM m",
        "mailboxes_message is a view and no plain table",
    ),
    "a view that does something": (  # what ends a backup, if it is run
        "ALTER TABLE mailboxes_message RENAME TO m; CREATE FUNCTION does() RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'it was run' USING ERRCODE = '57014'; END $$; "
        "CREATE VIEW mailboxes_message AS SELECT *, does() FROM m WHERE does() = 1",
        "mailboxes_message is a view and no plain table",
    ),
    "partitions": (
        "ALTER TABLE mailboxes_message RENAME TO m; "
        "CREATE TABLE mailboxes_message (LIKE m) PARTITION BY LIST (id); "
        "CREATE TABLE part PARTITION OF mailboxes_message DEFAULT",
        "mailboxes_message is a partitioned table and no plain table",
    ),
    "a list of migrations that is none": (
        "ALTER TABLE django_migrations RENAME COLUMN app TO a",
        'its list of migrations can\'t be read: column "app" does not exist',
    ),
    "an index that fails": (
        "CREATE TABLE armed (); CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT FROM c_acme.armed) THEN RAISE EXCEPTION 'it fails'; END IF; RETURN 1; END $$; "
        "CREATE INDEX ON mailboxes_message (fails(1)); INSERT INTO armed DEFAULT VALUES",
        "an index, a check or the like of mailboxes_message calls a function that is not PostgreSQL's own",
    ),
    "statistics that fail": (
        "CREATE FUNCTION fails(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it fails'; END $$; "
        "CREATE STATISTICS ON (fails(1)), octets FROM mailboxes_message",
        "an index, a check or the like of mailboxes_message calls a function that is not PostgreSQL's own",
    ),
    "an operator of its own": (
        "CREATE FUNCTION alike(bigint, bigint) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'; "
        "CREATE OPERATOR === (FUNCTION = alike, LEFTARG = bigint, RIGHTARG = bigint); "
        "CREATE INDEX ON mailboxes_message (id) WHERE octets OPERATOR(c_acme.===) 1::bigint",
        "an index, a check or the like of mailboxes_message calls a function that is not PostgreSQL's own",
    ),
    "a name": (
        "ALTER SCHEMA c_acme RENAME TO \"c_Acme\"; UPDATE tenants_customer SET schema_name = 'c_Acme' WHERE slug = 'acme'",
        "the name of its schema is none of a customer's",
    ),
}
NOT_OURS = {
    "a table": ('CREATE TABLE "M2" ()', ["c_acme.M2"]),
    "a view": ("CREATE VIEW seen AS SELECT 1 AS one", ["c_acme.seen"]),
    "a materialized view": ("CREATE MATERIALIZED VIEW seen AS SELECT 1 AS one", ["c_acme.seen"]),
    "a column": ("ALTER TABLE mailboxes_mailbox ADD strange text", ["c_acme.mailboxes_mailbox.strange"]),
    "a child elsewhere": (
        "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.m () INHERITS (c_acme.mailboxes_message)",
        ["elsewhere.m"],
    ),
}
# As deep as PostgreSQL puts it together and not as it reads it.
DEEP = """
CREATE FUNCTION pg_temp.deep() RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_set((repeat('[', 1800) || '0' || repeat(']', 1800))::jsonb, array_fill('0'::text, ARRAY[1800]),
    (repeat('[', 16000) || repeat(']', 16000))::jsonb)
$$
"""
WRONG = {
    "a name": (
        "UPDATE tenants_customer SET name = '' WHERE slug = 'acme'",
        "acme: it is without a proper name",
    ),
    "networks": (
        "UPDATE tenants_customer SET allowed_networks = '[\"x\"]' WHERE slug = 'acme'",
        "acme: it is without a proper list of networks",
    ),
    "a migration that is gone": (
        "DELETE FROM django_migrations WHERE app = 'mailboxes' AND name LIKE '0001%'",
        "c_acme: its list of migrations has mailboxes.0002_jobs_and_whole_life and lacks mailboxes.0001_initial, which comes before",
    ),
    "a migration of later": (
        "INSERT INTO django_migrations (app, name, applied) VALUES ('mailboxes', '9999_later', now())",
        "c_acme: its list of migrations is of a later release, with mailboxes.9999_later: bring it back by one that is no older",
    ),
    "another type": (
        "ALTER TABLE mailboxes_mailbox ALTER name TYPE text",
        "c_acme.mailboxes_mailbox.name is of the type text, not character varying(",
    ),
    "a row that is too long": (
        "UPDATE mailboxes_mailboxkey SET public_key = convert_to(repeat('x', 17 * 1024 * 1024), 'UTF8')",
        "c_acme.mailboxes_mailboxkey has a row that is too long for a restore",
    ),
    "values that are too long together": (
        "UPDATE mailboxes_mailboxkey SET public_key = convert_to(repeat('x', 9 * 1024 * 1024), 'UTF8'), "
        "sealed_as = jsonb_build_array(repeat('x', 9 * 1024 * 1024))",
        "c_acme.mailboxes_mailboxkey has a row that is too long for a restore",
    ),
    "JSON that is longer than it looks": (
        "UPDATE mailboxes_mailboxkey SET sealed_as = (SELECT jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 200))",
        "c_acme.mailboxes_mailboxkey has a row that is too long for a restore",
    ),
    "JSON that nobody reads again": (
        DEEP + "; UPDATE mailboxes_mailboxkey SET sealed_as = pg_temp.deep()",
        "c_acme.mailboxes_mailboxkey has a row that can't be read: stack depth limit exceeded",
    ),
    "networks in networks": (
        "UPDATE tenants_customer SET allowed_networks = (repeat('[', 3000) || repeat(']', 3000))::jsonb WHERE slug = 'acme'",
        "acme: it is without a proper list of networks",
    ),
    "networks by a great number": (
        "UPDATE tenants_customer SET allowed_networks = '[1e9999]' WHERE slug = 'acme'",
        "acme: it is without a proper list of networks",
    ),
    "a line of the trail that is too long": (
        "ALTER TABLE public.tenants_auditevent DROP CONSTRAINT audit_event_can_be_read; "  # as of before there was one
        "INSERT INTO public.tenants_auditevent (at, action, data, actor_email, target_type, target_id, target_name, origin, actor_side) "
        "VALUES (now(), 'x', jsonb_build_object('x', repeat('x', 17 * 1024 * 1024)), '', '', '', '', '', '')",
        "public.tenants_auditevent has a row that is too long for a restore",
    ),
    "no migration": ("DELETE FROM django_migrations", "c_acme: its list of migrations is empty"),
    "a list without end": (
        "INSERT INTO django_migrations (app, name, applied) SELECT 'auth', '0001_initial', now() FROM generate_series(1, 10000)",
        "c_acme: its list of migrations is none, with more than 10000 lines",
    ),
    "a migration without a name": (
        "ALTER TABLE django_migrations ALTER name DROP NOT NULL; "
        "UPDATE django_migrations SET name = NULL WHERE app = 'mailboxes' AND name LIKE '0002%'",
        "c_acme: its list of migrations has mailboxes.0003_count_by_key and lacks mailboxes.0002_jobs_and_whole_life",
    ),
    "a column that may be empty": (
        "ALTER TABLE mailboxes_message ALTER octets DROP NOT NULL",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks NOT NULL of octets",
    ),
    "a unique index that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index "
        "WHERE indrelid = 'mailboxes_mailboxkey'::regclass AND indisunique AND NOT indisprimary AND indpred IS NOT NULL LIMIT 1); END $$",
        "c_acme: the table mailboxes_mailboxkey is not as migrations make it: it lacks a unique index USING btree (mailbox_id) WHERE",
    ),
    "a reference that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE mailboxes_message DROP CONSTRAINT ' || conname FROM pg_constraint "
        "WHERE conrelid = 'mailboxes_message'::regclass AND contype = 'f' LIMIT 1); END $$",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks FOREIGN KEY (",
    ),
    "a reference to a table of that name elsewhere": (
        _without("c_acme.mailboxes_message", "f")
        + "; CREATE TABLE public.mailboxes_mailbox (id uuid PRIMARY KEY); "
        "INSERT INTO public.mailboxes_mailbox SELECT id FROM c_acme.mailboxes_mailbox; "
        "ALTER TABLE c_acme.mailboxes_message ADD FOREIGN KEY (mailbox_id) REFERENCES public.mailboxes_mailbox "
        "DEFERRABLE INITIALLY DEFERRED, ADD FOREIGN KEY (key_id) REFERENCES c_acme.mailboxes_mailboxkey "
        "DEFERRABLE INITIALLY DEFERRED",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks FOREIGN KEY (mailbox_id) REFERENCES mailboxes_mailbox(id)",
    ),
    "a number that is larger": (
        "ALTER TABLE mailboxes_mailboxkey ALTER COLUMN generation TYPE bigint",
        "c_acme.mailboxes_mailboxkey.generation is of the type bigint, not integer",
    ),
    "a check more": (
        "ALTER TABLE mailboxes_message ADD CHECK (octets <> 7)",
        "c_acme: the table mailboxes_message is not as migrations make it: it has CHECK ((octets <> 7)), which that has not",
    ),
    "a primary key that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'ALTER TABLE mailboxes_message DROP CONSTRAINT ' || conname || ' CASCADE' FROM pg_constraint "
        "WHERE conrelid = 'mailboxes_message'::regclass AND contype = 'p'); END $$",
        "c_acme: the table mailboxes_message is not as migrations make it: it lacks PRIMARY KEY (id)",
    ),
    "a column that is reckoned": (
        "ALTER TABLE mailboxes_mailbox DROP COLUMN suspended_at; "
        "ALTER TABLE mailboxes_mailbox ADD suspended_at timestamptz GENERATED ALWAYS AS (created_at) STORED",
        "c_acme: the table mailboxes_mailbox is not as migrations make it: it lacks suspended_at as a column that is not GENERATED",
    ),
    "one of all that may be empty": (
        "ALTER TABLE public.tenants_auditevent ALTER origin DROP NOT NULL",
        "public: the table tenants_auditevent is not as migrations make it: it lacks NOT NULL of origin",
    ),
    "one of all that is reckoned": (
        "ALTER TABLE public.tenants_auditevent DROP COLUMN origin; "
        "ALTER TABLE public.tenants_auditevent ADD origin varchar(200) NOT NULL GENERATED ALWAYS AS ('x') STORED",
        "public: the table tenants_auditevent is not as migrations make it: it lacks origin as a column that is not GENERATED",
    ),
    "a reference of all that is gone": (
        _without("public.tenants_directoryentry", "f"),
        "public: the table tenants_directoryentry is not as migrations make it: it lacks FOREIGN KEY (customer_id) "
        "REFERENCES tenants_customer(id)",
    ),
    "a reference of all that need not hold": (
        _without("public.tenants_directoryentry", "f") + "; ALTER TABLE public.tenants_directoryentry "
        "ADD FOREIGN KEY (customer_id) REFERENCES public.tenants_customer DEFERRABLE INITIALLY DEFERRED NOT VALID",
        "public: the table tenants_directoryentry is not as migrations make it: it lacks FOREIGN KEY (customer_id) "
        "REFERENCES tenants_customer(id)",
    ),
    "a short name that two providers may have": (
        _without("public.tenants_provider", "u"),
        "public: the table tenants_provider is not as migrations make it: it lacks UNIQUE (slug)",
    ),
    "a unique index of all that is gone": (
        "DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index "
        "WHERE indrelid = 'public.account_emailaddress'::regclass AND indpred IS NOT NULL LIMIT 1); END $$",
        "public: the table account_emailaddress is not as migrations make it: it lacks a unique index USING btree (",
    ),
    "a check of all that is gone": (
        _without("public.tenants_customer", "c"),
        "public: the table tenants_customer is not as migrations make it: it lacks CHECK (",
    ),
    "a list of migrations of all that may be empty": (
        "ALTER TABLE public.django_migrations ALTER name DROP NOT NULL",
        "public: the table django_migrations is not as migrations make it: it lacks NOT NULL of name",
    ),
    "a name that is told apart otherwise": (
        'ALTER TABLE mailboxes_mailbox ALTER name TYPE varchar(100) COLLATE "C"',
        "c_acme: the table mailboxes_mailbox is not as migrations make it: it lacks name in the collation of the database",
    ),
    # While the reference was made again the row was hidden.
    "a lock of no key": (
        "DO $$ DECLARE f record; BEGIN SELECT conname, pg_get_constraintdef(oid) AS def INTO f FROM pg_constraint "
        "WHERE conrelid = 'mailboxes_keylock'::regclass AND contype = 'f' AND pg_get_constraintdef(oid) ~ 'key_id'; "
        "EXECUTE 'ALTER TABLE mailboxes_keylock DROP CONSTRAINT ' || f.conname; UPDATE mailboxes_keylock SET key_id = 999999; "
        "ALTER TABLE mailboxes_keylock ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; "
        "EXECUTE 'ALTER TABLE mailboxes_keylock ADD CONSTRAINT ' || f.conname || ' ' || f.def; "
        "ALTER TABLE mailboxes_keylock DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY; END $$",
        "c_acme: rows of mailboxes_keylock refer to nothing by key_id",
    ),
    "a key without its lock": (
        "DELETE FROM mailboxes_keylock",
        "c_acme: no password opens a key of a mailbox",
    ),
    "a lock of nothing": (
        "UPDATE mailboxes_keylock SET data = ''",
        "c_acme: no password opens a key of a mailbox",
    ),
    "an earlier key that was opened by another": (
        "INSERT INTO mailboxes_mailboxkey SELECT (jsonb_populate_record(k, jsonb_build_object("
        "'id', id + 1, 'generation', 2, 'state', 'retired'))).* FROM mailboxes_mailboxkey k; "
        "INSERT INTO mailboxes_keylock (key_id, kind, data, created_at) "
        "SELECT key_id + 1, 'worker', data, created_at FROM mailboxes_keylock",
        "c_acme: no password opens a key of a mailbox",
    ),
    "ids after which there are no more": (
        "UPDATE mailboxes_message SET id = id + 5000000000000000000",
        "c_acme: rows of mailboxes_message have ids that no restore takes",
    ),
    "ids that no database gives": (
        "UPDATE mailboxes_keylock SET id = -id",
        "c_acme: rows of mailboxes_keylock have ids that no restore takes",
    ),
    "mailboxes that are gone": (
        "TRUNCATE mailboxes_mailbox CASCADE",
        "c_acme: 1 of the mailboxes that the directory has is not there",
    ),
    "mailboxes that can't be asked for": (
        "CREATE TYPE strange AS (id uuid); "
        "ALTER TABLE mailboxes_mailbox RENAME id TO was; ALTER TABLE mailboxes_mailbox ADD id strange",
        "c_acme: its mailboxes can't be compared with the directory: operator does not exist: c_acme.strange = uuid",
    ),
    "one of all that is gone": (
        "DELETE FROM public.django_migrations WHERE app = 'auth' AND name LIKE '0001%'",
        "public: the list of migrations has auth.0002_alter_permission_name_max_length and lacks auth.0001_initial, which comes before",
    ),
    "one of all that is of later": (
        "INSERT INTO public.django_migrations (app, name, applied) VALUES ('tenants', '9999_later', now())",
        "public: the list of migrations is of a later release, with tenants.9999_later: bring it back by one that is no older",
    ),
    "the last one of all that is gone": (
        "DELETE FROM public.django_migrations WHERE app = 'tenants' AND name >= '0018'",
        "public.tenants_lastbackup is of no migration that its list of migrations has",
    ),
}
# What of these a backup is taken of; of the others the look that it takes at the database is asked.
TAKEN = short_or_long(
    ["no column", "a view that does something", "an index that fails", "a name"], list(BROKEN)
)
TAKEN_TOO = short_or_long(["a table", "a child elsewhere"], list(NOT_OURS))
TAKEN_AS_WELL = short_or_long(
    [
        "a name",
        "networks in networks",
        "networks by a great number",
        "a list without end",
        "a check more",
        "a line of the trail that is too long",
    ],
    list(WRONG),
)


def cases(of, names):
    return pytest.mark.parametrize(
        ("statements", "expected"), [pytest.param(*of[name], id=name) for name in of if name in names]
    )


def seen(of, taken, *rest):
    """The cases that a look is asked for, but for `rest`, which show elsewhere."""
    return cases(of, of.keys() - {*taken, *rest})


def execute_in_place(statements):
    with connection.cursor() as cursor:
        cursor.execute(statements)


def execute(statements):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET search_path = c_acme, public")
        cursor.execute(statements)
    connection.close()


@pytest.fixture
def scene(operator, acme, globex, acme_mailbox, make_mailbox, fill):
    """One whole backup, and more mail since."""
    operator.theirs = make_mailbox("Theirs", customer=globex)
    fill(b"theirs", to=operator.theirs)
    fill(*TEXTS)
    operator.whole = operator.backs_up()["name"]
    LastBackup.objects.all().delete()
    return operator


def fails(scene):
    """What a backup says that does not end well."""
    out = io.StringIO()
    with pytest.raises(CommandError) as ended:
        call_command("backup", scene.place, json=True, keep=1, stdout=out, stderr=out)
    assert Place(scene.place).sets()[0] == scene.whole, "it may have the last that there is"
    assert not LastBackup.objects.exists(), "the doctor waits for one that ends well"
    made = json.loads(out.getvalue())
    scene.checks(set=made["name"])
    return made, str(ended.value)


@pytest.fixture
def look(db, acme, globex, acme_mailbox, fill):
    """What a backup sees of the database once statements about Acme are executed."""
    fill(*TEXTS)

    def at(statements):
        with tenant_context(acme), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(statements)
        reader = connection.connection
        found = examining.customers(reader, ["c_acme", "c_globex", "c_initech"])
        found.wrong += examining.what_all_share(reader)
        return found

    return at


@cases(BROKEN, TAKEN)
def test_one_customer_whose_tables_are_broken_is_named_and_all_others_are_saved(
    statements, expected, scene, monkeypatch
):
    execute(statements)
    made, said = fails(scene)
    assert made["left_out"] == [{"customer": "acme", "why": expected}]
    assert (made["customers"], made["messages"]) == (2, 1)
    assert "not all is well: 1 customer left out" in said
    scene.loses_all()
    with pytest.raises(CommandError, match="^1 thing that the backup lacks"):
        scene.restores(monkeypatch, set=made["name"])
    assert f"LEFT OUT    acme: {expected}\n" in scene.said.getvalue()
    assert not LastBackup.objects.exists(), "what was not in it did not come back"
    assert collected(scene.theirs) == [b"theirs"]


@seen(BROKEN, TAKEN)
def test_whatever_is_broken_is_seen(statements, expected, look):
    assert look(statements).broken == {"c_acme": expected}


def test_so_is_one_whose_table_belongs_to_a_role_that_may_do_less(scene):
    as_superuser(f"CREATE ROLE {OTHER}", f"ALTER TABLE c_acme.mailboxes_job OWNER TO {OTHER}")
    made, _ = fails(scene)
    assert made["left_out"] == [
        {"customer": "acme", "why": "the table mailboxes_job belongs to a role that may do less than ours"}
    ]
    as_superuser("ALTER TABLE c_acme.mailboxes_job OWNER TO gatehouse", f"DROP ROLE {OTHER}")


def test_and_one_whose_schema_belongs_to_such_a_role(scene):
    """Which may put anything in the place of a table, between our look at it and the dump."""
    as_superuser(f"CREATE ROLE {OTHER}", f"ALTER SCHEMA c_acme OWNER TO {OTHER}")
    try:
        as_superuser(f"GRANT ALL ON SCHEMA c_acme TO {OTHER}, gatehouse")
        made, _ = fails(scene)
    finally:
        as_superuser("ALTER SCHEMA c_acme OWNER TO gatehouse", f"DROP OWNED BY {OTHER}", f"DROP ROLE {OTHER}")
    assert made["left_out"] == [
        {"customer": "acme", "why": "its schema belongs to a role that may do less than ours"}
    ]


def test_an_export_of_such_a_customer_says_why_there_is_none(scene, tmp_path):
    execute(BROKEN["no column"][0])
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(CommandError, match="can't be exported: the table mailboxes_message lacks the column"):
        call_command("export_customer", "acme", (tmp_path / "elsewhere").as_uri())


@cases(NOT_OURS, TAKEN_TOO)
def test_what_no_release_has_made_is_named(statements, expected, scene):
    execute(statements)
    made, said = fails(scene)
    assert (made["not_ours"], made["left_out"], made["customers"]) == (expected, [], 3)
    assert "1 thing that no restore would bring. See" in said


@seen(NOT_OURS, TAKEN_TOO)
def test_whatever_no_release_has_made_is_seen(statements, expected, look):
    found = look(statements)
    assert (found.not_ours, found.broken, found.wrong) == (expected, {}, [])


# What the server puts together and does not take apart again: each ends the dump of all.
TOO_LONG = "UPDATE mailboxes_mailboxkey SET sealed_as = (SELECT jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 9000))"
TOO_DEEP = (
    "CREATE TABLE c_globex.deep (a int DEFAULT {})",
    "CREATE TABLE c_initech.deep (a int CHECK (a = {}))",
)


def deep(statement):
    """With as long a sum as it takes, nearly: to write it down again takes more of the server's stack."""
    few, many = 100, 60_000
    while many - few > 100:
        some = (few + many) // 2
        try:
            with transaction.atomic():
                execute_in_place(statement.format("1" + "+1" * some))
                transaction.set_rollback(True)
            few = some
        except OperationalError:
            many = some
    return statement.format("1" + "+1" * int(few * 0.93))


def test_what_no_dump_takes_of_some_customers_keeps_nobody_elses_away(scene, monkeypatch):
    create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    execute(";".join([TOO_LONG, *map(deep, TOO_DEEP)]))
    made, _ = fails(scene)
    assert sorted(one["customer"] for one in made["left_out"]) == ["acme", "initech"]
    said = {one["customer"]: one["why"] for one in made["left_out"]}
    assert said["acme"].startswith("c_acme.mailboxes_mailboxkey has a row that no dump takes: ")
    assert said["initech"] == "nobody can say what its tables take: stack depth limit exceeded"
    # Of one in whose tables nothing is wrong these are there, and strange ones are in none.
    assert (made["customers"], made["messages"], made["not_ours"]) == (2, 1, ["c_globex.deep"])
    (wrong,) = made["wrong"]
    assert wrong.startswith(
        "c_globex: what no release has made there is in no backup: pg_dump ended with 1: "
    )
    with pytest.raises(CommandError, match="^2 things that the backup lacks"):
        scene.restores(monkeypatch, customer="globex", as_slug="beside")
    assert f"WRONG       {wrong}\n" in scene.said.getvalue()


def test_mail_that_lies_where_no_restore_looks_is_in_no_index_either(scene, acme, monkeypatch):
    """Moved into a child of the table, it is read as ever, and in no row of the table that is dumped."""
    execute(
        'CREATE TABLE "M2" () INHERITS (mailboxes_message); WITH moved AS '
        '(DELETE FROM ONLY mailboxes_message RETURNING *) INSERT INTO "M2" SELECT * FROM moved'
    )
    with tenant_context(acme):
        assert Message.objects.count() == len(TEXTS)
    made, _ = fails(scene)
    assert (made["not_ours"], made["messages"]) == (["c_acme.M2"], 1)


@cases(WRONG, TAKEN_AS_WELL)
def test_what_a_restore_would_not_take_is_named(statements, expected, scene):
    execute(statements)
    made, said = fails(scene)
    assert any(one.startswith(expected) for one in made["wrong"])
    assert made["customers"] == 3, "all the same it is there, for who knows how to bring it"
    assert re.search(r"[1-9] things? that no restore would bring\. See", said)


@seen(WRONG, TAKEN_AS_WELL, "networks")
def test_whatever_a_restore_would_not_take_is_seen(statements, expected, look):
    found = look(statements)
    assert any(one.startswith(expected) for one in found.wrong)
    assert found.broken == {}, "all the same it is saved, for who knows how to bring it"


def test_rows_with_which_one_customer_would_be_refused_alone_are_named(look):
    """All of them, for whoever puts right the first would be refused for the next."""
    another = (
        "INSERT INTO mailboxes_mailbox SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(), 'name', {0}, "
        "'canonical_name', {0}, 'address', '{1}', 'status', '{2}'))).* FROM mailboxes_mailbox m LIMIT 1"
    )
    rows = [
        ("no address", "suspended"),
        ("1@x.example", "x"),
        ("2@x.example", "active"),
        ("3@x.example", "active"),
        ("4@x.example", "deleting"),  # whose keys are destroyed, as they are then
    ]
    inserted = [another.format(number, *one) for number, one in enumerate(rows)]
    of_another = (
        "UPDATE mailboxes_message SET mailbox_id = (SELECT id FROM mailboxes_mailbox WHERE name = '1') "
        "WHERE id = (SELECT min(id) FROM mailboxes_message)"
    )
    found = look("; ".join([*inserted, "UPDATE mailboxes_mailboxkey SET sealed_as = '{}'", of_another]))
    assert found.broken == {}
    assert found.wrong == [
        f"c_acme: it has {what}, with which restore --customer would refuse it"
        for what in (
            "keys that no release has written (1)",
            "mailboxes without a current key (2)",
            "mailboxes without a proper address (1)",
            "mailboxes without a proper status (1)",
            "messages whose names are of another mailbox (1)",
        )
    ]


def test_what_all_share_is_put_right_by_putting_back_what_it_lacks(scene):
    """By whichever name: rows count, and what they are held to."""
    execute(WRONG["a reference of all that is gone"][0])
    execute(WRONG["one of all that may be empty"][0])
    made, _ = fails(scene)
    for one in made["wrong"]:
        table, _, lacking = one.removeprefix("public: the table ").partition(
            " is not as migrations make it: it lacks "
        )
        column = lacking.removeprefix("NOT NULL of ")
        execute(
            f"ALTER TABLE public.{table} "
            + (f"ALTER {column} SET NOT NULL" if column != lacking else f"ADD {lacking}")
        )
    assert scene.backs_up()["wrong"] == []


@pytest.mark.parametrize("column", ["blob", "octets"])
def test_a_message_without_a_name_or_a_size_is_one_that_is_missing(column, scene, acme, fill):
    with tenant_context(acme):
        before = set(Message.objects.values_list("blob", flat=True))
        fill(b"latest")
        (latest,) = set(Message.objects.values_list("blob", flat=True)) - before
    execute(
        f"ALTER TABLE mailboxes_message ALTER {column} DROP NOT NULL; "
        f"UPDATE mailboxes_message SET {column} = NULL WHERE blob = '{latest}'"
    )
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("backup", scene.place, json=True, stdout=out, stderr=out)
    made = json.loads(out.getvalue())
    assert made["missing"] == ["" if column == "blob" else latest]
    assert (made["customers"], made["messages"]) == (3, 3)


def test_who_has_a_spare_schema_in_a_lost_ones_place_is_named(scene):
    """All tables are there, and none of the rows."""
    spares.refill(1)
    execute("DROP SCHEMA c_acme CASCADE")
    (spare,) = SpareSchema.objects.values_list("schema_name", flat=True)
    execute(f"ALTER SCHEMA {spare} RENAME TO c_acme")
    made, _ = fails(scene)
    assert made["wrong"] == ["c_acme: 1 of the mailboxes that the directory has is not there"]
    assert (made["without_schema"], made["removed_sets"]) == ([], [])


ROWS = "; ".join(
    f"DELETE FROM public.tenants_{table} WHERE {column} = (SELECT id FROM public.tenants_customer WHERE slug = 'acme')"
    for table, column in (
        ("directoryentry", "customer_id"),
        ("membership", "customer_id"),
        ("domain", "tenant_id"),
        ("customer", "id"),
    )
)


def test_a_schema_whose_customer_somebody_deleted_is_named(scene):
    execute(ROWS)
    made, said = fails(scene)
    assert (made["without_customer"], made["customers"], made["removed_sets"]) == (["c_acme"], 2, [])
    assert "not all is well: 1 schema without a customer. See" in said
    execute("DROP SCHEMA c_acme CASCADE")  # nobody wants it
    assert scene.backs_up(keep=1)["without_customer"] == []


def test_such_a_customer_comes_back_with_the_mail_that_came_since(scene, acme_mailbox, fill, monkeypatch):
    """As docs/operations.md has it."""
    fill(b"since")
    execute(ROWS)
    execute("SET search_path = pg_catalog; ALTER SCHEMA c_acme RENAME TO aside")
    scene.restores(monkeypatch, customer="acme", set=scene.whole)
    execute("SET search_path = pg_catalog; DROP SCHEMA c_acme CASCADE; ALTER SCHEMA aside RENAME TO c_acme")
    for command in ("suspend_mailbox", "activate_mailbox"):
        call_command(command, "acme", acme_mailbox.address)
    fill(b"again")
    assert collected(acme_mailbox) == [*TEXTS, b"since", b"again"]
    made = scene.backs_up(keep=1)
    assert (made["without_customer"], made["wrong"], made["messages"]) == ([], [], 5)


def test_a_schema_that_was_upgraded_takes_what_a_new_one_takes(scene):
    call_command("migrate_schemas", "mailboxes", "0009", schema_name="c_acme", tenant=True, verbosity=0)
    connection.close()
    assert scene.backs_up()["wrong"] == []
    call_command("migrate_schemas", schema_name="c_acme", tenant=True, verbosity=0)
    connection.close()
    assert scene.backs_up()["wrong"] == []


def test_tables_that_can_not_be_compared_are_told(scene):
    """Where somebody lets no schema be made."""
    as_superuser(
        "CREATE SCHEMA watching",
        "CREATE FUNCTION watching.refuses() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no schemas after hours'; END $$",
        "CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('CREATE SCHEMA') EXECUTE FUNCTION watching.refuses()",
    )
    try:
        made, _ = fails(scene)
    finally:
        as_superuser("DROP EVENT TRIGGER refuses", "DROP SCHEMA watching CASCADE")
    said = "its tables can't be compared with what migrations make: no schemas after hours"
    assert sorted(made["wrong"]) == [
        f"{schema}: {said}" for schema in ("c_acme", "c_globex", "c_initech", "public")
    ]


def test_whoever_may_only_read_takes_a_backup_all_the_same(scene):
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    with tools.connect() as reader, reader.transaction():
        found = examining.customers(reader, ["c_acme"])
        assert examining.what_all_share(reader) == []
    connection.close()
    assert (found.broken, found.not_ours, found.wrong) == ({}, [], [])


# By itself, or by whoever had its password once: they outlive a new one. Each would change what a backup asks, or end it.
OF_THE_ROLE = {
    "search_path": "shadow, pg_catalog, public",
    "row_security": "on",
    "quote_all_identifiers": "on",
    "TimeZone": "'Asia/Kolkata'",
    "DateStyle": "German",
    "client_encoding": "LATIN1",
    "statement_timeout": "'1ms'",
    "transaction_timeout": "'60s'",
}
# In which PostgreSQL's own questions find a whole customer in the place of another.
SHADOW = """
ALTER TABLE c_acme.mailboxes_keylock RENAME TO aside;
CREATE VIEW c_acme.mailboxes_keylock AS SELECT * FROM c_acme.aside;
CREATE SCHEMA shadow;
CREATE VIEW shadow.pg_namespace AS
    SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace WHERE nspname <> 'c_acme' UNION ALL
    SELECT oid, 'c_acme', nspowner, nspacl FROM pg_catalog.pg_namespace WHERE nspname = 'c_globex';
CREATE FUNCTION shadow.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
    $$ SELECT CASE WHEN $2 = 'pg_catalog' THEN $2 ELSE pg_catalog.set_config($1, $2, $3) END $$;
CREATE FUNCTION shadow.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT ''::text $$;
CREATE FUNCTION shadow.pg_get_constraintdef(oid) RETURNS text LANGUAGE sql AS
    $$ SELECT replace(pg_catalog.pg_get_constraintdef($1), 'c_globex.', '') $$
"""


def test_what_a_role_says_of_its_sessions_changes_nothing_in_a_backup(scene, acme_mailbox, application):
    with tools.connect() as where:
        where.execute(SHADOW)
        for name, value in OF_THE_ROLE.items():
            if name != "transaction_timeout" or where.info.server_version >= 170_000:
                where.execute(f"ALTER ROLE {ROLE} SET {name} = {value}")
        where.execute("SET TimeZone = 'Asia/Kolkata'")
        # Its place, as earlier releases claimed it: by a moment in the server's time zone.
        (earlier,) = where.execute(
            "SELECT encode(sha256(convert_to('gatehouse/' || min(applied), 'UTF8')), 'hex') FROM public.django_migrations"
        ).fetchone()
    owner = Path(scene.place.removeprefix("file://")) / "backup.json"
    assert earlier not in owner.read_text()
    owner.write_text(json.dumps({"format": 1, "installation": earlier}))
    with tools.connect() as reader, pooling.lasting_transaction() as guard:
        for one in (reader, guard.cursor):
            found = one.execute("SELECT current_setting('transaction_timeout', true)") or one
            assert found.fetchone()[0] in (None, "0")
    made, _ = fails(scene)
    assert made["left_out"] == [{"customer": "acme", "why": "mailboxes_keylock is a view and no plain table"}]
    assert (made["not_ours"], made["wrong"], made["customers"], made["removed_sets"]) == ([], [], 2, [])


@contextmanager
def behind_a_pooler(lines):
    known = connection.get_connection_params()
    with folders.folder() as folder, pytest.MonkeyPatch.context() as patched:
        behind = f"host={known['host']} port={known['port']} user={known['user']}"
        pooler = Pooler(folder / "pooler", behind, lines)
        connection.close()
        patched.setitem(connection.settings_dict, "HOST", str(pooler.folder))
        patched.setitem(connection.settings_dict, "PORT", PORT)
        try:
            yield
        finally:
            connection.close()
            pooler.stop()


def test_nor_does_it_behind_a_pooler_that_drops_what_sessions_are_begun_with(
    scene, acme_mailbox, application
):
    """But where pg_dump alone would have to be told: that is refused."""
    with tools.connect() as where:
        where.execute(SHADOW)
        for name in ("search_path", "row_security", "TimeZone", "DateStyle"):
            where.execute(f"ALTER ROLE {ROLE} SET {name} = {OF_THE_ROLE[name]}")
    with behind_a_pooler(SESSIONS):
        made, _ = fails(scene)
        with tools.connect() as where, where.transaction():
            (snapshot,) = where.execute("SELECT pg_export_snapshot()").fetchone()
            rows = b"".join(tools.read(tools.dump(["c_globex"], snapshot)))
            where.execute(f"ALTER ROLE {ROLE} SET quote_all_identifiers = on")
    assert made["left_out"] == [{"customer": "acme", "why": "mailboxes_keylock is a view and no plain table"}]
    assert b"+00\t" in rows and b"+05:30" not in rows
    with (  # one that has no sessions of before
        behind_a_pooler(SESSIONS),
        pytest.raises(CommandError, match=r"a pooler that drops .*: quote_all_identifiers\. Give"),
    ):
        call_command("backup", scene.place)


def test_a_server_that_ends_whoever_says_nothing_for_long_ends_no_backup_export_or_restore(
    scene, acme, tmp_path
):
    """As idle_session_timeout does: while messages and dumps are written nobody needs Django's own connection."""
    ended = set()

    def ends(progress):
        if connection.connection and progress.step != "loading the database":
            with tools.connect() as where:
                pid = connection.connection.info.backend_pid
                where.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            ended.add(progress.step)

    made = back_up(scene.place, by=SYSTEM, tell=ends)
    assert made.noted and made.wrong == [] and "dumping the database" in ended
    (tmp_path / "elsewhere").mkdir()
    assert export_customer((tmp_path / "elsewhere").as_uri(), acme, by=SYSTEM, tell=ends).ended_well
    scene.loses_all()
    ended.clear()
    assert restore(scene.place, scene.key, by=SYSTEM, tell=ends).is_whole and ended
    assert collected(scene.theirs) == [b"theirs"]


def test_a_terminal_reads_it(scene):
    execute(
        f"{NOT_OURS['a table'][0]}; {BROKEN['no column'][0].replace('mailboxes_', 'c_globex.mailboxes_', 1)}"
    )
    execute(WRONG["a name"][0])
    execute("CREATE SCHEMA c_nobody; CREATE TABLE c_nobody.mailboxes_message ()")
    out = io.StringIO()
    with pytest.raises(CommandError) as ended:
        call_command("backup", scene.place, stdout=out, stderr=out)
    assert str(ended.value) == (
        "The backup was taken, and not all is well: 1 schema without a customer, 1 customer left out, 2 things that no restore "
        "would bring. See what it said above and docs/operations.md. No earlier backup is removed meanwhile."
    )
    for line in (
        "LEFT OUT    globex: the table mailboxes_message lacks the column octets",
        "NOT OURS    c_acme.M2: no release has made it, and no restore brings it",
        "NO CUSTOMER c_nobody",
        "WRONG       acme: it is without a proper name",
    ):
        assert line in out.getvalue().splitlines()


def test_a_customer_of_an_earlier_release_has_the_tables_of_that_one(scene):
    """Until it is upgraded: then nothing is wrong with it."""
    execute(
        "DROP TABLE mailboxes_signinrefusal; ALTER TABLE mailboxes_mailboxkey DROP COLUMN sealed_as; "
        "DELETE FROM django_migrations WHERE app = 'mailboxes' AND name >= '0005'"
    )
    early = frozenset(key for key in migrated.known() if key[0] != "mailboxes" or key[1] < "0005")
    assert "mailboxes_signinrefusal" not in examining.tables_of(early)
    assert "sealed_as" not in examining.tables_of(early)["mailboxes_mailboxkey"]
    made, _ = fails(scene)
    assert made["left_out"] == [] and "c_acme.mailboxes_mailbox.canonical_name" in made["not_ours"]
