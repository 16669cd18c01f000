"""An installation is backed up while it works, is destroyed, and comes back with all that was accepted before."""

import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django_tenants.utils import schema_exists, tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.backup import alone, judging, restoring, taking
from mailboxes.backup.errors import BackupDamaged
from mailboxes.backup.keys import new_recovery_key
from mailboxes.backup.place import Place
from mailboxes.models import Job, Message
from mailboxes.services import collection, delivery, janitor
from mailboxes.store import store
from portal.setup import file
from tenants import branding, last_backup, migrated, spares
from tenants.models import Customer, Provider
from tenants.services import create_customer, create_provider, give_up_customer
from tenants.upgrading import schemas
from tests.breaking.kit import mails, short_or_long
from tests.cast import LOST, customer, provider
from tests.conftest import PEER
from tests.mailboxes.backups import Cut, asked, box_of, forges
from tests.tenants.drawing import picture

ROOT = Path(__file__).resolve().parents[2]
LAST = ("tenants", "0023_as_whom_we_have_signed_in")
TEXTS = [b"Subject: one\r\n\r\n", b"", os.urandom(300_000)]


@pytest.mark.parametrize("places", ["operator", "operator_with_buckets"])
def test_a_destroyed_installation_comes_back_whole_and_goes_on(
    places,
    request,
    committed_db,
    acme,
    globex,
    acme_mailbox,
    make_mailbox,
    fill,
    collect,
    client_for,
    cast,
    monkeypatch,
):
    operator = request.getfixturevalue(places)
    monkeypatch.setattr(taking, "SCHEMAS_PER_DUMP", 1)  # several dumps of one snapshot
    other = make_mailbox("Other", customer=globex)
    fill(*TEXTS)
    fill(b"theirs", to=other)
    client_for(cast.owner)
    Group.objects.create(name="of the past").delete()
    branding.set_branding(provider("northwind"), name="Northwind Mail", by=cast.owner)
    branding.set_logo(provider("northwind"), picture(), by=cast.owner)
    logo = branding.logo_of(branding.brand_of(provider("northwind")))
    assert Session.objects.exists()
    at_work = collection.open_maildrop(other.address, other.password, peer=PEER)
    made = operator.backs_up()
    assert (made["messages"], made["copied"], made["missing"], made["without"]) == (4, 4, [], [])
    assert operator.checks() == f"{made['name']}: ok\n"
    assert (made["noted"], last_backup.known().name) == (True, made["name"])
    before = all_that_is_known()
    fill(b"after it")
    at_work.release()
    operator.loses_all()

    said = operator.restores(monkeypatch)
    assert f"{made['name']}, taken " in said
    assert "acme: ok: 3 messages, 3 files, 0 missing" in said
    lines = trail_of_the_restore()
    names = sorted(Customer.objects.values_list("name", flat=True))
    assert lines == [(name, made["name"]) for name in names], "each customer's people read it"
    for now, then in zip(all_that_is_known(len(lines)), before, strict=True):
        assert now == then, "to the last row, and no number is given out again"
    assert collect(acme_mailbox.password) == TEXTS
    assert collect(other.password, of=other) == [b"theirs"]
    assert all(state.is_noted for state in schemas.customers().values())
    assert migrated.restored_from() == ("", False)
    assert last_backup.known().name == made["name"], "or the doctor would warn that there is none"
    assert logo and branding.logo_of(branding.brand_of(provider("northwind"))) == logo
    with pytest.raises(CommandError, match="something in this database"):
        operator.restores(monkeypatch)
    assert not Session.objects.exists(), "a session that was ended since would live again"
    assert "was restored from a backup" in client_for(cast.admin, acme).get("/activity/").content.decode()
    fill(b"new")
    assert collect(acme_mailbox.password) == [*TEXTS, b"new"]
    made = create_customer("newcomer", "Newcomer", provider=provider("northwind"), by=SYSTEM)
    services.create_mailbox(made, name="First", by=SYSTEM)
    assert operator.backs_up()["copied"] == 1, "it goes on in the same place"


