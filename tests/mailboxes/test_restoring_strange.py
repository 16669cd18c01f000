"""What is strange in a backup stays out of a restore and is named, and all that is not comes."""

import io
import json
import re
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.models import User
from mailboxes.backup import rebuilding, restoring, rows, tools
from tenants import last_backup, migrated
from tenants.models import AuditEvent, Customer, Membership, RetiredAddress
from tenants.services import create_customer
from tests.cast import customer, provider
from tests.mailboxes.backups import LINE, TEXTS, Cut, asked, forges, makes

EVIL = """
CREATE FUNCTION c_acme.evil(text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN CREATE TABLE IF NOT EXISTS public.evil (); RETURN $1; END $$;;
CREATE FUNCTION c_acme.at_each() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM c_acme.evil(''); RETURN NEW; END $$;;
CREATE FUNCTION c_acme.door() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT c_acme.evil('') $$;;
CREATE TRIGGER planted BEFORE INSERT ON c_acme.mailboxes_message FOR EACH ROW EXECUTE FUNCTION c_acme.at_each();;
CREATE RULE planted AS ON INSERT TO c_acme.mailboxes_tally DO ALSO SELECT c_acme.evil('');;
CREATE VIEW c_acme.view AS SELECT c_acme.evil('') AS text;;
CREATE MATERIALIZED VIEW c_acme.kept AS SELECT c_acme.evil('') AS text;;
CREATE TABLE c_acme.notes AS SELECT 1 AS one;;
CREATE TYPE c_acme.kind AS ENUM ('evil');;
CREATE TABLE c_acme."Notes" ("One Two" text);;
INSERT INTO c_acme."Notes" VALUES ('COPY c_globex.mailboxes_signinrefusal (id) FROM stdin;'), ('1');;
CREATE TABLE c_acme."line
COPY c_globex.mailboxes_signinrefusal (id) FROM stdin;
1" ();;
CREATE SEQUENCE c_acme."another
COPY public.auth_group (id, name) FROM stdin;
1	evil
";;
"""
OBJECTS = """
SELECT 'relation', relname::text FROM pg_class WHERE relnamespace = 'c_acme'::regnamespace
UNION ALL SELECT 'function', proname::text FROM pg_proc WHERE pronamespace = 'c_acme'::regnamespace
UNION ALL SELECT 'type', typname::text FROM pg_type WHERE typnamespace = 'c_acme'::regnamespace
UNION ALL SELECT 'constraint', conname::text FROM pg_constraint WHERE connamespace = 'c_acme'::regnamespace
UNION ALL SELECT 'trigger', tgname::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'rule', rulename::text FROM pg_rewrite WHERE rulename <> '_RETURN'
UNION ALL SELECT 'default', pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_class c ON c.oid = adrelid
    WHERE relnamespace = 'c_acme'::regnamespace
"""


STRANGE = {
    "fraction": "ALTER TABLE mailboxes_message ALTER octets TYPE numeric; UPDATE mailboxes_message SET octets = 2.5",
    "no-list": "DELETE FROM django_migrations",
    "half-a-list": "DELETE FROM django_migrations WHERE name = '0001_initial'",
    "later-list": "INSERT INTO django_migrations (app, name, applied) VALUES ('mailboxes', '9001_x', now())",
    "orphan": """DO $$ DECLARE one record; BEGIN
        FOR one IN SELECT conname, conrelid::regclass AS place FROM pg_constraint
            WHERE contype = 'f' AND connamespace = current_schema()::regnamespace LOOP
            EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.place, one.conname); END LOOP; END $$;
        DELETE FROM mailboxes_mailbox""",
    "negative": "UPDATE mailboxes_message SET id = -id",
    "last": f"UPDATE mailboxes_message SET id = {2**63 - 2}",
    "deep": "ALTER TABLE mailboxes_mailboxkey ALTER sealed_as TYPE text; "
    "UPDATE mailboxes_mailboxkey SET sealed_as = repeat('[', 90000)",
    "many": "INSERT INTO django_migrations (app, name, applied) SELECT 'mailboxes', 'x', now() FROM generate_series(1, 10001)",
    "middle": "DELETE FROM django_migrations WHERE app = 'mailboxes' AND name !~ '^0009'",
    "long": "ALTER TABLE mailboxes_mailbox ALTER description TYPE text; "
    "UPDATE mailboxes_mailbox SET description = repeat('x', 200000)",
}


