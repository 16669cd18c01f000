"""What a role, a pooler and a server say of sessions changes nothing that a backup asks, sees or writes."""

import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.actors import SYSTEM
from mailboxes.backup import back_up, examining, export_customer, restore, tools
from tenants import pooling
from tests import folders
from tests.mailboxes.backups import collected, fails
from tests.poolers import PORT, SESSIONS, Pooler
from tests.roles import ROLE


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