def test_what_is_removed_after_the_snapshot_is_in_the_backup_all_the_same(
    operator, acme, acme_mailbox, make_mailbox, fill, collect, work, monkeypatch
):
    """Mail that is collected, re-encrypted or deleted while the rest is being copied."""
    resealed, deleted = make_mailbox("Resealed"), make_mailbox("Deleted")
    monkeypatch.setattr(taking._Taking, "_early", lambda self: taking.Lines([]))
    for box in (acme_mailbox, resealed, deleted):
        fill(*TEXTS, to=box)
    passwords, jobs = [], []

    def meanwhile(progress):
        if progress.step != "dumping the database" or jobs:
            return
        maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
        maildrop.commit(range(len(TEXTS)))
        password, job = services.reset_password(
            acme, resealed.mailbox, by=SYSTEM, current_password=resealed.password
        )
        passwords.append(password)
        assert work(job).state == Job.State.DONE
        services.suspend_mailbox(acme, deleted.mailbox, by=SYSTEM)
        jobs.append(services.start_deletion(acme, deleted.mailbox, by=SYSTEM))
        assert work(jobs[0]).state in Job.WORKABLE, "it waits for the end of the backup"
        for found in store().folders(acme.pk.hex):
            janitor.tidy_mailbox(acme, found)
        assert collect(acme_mailbox.password) == []

    monkeypatch.setattr(janitor, "SAFE_AGE", janitor.timedelta(seconds=-5))  # all is old enough for it
    made = taking.back_up(operator.place, by=SYSTEM, tell=meanwhile)
    assert (made.messages, made.missing) == (9, [])
    assert work(jobs[0]).state == Job.State.DONE
    assert collect(passwords[0], of=resealed) == TEXTS
    janitor.tidy(acme)
    left = {
        name
        for mailbox in store().folders(acme.pk.hex)
        for _, found in store().shards(f"{acme.pk.hex}/{mailbox}")
        for name in found
    }
    with tenant_context(acme):
        assert left == set(Message.objects.values_list("blob", flat=True)), "the janitor was told what stayed"

    operator.loses_all()
    operator.restores(monkeypatch)
    for box in (acme_mailbox, resealed, deleted):
        assert collect(box.password, of=box) == TEXTS


def test_mail_that_comes_in_during_the_dump_is_whole_in_it_or_not_at_all(
    operator, acme, acme_mailbox, fill, collect, monkeypatch
):
    fill(*TEXTS)
    late = mails(3)

    def meanwhile(progress):
        if late:
            fill(late.pop())

    taking.back_up(operator.place, by=SYSTEM, tell=meanwhile)
    operator.loses_all()
    assert "acme: ok" in operator.restores(monkeypatch)
    assert collect(acme_mailbox.password)[: len(TEXTS)] == TEXTS