def test_nothing_that_somebody_planted_in_a_customers_schema_is_run_or_comes_back(
    operator, acme, acme_mailbox, fill, collect, monkeypatch
):
    """By the application's role, while it was in other hands."""
    before = sorted(asked(OBJECTS))
    with connection.cursor() as cursor:
        for statement in EVIL.split(";;\n")[:-1]:
            cursor.execute(statement)
    fill(*TEXTS)
    assert asked("SELECT to_regclass('public.evil')::text") == [("evil",)], "it does run"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE public.evil")
    operator.backs_up_whatever_it_says()
    operator.loses_all()
    with pytest.raises(CommandError, match=r"^3 things that no release has made: see the lines above\."):
        operator.restores(monkeypatch)
    assert last_backup.known() is None, "somebody may have moved rows there"
    said = operator.said.getvalue()
    assert set(re.findall(r"^NOT OURS    c_acme\.(\w+)", said, re.M)) == {
        *("notes", "Notes", "line"),
        *("view", "kept"),  # of which no dump has a row, as the backup said
    }
    assert "NOT BROUGHT" not in said
    assert sorted(asked(OBJECTS)) == before
    assert asked("SELECT to_regclass('public.evil')::text") == [(None,)]
    assert collect(acme_mailbox.password) == TEXTS


def test_a_customer_whose_rows_fit_no_release_stays_out_and_all_others_come(
    operator, acme, globex, acme_mailbox, make_mailbox, fill, collect, monkeypatch
):
    monkeypatch.setattr(rows, "LINE_OCTETS", 100_000)
    other = make_mailbox("Other", customer=globex)
    fill(b"theirs", to=other)
    fill(*TEXTS)
    for slug in STRANGE:
        makes(create_customer(slug, slug, provider=provider("northwind"), by=SYSTEM), "Journal", b"some")
    sound = operator.backs_up()["name"]
    for slug, statements in STRANGE.items():
        with tenant_context(customer(slug)), connection.cursor() as cursor:
            cursor.execute(statements)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tenants_customer SET name = '' WHERE slug = 'last'")
        # Nobody can delete it, and it leaves no room for more: of before the database gave each line its number.
        cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER tenants_audit_next_number")
        columns = [field.column for field in AuditEvent._meta.fields if field.column != "id"]
        cursor.execute(
            f"INSERT INTO tenants_auditevent (id, {', '.join(columns)}) SELECT {2**63 - 2}, {', '.join(columns)} "
            "FROM tenants_auditevent LIMIT 1"
        )
        cursor.execute("ALTER TABLE tenants_auditevent ENABLE TRIGGER tenants_audit_next_number")
        # And one that is longer than anybody takes.
        cursor.execute(
            f"INSERT INTO tenants_auditevent ({', '.join(columns)}) SELECT "
            + ", ".join(
                "jsonb_build_object('x', repeat('x', 200000))" if one == "data" else one for one in columns
            )
            + " FROM tenants_auditevent LIMIT 1"
        )
    strange = operator.backs_up_whatever_it_says()
    operator.loses_all()
    with pytest.raises(CommandError, match=f"{len(STRANGE)} customers not brought, and all others are there"):
        operator.restores(monkeypatch, set=strange)
    assert collect(acme_mailbox.password) == TEXTS
    assert AuditEvent.objects.filter(pk=2**63 - 2).exists()
    with pytest.raises(CommandError, match=f"{len(STRANGE)} customers without a schema"):
        operator.backs_up()
    operator.restores(monkeypatch, customer="fraction", set=sound, active=True)
    assert Customer.objects.filter(slug__in=STRANGE).count() == len(STRANGE)


