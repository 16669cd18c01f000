"""A backup says what of the database could not be brought back, keeps earlier ones meanwhile, and saves everybody else."""

import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.backup import examining, tables
from mailboxes.models import Message
from tenants import migrated, spares
from tenants.models import LastBackup, SpareSchema
from tenants.services import create_customer
from tests.cast import provider
from tests.mailboxes.backups import TEXTS, collected, fails
from tests.mailboxes.strange import BROKEN, NOT_OURS, TAKEN, TAKEN_AS_WELL, TAKEN_TOO, WRONG
from tests.roles import OTHER, as_superuser


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
        ("mailboxfigures", "customer_id"),
        ("mailboxday", "customer_id"),
        ("customerday", "customer_id"),
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
    assert "mailboxes_signinrefusal" not in tables.tables_of(early)
    assert "sealed_as" not in tables.tables_of(early)["mailboxes_mailboxkey"]
    made, _ = fails(scene)
    assert made["left_out"] == [] and "c_acme.mailboxes_mailbox.canonical_name" in made["not_ours"]