@pytest.mark.parametrize("left", ["", "; CREATE SCHEMA c_acme"], ids=["nothing", "an empty one"])
def test_a_customer_whose_schema_is_gone_is_named_the_others_are_saved_and_it_comes_back_beside(
    operator, acme_mailbox, fill, monkeypatch, tmp_path_factory, left
):
    fill(*TEXTS)
    whole = operator.backs_up()["name"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA c_acme CASCADE{left}")
    with pytest.raises(CommandError, match=r"1 customer without a schema\. See"):
        operator.backs_up(keep=1)
    saved = Place(operator.place).sets()
    assert len(saved) == 2 and saved[0] == whole, "it may have the last of that customer"
    operator.checks(set=saved[1])
    with pytest.raises(CommandError, match="has no schema"):
        call_command("export_customer", "acme", tmp_path_factory.mktemp("exports").as_uri())
    said = operator.restores(monkeypatch, customer="acme", as_slug="acme-again", set=whole)
    assert "3 messages" in said
    give_up_customer(customer("acme"), by=SYSTEM)
    made = operator.backs_up(keep=1)
    assert (made["without_schema"], made["removed_sets"]) == ([], saved), "whole again without it"


@pytest.mark.parametrize(
    "how",
    short_or_long(
        [
            pytest.param(LOST[name], id=name)
            for name in ("a table called as the keys", "no keys", "no list of migrations")
        ],
        [pytest.param(how, id=name) for name, how in LOST.items()],
    ),
)
def test_one_without_its_keys_or_its_list_is_named_and_no_earlier_backup_is_removed(
    operator, acme_mailbox, fill, collect, monkeypatch, how
):
    fill(*TEXTS)
    whole = operator.backs_up()["name"]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(how)
    with suppress(CommandError):  # it has all, or is lost
        call_command("upgrade", processes=1, stdout=io.StringIO())
    with pytest.raises(CommandError, match=r"1 customer without a schema\. See"):
        operator.backs_up(keep=1)
    assert Place(operator.place).sets()[0] == whole
    with connection.cursor() as cursor:
        if schema_exists("c_acme"):
            cursor.execute("ALTER SCHEMA c_acme RENAME TO kept")
    operator.restores(monkeypatch, customer="acme", set=whole, active=True)
    assert collect(acme_mailbox.password) == TEXTS


def test_nothing_is_made_of_what_was_altered_and_what_is_lost_is_named(
    operator, acme, acme_mailbox, fill, collect, monkeypatch
):
    fill(*TEXTS)
    operator.backs_up()
    operator.loses_all()
    sealed = [path for path in operator.files() if path.name.endswith(".sealed")]
    assert len(sealed) == 3  # public, customers, contents
    for path in sealed:
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(CommandError, match="is not what was"):
            operator.restores(monkeypatch)
        path.write_bytes(whole)
    lost = next(path for path in operator.files() if "/blobs/" in str(path))
    lost.unlink()
    with pytest.raises(CommandError, match="1 message can't be read"):
        operator.restores(monkeypatch)
    janitor.tidy(acme)
    assert len(collect(acme_mailbox.password)) == 2, "all else is there"


def test_an_earlier_backup_says_which_mailboxes_a_later_one_knows_to_be_deleted(
    operator, acme, acme_mailbox, make_mailbox, monkeypatch
):
    def delete(box):
        services.suspend_mailbox(acme, box.mailbox, by=SYSTEM)
        services.start_deletion(acme, box.mailbox, by=SYSTEM)

    gone = make_mailbox("Gone")
    earlier = operator.backs_up()["name"]
    delete(gone)
    delete(make_mailbox("Short-lived"))
    for target in ("nobody", gone.mailbox.pk):
        forges(acme, "infinity", target)
    operator.backs_up()
    operator.loses_all()
    said = operator.restores(monkeypatch, set=earlier)
    line, forged = [line for line in said.splitlines() if line.startswith(("DELETED", "UNKNOWN"))]
    assert line.startswith("DELETED     'Gone' of acme since, on 20")
    assert forged.startswith("DELETED     'forged' of acme since, on 9999")
    # Whatever is wrong with the newest, the earlier one comes back.
    (newest,) = [
        path for path in operator.files() if path.name == "public.dump.sealed" and earlier not in str(path)
    ]
    newest.unlink()
    operator.loses_all()
    said = operator.restores(monkeypatch, set=earlier)
    (line,) = [line for line in said.splitlines() if line.startswith(("DELETED", "UNKNOWN"))]
    assert line.startswith("UNKNOWN     what was deleted since: ")
    assert "acme: ok" in said


def test_a_restore_refuses_before_it_changes_anything(
    operator, acme_mailbox, fill, collect, settings, tmp_path, monkeypatch
):
    fill(*TEXTS)
    operator.backs_up()
    with pytest.raises(CommandError, match="something in this database"):
        operator.restores(monkeypatch)
    for key, why in (
        ("", "No recovery key"),
        ("AAAA", "no recovery key"),
        (new_recovery_key()[1], "sealed to"),
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key}\n"))
        with pytest.raises(CommandError, match=why):
            call_command("restore", operator.place)
    settings.SECRET_KEY, before = "x" * 50, settings.SECRET_KEY
    with pytest.raises(CommandError, match=r"^SECRET_KEY of this installation is not"):
        operator.restores(monkeypatch)
    file = tmp_path / "secrets"
    operator.restores(monkeypatch, secrets_to=str(file))
    assert f"SECRET_KEY={before}\n" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(CommandError, match="can't be made"):
        operator.restores(monkeypatch, secrets_to=str(file))
    settings.SECRET_KEY = before
    assert collect(acme_mailbox.password) == TEXTS
    operator.loses_all()
    (settings.STORE_ROOT / "0" / "1").mkdir(parents=True)
    with pytest.raises(CommandError, match="something in .*store"):
        operator.restores(monkeypatch)
    shutil.rmtree(settings.STORE_ROOT / "0")
    assert not any(settings.STORE_ROOT.iterdir())


# What a backup leaves out, or is written after its moment.
NOT_BROUGHT = {
    "django_session",
    "tenants_spareschema",
    "mailboxes_maildroplock",
    "mailboxes_logline",
    "tenants_lastbackup",
}


def trail_of_the_restore():
    return asked(
        "SELECT target_name, data ->> 'set' FROM tenants_auditevent WHERE action = 'customer.restored' ORDER BY 1"
    )


def all_that_is_known(lines_since=0):
    """Each table's rows in the order of the alphabet, as a digest, and each sequence's next number; without the last lines of
    the trail.
    """
    tables = asked(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'c_acme', 'c_globex')"
    )
    rows = "SELECT count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM {}.{} t"
    found = {table: asked(rows.format(*table)) for table in tables if table[1] not in NOT_BROUGHT}
    trail = "public", "tenants_auditevent"
    found[trail] = asked(f"{rows.format(*trail)} WHERE action <> 'customer.restored'")
    for schema in ("c_acme", "c_globex"):  # made anew, at another time
        applied = f"SELECT app, name FROM {schema}.django_migrations ORDER BY id"
        found[schema, "django_migrations"] = asked(applied)
    # Those of customers begin behind what is there.
    sequences = f"""
    SELECT sequencename, last_value - CASE sequencename WHEN 'tenants_auditevent_id_seq' THEN {lines_since} ELSE 0 END
    FROM pg_sequences WHERE schemaname = 'public'
    """
    return found, sorted(row for row in asked(sequences) if row[0].removesuffix("_id_seq") not in NOT_BROUGHT)