def test_rows_of_all_that_do_not_fit_stay_out_and_are_told_and_all_others_come(
    operator, acme, globex, acme_mailbox, make_mailbox, cast, fill, collect, monkeypatch
):
    monkeypatch.setattr(rows, "LINE_OCTETS", 100_000)
    fill(*TEXTS)
    make_mailbox("Theirs", customer=globex)
    lines, membership = AuditEvent.objects.count(), Membership.objects.get(user=cast.admin).pk
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user ALTER name DROP NOT NULL")
        cursor.execute("UPDATE accounts_user SET name = NULL WHERE id = %s", [cast.admin.pk])
        # What nobody needs may be without any row that fits, and many of these may come first.
        cursor.execute(
            "INSERT INTO django_admin_log (action_time, object_repr, action_flag, change_message, user_id) "
            "SELECT now(), '', 1, repeat('x', 200000), %s FROM generate_series(1, 2)",
            [cast.owner.pk],
        )
        cursor.execute("ALTER TABLE tenants_retiredaddress ALTER address DROP NOT NULL")
        cursor.execute(
            "INSERT INTO tenants_retiredaddress (address) SELECT NULL FROM generate_series(1, 1000)"
        )
        cursor.execute("INSERT INTO tenants_retiredaddress (address) VALUES ('gone@acme.example')")
        cursor.execute("ALTER TABLE tenants_auditevent ALTER origin DROP NOT NULL")
        cursor.execute(
            "INSERT INTO tenants_auditevent (at, action, data, actor_email, target_type, target_id, target_name, actor_side) "
            "SELECT now(), 'x', '{}', '', '', '', '', '' FROM generate_series(1, 3)"
        )
        # What refers to one may be of any kind.
        cursor.execute("ALTER TABLE socialaccount_socialapp ALTER key DROP NOT NULL")
        cursor.execute(
            "INSERT INTO socialaccount_socialapp (provider, name, client_id, secret, provider_id, settings) "
            "VALUES ('openid_connect', 'Keyless', '', '', '', '{}') RETURNING id"
        )
        cursor.execute(
            "INSERT INTO tenants_identityprovider (provider_id, app_id, kind, email_domains, active) SELECT "
            "(SELECT min(id) FROM tenants_provider), %s, 'oidc', (repeat('[', 3000) || repeat(']', 3000))::jsonb, true RETURNING id",
            cursor.fetchone(),
        )
        (domains,) = cursor.fetchone()
        cursor.execute("DELETE FROM c_globex.mailboxes_keylock")
    name = operator.backs_up_whatever_it_says()
    operator.loses_all()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{operator.key}\n"))
    said = io.StringIO()
    with pytest.raises(CommandError, match="1009 rows left out: see the lines above"):
        call_command("restore", operator.place, set=name, stdout=said, stderr=said)
    told = re.findall(r"^ROWS OUT.*$", said.getvalue(), re.MULTILINE)
    assert [line.split(" (")[0] for line in told if "_log" in line or "retired" in line] == [
        "ROWS OUT    2 of django_admin_log",
        "ROWS OUT    1000 of tenants_retiredaddress",
    ]
    assert RetiredAddress.objects.filter(address="gone@acme.example").exists()
    assert [line for line in told if "_log" not in line and "retired" not in line] == [
        f"ROWS OUT    {out}): they fit no table of a release, or belong to a row that doesn't"
        for out in (
            "1 of accounts_user ('admin@acme.example'",
            "1 of socialaccount_socialapp ('Keyless'",
            f"3 of tenants_auditevent ('{lines + 1}', '{lines + 2}', '{lines + 3}'",
            f"1 of tenants_identityprovider ('{domains}'",
            f"1 of tenants_membership ('{membership}'",  # it would be nobody's
        )
    ]
    assert "NO LOCK     globex: 1 key of mailboxes that no password opens\n" in said.getvalue()
    assert last_backup.known() is None, "that one did not come back whole"
    assert AuditEvent.objects.exclude(action="customer.restored").count() == lines
    assert not User.objects.filter(pk=cast.admin.pk).exists()
    assert User.objects.filter(pk=cast.owner.pk).exists()
    assert collect(acme_mailbox.password) == TEXTS
    with pytest.raises(CommandError, match="^1 key of mailboxes that no password opens"):
        operator.restores(monkeypatch, customer="globex", as_slug="beside", set=name)
    assert "NO LOCK     beside: 1 key of mailboxes that no password opens\n" in operator.said.getvalue()


def cut_at_the_last(progress):
    if progress.step == "loading the database" and progress.customers_done == progress.customers:
        raise Cut


