"""While a backup reads, somebody works on the tables that it reads: what it may have missed is in no backup that looks whole."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from accounts.actors import SYSTEM
from mailboxes.backup import back_up, taking, tools
from mailboxes.backup.errors import BackupFailed
from tenants.models import Customer
from tenants.upgrading import UPGRADE_LOCK, the_only_one
from tests.breaking.kit import until
from tests.mailboxes.backups import makes, somebody_waits_for

TEXTS = [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n"]
# To the customer that is dumped last, when all others have been.
ANEW = {
    "emptied": ("TRUNCATE {}.mailboxes_message CASCADE", "mailboxes_message"),
    "a column": (
        "ALTER TABLE {}.mailboxes_message ADD tag uuid NOT NULL DEFAULT gen_random_uuid()",
        "mailboxes_message",
    ),
    "a table for another": (
        "ALTER TABLE {0}.mailboxes_tallychange RENAME TO was; "
        "CREATE TABLE {0}.mailboxes_tallychange AS SELECT * FROM {0}.was",
        "mailboxes_tallychange",
    ),
    "a column that is back": (
        "ALTER TABLE {0}.mailboxes_keylock RENAME data TO was; ALTER TABLE {0}.mailboxes_keylock RENAME was TO data",
        "mailboxes_keylock",
    ),
    "a table that is back": (
        "ALTER TABLE {0}.mailboxes_keylock RENAME TO was; CREATE TABLE {0}.mailboxes_keylock (LIKE {0}.was); "
        "DROP TABLE {0}.mailboxes_keylock; ALTER TABLE {0}.was RENAME TO mailboxes_keylock",
        "mailboxes_keylock",
    ),
    "a schema that is back": (
        "ALTER SCHEMA {0} RENAME TO was; CREATE SCHEMA {0}; DROP SCHEMA {0}; ALTER SCHEMA was RENAME TO {0}",
        "django_migrations",
    ),
    "as it was": ("VACUUM FULL {}.mailboxes_message", "mailboxes_message"),
    "of what all share": ("VACUUM FULL public.tenants_customer", "tenants_customer"),
}
HARMLESS = (
    "DELETE FROM {}.mailboxes_message",
    "VACUUM (ANALYZE, FREEZE) {}.mailboxes_message",  # as autovacuum does
    "CREATE INDEX ON {}.mailboxes_message (octets)",
    "TRUNCATE public.django_session, {}.mailboxes_maildroplock",
    "TRUNCATE public.of_the_owner",
    "ALTER SCHEMA spare_one RENAME TO c_earlier",  # for a customer more
    "CREATE SCHEMA c_later; CREATE TABLE c_later.mailboxes_message ()",
)


@pytest.fixture
def scene(operator, acme, globex, monkeypatch):
    # As if each customer took more locks than any server of ours has: then one dump holds one customer, and there is a moment
    # at which all but the last one have been dumped.
    monkeypatch.setattr(tools, "LOCKS_PER_SCHEMA", 1_000_000)
    for owner in (acme, globex):
        makes(owner, "Box", *TEXTS)
    with tools.connect() as where:
        where.execute("CREATE TABLE public.of_the_owner ()")
    operator.whole = operator.backs_up()["name"]
    return operator


def backs_up_while(scene, act):
    """Once all customers but one have been dumped."""
    acted = []

    def meanwhile(progress):
        # The step is what `backup` says at that time: messages are copied by customer, too, before it and after it.
        all_but_one = progress.customers_done == progress.customers - 1
        if progress.step == "dumping the database" and all_but_one and not acted:
            acted.append(progress.step)
            act()

    made = back_up(scene.place, by=SYSTEM, keep=1, tell=meanwhile)
    assert acted, "that moment has come"
    return made


def somebody(*statements):
    """Past Gatehouse."""
    last = Customer.objects.order_by("pk").last()

    def act():
        with tools.connect() as where:
            for some in statements:
                where.execute(some.format(last.schema_name).encode())

    return act


@pytest.mark.parametrize(("statements", "name"), ANEW.values(), ids=list(ANEW))
def test_one_beside_which_a_table_is_written_anew_is_none(statements, name, scene):
    with pytest.raises(
        BackupFailed, match=rf"^The table \w+\.{name} was emptied, rewritten, .*\. Repeat it\.$"
    ):
        backs_up_while(scene, somebody(statements))
    assert scene.checks() == f"{scene.whole}: ok\n"
    if statements.startswith("VACUUM"):
        assert scene.backs_up()["messages"] == 4, "a repeat cures it"


def test_what_a_snapshot_does_not_miss_ends_no_backup(scene):
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA spare_one")
    made = backs_up_while(scene, somebody(*HARMLESS))
    assert (made.ended_well, made.customers, made.messages) == (True, 3, 4)
    assert made.removed_sets == [scene.whole]


def test_an_upgrade_that_comes_while_a_backup_reads_waits_or_is_refused(scene, caplog):
    with ThreadPoolExecutor(1) as hands:
        waiting = []

        def comes():
            with pytest.raises(
                CommandError, match=r"Another upgrade of this database, or a backup, is at work\."
            ):
                call_command("upgrade", no_wait=True)
            waiting.append(hands.submit(upgrades))
            until(
                lambda: "Another upgrade, or a backup, is at work. Waiting for its end." in caplog.text,
                "it waits",
            )
            assert not waiting[0].done()

        with caplog.at_level("INFO", "tenants.upgrading"):
            assert backs_up_while(scene, comes).ended_well
            assert waiting[0].result(60) == "Nothing to do.\n"


def upgrades():
    out = io.StringIO()
    try:
        call_command("upgrade", processes=1, stdout=out)
    finally:
        connections.close_all()
    return out.getvalue()


def test_a_backup_that_comes_beside_an_upgrade_waits_for_its_end_and_not_for_long(scene, monkeypatch):
    with ThreadPoolExecutor(1) as hands:
        with the_only_one(lambda: None, wait=False):
            monkeypatch.setattr(taking, "HOLD_WAIT", "100ms")
            with pytest.raises(CommandError, match=r"An upgrade of this database is at work\. Repeat this"):
                scene.backs_up()
            monkeypatch.setattr(taking, "HOLD_WAIT", "60s")
            waits = hands.submit(scene.backs_up)
            until(lambda: somebody_waits_for(UPGRADE_LOCK), "it waits")
        assert waits.result(60)["customers"] == 3