def test_where_public_has_a_migration_that_commits_by_itself_a_restore_goes_on_within_it(
    operator, acme_mailbox, fill, collect, monkeypatch
):
    """Such as one that makes an index concurrently (CONTRIBUTING.md)."""
    fill(*TEXTS)
    operator.backs_up()
    operator.loses_all()
    execute, killed = MigrationExecutor.apply_migration, []

    def apply(self, state, migration, *rest, **more):
        if (migration.app_label, migration.name) != LAST:
            return execute(self, state, migration, *rest, **more)
        if not killed:
            killed.append(migration)
            raise OperationalError("the server closed the connection")
        made = execute(self, state, migration, *rest, **more)
        with connection.cursor() as cursor:
            cursor.execute("CREATE INDEX CONCURRENTLY by_reason ON tenants_auditevent (action)")
        return made

    monkeypatch.setattr(MigrationExecutor, "apply_migration", apply)
    with pytest.raises(CommandError, match="did not answer"):
        operator.restores(monkeypatch)
    assert "acme: ok" in operator.restores(monkeypatch)
    assert collect(acme_mailbox.password) == TEXTS


def test_a_database_of_another_encoding_comes_back(operator, acme, acme_mailbox, fill, monkeypatch):
    with tenant_context(acme):
        acme_mailbox.mailbox.description = "Zürich, 20 €"
        acme_mailbox.mailbox.save()
    with connection.cursor() as cursor:
        for what in ("client_encoding = 'GB18030'", "timezone = 'XYZ-167'", "datestyle = 'German'"):
            cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET {what}')
    connection.close()
    operator.backs_up()
    operator.loses_all()
    operator.restores(monkeypatch)
    assert box_of("acme", "Office 365 Journal", "").mailbox.description == "Zürich, 20 €"