def test_what_somebody_added_to_our_tables_stays_out_and_their_rows_come(
    operator, acme, acme_mailbox, cast, fill, collect, monkeypatch
):
    fill(*TEXTS)
    added = (
        "public.tenants_customer",
        "public.accounts_user",
        "public.tenants_auditevent",
        "c_acme.mailboxes_mailbox",
    )
    with connection.cursor() as cursor:
        for table in added:
            cursor.execute(f"""ALTER TABLE {table} ADD "our notes" text NOT NULL DEFAULT E'a\tb'""")
    name = operator.backs_up_whatever_it_says()
    operator.loses_all()
    with pytest.raises(Cut):  # when all customers are there, and nobody has heard of anything
        restoring.restore(operator.place, operator.key, by=SYSTEM, name=name, tell=cut_at_the_last)
    with pytest.raises(
        CommandError, match="^1 thing that no release has made"
    ):  # of public it is the owner's
        operator.restores(monkeypatch, set=name)
    assert last_backup.known() is None, "as if it had not been broken off"
    for table in added:
        assert f"{table}.our notes" in operator.said.getvalue()
    assert User.objects.filter(pk=cast.admin.pk).exists() and Customer.objects.count() == 3
    assert collect(acme_mailbox.password) == TEXTS


def test_where_no_row_of_a_table_fits_nothing_is_opened(operator, acme_mailbox, monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_directoryentry ALTER status DROP NOT NULL")
        cursor.execute("UPDATE tenants_directoryentry SET status = NULL")
        assert cursor.rowcount == 1
    name = operator.backs_up_whatever_it_says()
    operator.loses_all()
    with pytest.raises(CommandError, match=r"No row of public\.tenants_directoryentry fits \(null value"):
        operator.restores(monkeypatch, set=name)
    assert migrated.restored_from() == (name, True), "nobody takes it for an installation"


def test_lines_of_the_trail_that_it_would_not_take_today_come_back_all_the_same(
    operator, acme, acme_mailbox, cast, client_for, monkeypatch
):
    """It only grows: those of before its check, which whoever had the application's password has written."""
    forges(acme, "infinity", "a")
    forges(acme, "4000-01-01 BC", "b")
    forges(acme, "now", "c", '{"a": 1e9999}')
    forges(acme, "now", "d", "[]")
    forges(acme, "now", "e", json.dumps({"a": "x" * 9 * 1024 * 1024}))
    forges(acme, "now", "f", '{"a":' * 300 + "1" + "}" * 300)
    lines = set(AuditEvent.objects.values_list("pk", "target_id"))
    operator.backs_up()  # well
    operator.loses_all()
    assert "LEFT OUT" not in operator.restores(monkeypatch)
    restored = AuditEvent.objects.exclude(action="customer.restored")
    assert set(restored.values_list("pk", "target_id")) == lines
    with pytest.raises(DatabaseError, match="audit_event_can_be_read"), connection.cursor() as cursor:
        cursor.execute(LINE, ["now", acme.pk, "new", "[]"])
    assert client_for(cast.admin).get("/activity/").status_code == 200


def test_messages_that_no_row_names_are_told(operator, acme, acme_mailbox, fill, monkeypatch):
    fill(*TEXTS)
    name = operator.backs_up()["name"]
    operator.loses_all()
    bring = rebuilding.bring_database
    # An index that names more than the dump: somebody has put another one there.
    monkeypatch.setattr(
        rebuilding,
        "bring_database",
        lambda backup, messages, *rest: bring(backup, {one: 1 + messages[one] for one in messages}, *rest),
    )
    with pytest.raises(CommandError, match="1 message of the backup without a row"):
        operator.restores(monkeypatch, set=name)


def test_a_customer_that_the_dump_lacks_is_named(operator, acme, globex, acme_mailbox, fill, monkeypatch):
    with monkeypatch.context() as patched:
        dump = tools.dump
        patched.setattr(
            tools, "dump", lambda names, *rest: dump([name for name in names if name != "c_globex"], *rest)
        )
        operator.backs_up()
    operator.loses_all()
    with pytest.raises(CommandError, match="1 customer not brought"):
        operator.restores(monkeypatch)