def test_a_database_without_an_encoding_is_refused(operator, acme_mailbox, monkeypatch):
    operator.backs_up()
    operator.loses_all("CREATE DATABASE {} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(CommandError, match="has the encoding SQL_ASCII"):
        operator.restores(monkeypatch)


def test_one_restore_at_a_time_by_the_owner_into_nothing(operator, acme_mailbox, fill, monkeypatch):
    fill(*TEXTS)
    operator.backs_up()
    operator.loses_all()
    with (
        alone.be_alone(),
        pytest.raises(CommandError, match="Another backup .* something is brought from one"),
    ):
        operator.restores(monkeypatch)
    for what in (
        "FUNCTION lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
        "TYPE kind AS ENUM ('x')",
    ):
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE {what}")
        with pytest.raises(CommandError, match="something in this database"):
            operator.restores(monkeypatch)
        with connection.cursor() as cursor:
            cursor.execute("DROP " + re.sub(r" (RETURNS|AS) .*", "", what))
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "USER", "postgres")
        try:
            connection.ensure_connection()
        except OperationalError:
            pytest.skip("Only a server of our own lets us be its superuser.")
        with pytest.raises(CommandError, match="Restore as the owner of the database, gatehouse"):
            operator.restores(monkeypatch)
        connection.close()
    assert not any(store().folders())


def test_of_secrets_that_somebody_forged_none_becomes_another_variable():
    contents = {"customers": [], "missing": [], "secrets": {"SECRET_KEY": "x", "LD_PRELOAD": "/tmp/evil.so"}}
    assert judging.contents_of(json.dumps(contents).encode(), "a set")["secrets"] == {"SECRET_KEY": "x"}
    contents["secrets"] = {"SECRET_KEY": "x\nLD_PRELOAD=/tmp/evil.so"}
    with pytest.raises(BackupDamaged):
        judging.contents_of(json.dumps(contents).encode(), "a set")


def test_a_backup_of_a_later_release_is_refused_and_one_of_an_earlier_is_brought_as_it_was(
    operator, acme, acme_mailbox, fill, collect, monkeypatch
):
    fill(*TEXTS)
    call_command("migrate_schemas", "mailboxes", "0011", schema_name="c_acme", tenant=True, verbosity=0)
    call_command("migrate_schemas", "tenants", "0019", shared=True, verbosity=0)
    earlier = operator.backs_up()["name"]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('tenants', '9001_labels', now())"
        )
    later = taking.back_up(operator.place, by=SYSTEM)
    assert later.wrong and not later.ended_well
    operator.loses_all()
    with pytest.raises(CommandError, match=r"was taken by a later release, with tenants\.9001_labels"):
        operator.restores(monkeypatch, set=later.name)
    assert not any(store().folders())
    restoring.restore(operator.place, operator.key, by=SYSTEM, name=earlier)
    assert schemas.public_is_behind()
    assert asked("SELECT max(name) FROM c_acme.django_migrations WHERE app = 'mailboxes'")[0][0].startswith(
        "0011"
    )
    call_command("upgrade", processes=1, stdout=io.StringIO())
    assert all(state.is_noted for state in schemas.customers().values())
    assert collect(acme_mailbox.password) == TEXTS


def test_the_secrets_that_it_writes_are_answers_for_setup(
    operator, committed_db, acme_mailbox, settings, tmp_path, monkeypatch
):
    """Of whoever chose them: blanks between earlier keys, and what shells take for something else."""
    settings.SECRET_KEY = '$HOME `id` #\\; of a long time ago & of nobody\'s "making"'.replace("'", "")
    settings.SECRET_KEY_FALLBACKS = ["earlier-key", "one$before"]
    operator.backs_up()
    operator.restores(monkeypatch, secrets_to=str(tmp_path / "secrets"))
    read = file.read((tmp_path / "secrets").read_text())
    assert read["SECRET_KEY"] == settings.SECRET_KEY
    assert read["SECRET_KEY_FALLBACKS"].split() == settings.SECRET_KEY_FALLBACKS
    assert read["GATEHOUSE_WORKER_KEY"] == settings.WORKER_KEY


def test_a_shell_runs_nothing_of_the_secrets_that_it_writes(operator, settings, tmp_path, monkeypatch):
    """Anybody can seal a backup to the public key who writes to their place."""
    settings.SECRET_KEY = f"abc'$(touch {tmp_path}/ran)';touch {tmp_path}/ran;'def"
    operator.backs_up()
    operator.restores(monkeypatch, secrets_to=str(tmp_path / "secrets"))
    read = subprocess.run(
        ["/bin/sh", "-c", '. "$0"; printf %s "$SECRET_KEY"', tmp_path / "secrets"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (read.stdout, (tmp_path / "ran").exists()) == (settings.SECRET_KEY, False)


def test_a_restore_that_was_broken_off_goes_on(operator, acme_mailbox, fill, collect, monkeypatch):
    monkeypatch.setattr(taking, "SCHEMAS_PER_DUMP", 1)
    fill(*TEXTS)
    first = operator.backs_up()["name"]
    operator.backs_up()
    operator.loses_all()

    def cut(progress):
        if progress.step == "loading the database":
            raise Cut

    with pytest.raises(Cut):
        restoring.restore(operator.place, operator.key, by=SYSTEM, name=first, tell=cut)
    assert schemas.public_is_behind(), "no process starts on it"
    with pytest.raises(DatabaseError, match="being restored"):  # by which the gateway puts mail off
        delivery.resolve(acme_mailbox.mailbox.address, peer=PEER)
    assert spares.refill() == 0, "who works already leaves it as it is"
    with pytest.raises(CommandError, match=rf"restore of {first} was begun in this database"):
        operator.restores(monkeypatch)
    said = run_checks(include_deployment_checks=True, databases=["default"])
    assert f"A restore of {first} was begun in this database, and has not ended." in [one.msg for one in said]
    with pytest.raises(CommandError, match=f"A restore of {first} was begun"):
        call_command("upgrade", processes=1, stdout=io.StringIO())
    with pytest.raises(DatabaseError, match="a restore of this database was begun, and has not ended"):
        create_provider("northwind-two", "Northwind", by=SYSTEM)
    with connection.cursor() as cursor:
        there = {name for (name,) in asked("SELECT nspname FROM pg_namespace")}
        other = min({"c_acme", "c_globex", "c_initech"} - there)
        cursor.execute(f"CREATE SCHEMA {other}")
        with pytest.raises(CommandError, match="something in this database"):
            operator.restores(monkeypatch, set=first)
        cursor.execute(f"DROP SCHEMA {other}")
    provider_made = Provider.objects.create(name="Meanwhile", slug="meanwhile")
    with pytest.raises(CommandError, match="Somebody has worked in this database .* tenants_provider"):
        operator.restores(monkeypatch, set=first)
    provider_made.delete()
    # As somebody types it who reads it off paper.
    operator.restores(monkeypatch, key=operator.key.lower().replace("-", " "), set=first)
    assert collect(acme_mailbox.password) == TEXTS


@pytest.mark.parametrize("places", short_or_long(["operator"], ["operator", "operator_with_buckets"]))
def test_a_copy_is_backed_up_and_copied_as_any_other(
    places, request, committed_db, acme_mailbox, fill, collect, monkeypatch
):
    operator = request.getfixturevalue(places)
    fill(*TEXTS)
    operator.backs_up()
    operator.restores(monkeypatch, customer="acme", as_slug="acme-old", active=True)
    copy = box_of("acme-old", "Office 365 Journal", acme_mailbox.password)
    fill(b"of the copy", to=copy)
    operator.backs_up()
    operator.restores(monkeypatch, customer="acme-old", as_slug="acme-older")
    again = box_of("acme-older", "Office 365 Journal", acme_mailbox.password)
    assert collect(again.password, of=again) == [*TEXTS, b"of the copy"]
    assert collect(copy.password, of=copy) == [*TEXTS, b"of the copy"]
    assert collect(acme_mailbox.password) == TEXTS
    operator.backs_up()
    operator.loses_all()
    assert "acme-older: ok: 4 messages" in operator.restores(monkeypatch)
    assert collect(again.password, of=again) == [*TEXTS, b"of the copy"]
