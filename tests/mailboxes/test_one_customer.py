"""One customer comes back from a backup beside the living ones, or goes to another installation."""

import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import schema_exists, tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.backup import alone, keys, restore_customer, taking, tools
from mailboxes.backup.errors import RestoreFailed
from mailboxes.backup.keys import new_recovery_key
from mailboxes.backup.place import Place
from mailboxes.backup.restoring import Backup
from mailboxes.backup.sets import find
from mailboxes.models import Job, KeyLock, Mailbox, MailboxKey, Message
from mailboxes.services import janitor, tallies
from mailboxes.store import store
from mailboxes.work.slices import work_slice
from tenants import activity, spares
from tenants.models import AuditEvent, Customer, DirectoryEntry
from tenants.services import create_customer, edit_customer, give_up_customer
from tenants.upgrading import schemas
from tests.breaking.kit import short_or_long
from tests.breaking.workers import environment_of_processes
from tests.cast import customer, provider
from tests.conftest import OpenMailbox, _clone
from tests.gateway.kit import Certificates, gateway_running
from tests.mailboxes.backups import end_who_holds

PARTS = {"contents.sealed", "customers-0000.dump.sealed", "messages"}
ROOT = Path(__file__).resolve().parents[2]
TEXTS = [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n" + b"x" * 70_000 + b"\r\n"]


@pytest.fixture
def bring(operator, monkeypatch):
    """What is said of a customer that is brought, and its mailboxes by their names."""

    def run(slug="acme", as_slug="acme-old", **options):
        more = {"customer": slug} if slug else {}
        return json.loads(operator.restores(monkeypatch, json=True, as_slug=as_slug, **more, **options))

    return run


def box_of(slug, name, password):
    """A mailbox of a customer that was brought, with the password of then."""
    with tenant_context(customer(slug)):
        return OpenMailbox(Mailbox.objects.get(name=name), password)


def work_off(owner):
    with tenant_context(owner):
        live = list(Job.objects.live().values_list("pk", flat=True))
    for job in live:
        while work_slice(owner, job):
            pass


def ids_of(owner):
    with tenant_context(owner):
        mailboxes = list(Mailbox.objects.values_list("pk", flat=True))
        blobs = [
            folder
            for name in Message.objects.values_list("blob", flat=True)
            for folder in name.split("/")[:2]
        ]
    return {owner.pk.hex, *(pk.hex for pk in mailboxes), *blobs}


def test_a_customer_restored_beside_the_living_one_reads_its_mail_with_its_password(
    operator, bring, acme, acme_mailbox, fill, tmp_path
):
    fill(*TEXTS)
    made = operator.backs_up()
    fill(b"Subject: later\r\n\r\n")
    done = bring()
    copy, old = box_of("acme-old", "Office 365 Journal", acme_mailbox.password), customer("acme-old")
    assert (done["name"], done["messages"], done["missing"]) == (made["name"], 2, [])
    assert done["mailboxes"] == [
        {
            "name": "Office 365 Journal",
            "address": copy.address,
            "was": acme_mailbox.address,
            "status": "suspended",
        }
    ]
    assert copy.address != acme_mailbox.address
    assert not ids_of(old) & ids_of(acme), "not a folder of the store in common"
    assert (old.provider, old.name) == (acme.provider, f"Acme (acme-old, {made['name'][:10]})")
    lines = AuditEvent.objects.of("customer.restored").filter(target_id=str(old.pk))
    assert {line.customer_id for line in lines} == {acme.pk, old.pk}
    assert lines[0].data["set"] == made["name"]
    with gateway_running(Certificates(tmp_path)) as clients:
        assert clients.collect(acme_mailbox) == [*TEXTS, b"Subject: later\r\n\r\n"]
        assert clients.collect(copy) == TEXTS
        assert clients.send(b"Subject: too early\r\n\r\n", copy.address).startswith(b"450")
        services.activate_mailbox(old, copy.mailbox, by=SYSTEM)
        assert clients.send(b"Subject: new\r\n\r\n", copy.address).startswith(b"250")
        *before, new = clients.collect(copy)
        assert (before, new.endswith(b"Subject: new\r\n\r\n")) == (TEXTS, True)
        assert len(clients.collect(acme_mailbox)) == 3
        # With another password it is on its own: no key and no message is bound to the ids of before.
        password, _ = services.reset_password(old, copy.mailbox, by=SYSTEM, current_password=copy.password)
        copy.password = password.reveal()
        assert clients.collect(copy) == [*TEXTS, new], "also before the workers come"
        work_off(old)
        with tenant_context(old):
            assert list(MailboxKey.objects.values_list("sealed_as", flat=True)) == [[]]
        assert clients.collect(copy) == [*TEXTS, new]
        # Whichever of the two goes, the other one stays whole.
        services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
        services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
        work_off(acme)
        assert clients.collect(copy) == [*TEXTS, new]
    for one in (acme, old):
        report = janitor.check_store(one, by=SYSTEM)
        assert (report.ok, report.orphans, report.young) == (True, [], 0)


def test_the_copy_goes_and_the_living_one_stays(operator, bring, acme, acme_mailbox, fill, collect):
    fill(*TEXTS)
    operator.backs_up()
    bring()
    copy, old = box_of("acme-old", "Office 365 Journal", acme_mailbox.password), customer("acme-old")
    services.start_deletion(old, copy.mailbox, by=SYSTEM)
    work_off(old)
    assert store().folders(old.pk.hex) in ([], [copy.mailbox.pk.hex])
    assert collect(acme_mailbox.password) == TEXTS
    assert DirectoryEntry.objects.get(address=copy.address).status == DirectoryEntry.Status.RETIRED


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
    assert "acme-older: ok: 3 messages" in operator.restores(monkeypatch)
    assert collect(again.password, of=again) == [*TEXTS, b"of the copy"]


def test_what_was_deleted_since_comes_back_only_when_it_is_asked_for(
    operator, bring, acme, acme_mailbox, make_mailbox, fill, collect, monkeypatch
):
    gone = make_mailbox("Gone")
    fill(*TEXTS)
    fill(b"for nobody", to=gone)
    operator.backs_up()
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password)
    services.suspend_mailbox(acme, gone.mailbox, by=SYSTEM)
    services.start_deletion(acme, gone.mailbox, by=SYSTEM)
    work_off(acme)
    said = operator.restores(monkeypatch, customer="acme", as_slug="acme-old")
    assert f"LEFT OUT    {gone.address} 'Gone': deleted since; --with-deleted brings it" in said
    assert "mailbox.password-reset 'Office 365 Journal'" in said
    assert "acme-old: ok: 2 messages, 2 files" in said
    with tenant_context(customer("acme-old")):
        assert [box.name for box in Mailbox.objects.all()] == ["Office 365 Journal"]
    done = bring(as_slug="acme-whole", with_deleted=True)
    assert (done["left_out"], done["trail_is_known"]) == ([], True)
    assert "mailbox.deletion-started" in {act["action"] for act in done["since"]}
    copy = box_of("acme-whole", "Gone", gone.password)
    assert collect(copy.password, of=copy) == [b"for nobody"]


def test_what_is_deleted_while_mail_is_copied_stays_out_too(
    operator, acme, acme_mailbox, make_mailbox, fill, collect
):
    gone = make_mailbox("Gone")
    fill(*TEXTS)
    fill(b"for nobody", to=gone)
    operator.backs_up()

    def deletes(progress):
        if progress.step == "copying messages" and progress.copied == 3:
            services.suspend_mailbox(acme, gone.mailbox, by=SYSTEM)
            services.start_deletion(acme, gone.mailbox, by=SYSTEM)

    done = restore_customer(operator.place, operator.key, "acme", by=SYSTEM, as_slug="acme-old", tell=deletes)
    assert [(left["name"], left["why"]) for left in done.left_out] == [("Gone", "deleted-since")]
    assert "mailbox.deletion-started" in {act["action"] for act in done.since}
    assert ([box["name"] for box in done.mailboxes], done.messages) == (["Office 365 Journal"], 2)
    report = janitor.check_store(customer("acme-old"), by=SYSTEM)
    assert (report.ok, report.blobs, report.young) == (True, 2, 0)
    copy = box_of("acme-old", "Office 365 Journal", acme_mailbox.password)
    assert collect(copy.password, of=copy) == TEXTS


def test_who_brings_a_customer_and_is_overtaken_removes_nothing_of_it(
    operator, committed_db, acme, acme_mailbox, make_mailbox, fill, collect
):
    """A mailbox is deleted meanwhile, and somebody else has brought it, as asked."""
    gone = make_mailbox("Gone")
    fill(*TEXTS)
    fill(b"wanted after all", to=gone)
    operator.backs_up()
    begun = []

    def meanwhile(progress):
        if progress.step == "loading the database" and not begun:
            begun.append(True)
            services.suspend_mailbox(acme, gone.mailbox, by=SYSTEM)
            services.start_deletion(acme, gone.mailbox, by=SYSTEM)
            end_who_holds(alone.ALONE_LOCK)
            brings(with_deleted=True)

    def brings(**options):
        restore_customer(operator.place, operator.key, "acme", by=SYSTEM, as_slug="acme-old", **options)

    with pytest.raises(RestoreFailed, match="did not take it"):
        brings(tell=meanwhile)
    assert begun
    copy = box_of("acme-old", "Gone", gone.password)
    assert collect(copy.password, of=copy) == [b"wanted after all"]


def test_what_was_under_way_does_not_go_on_by_itself(
    operator, bring, acme, acme_mailbox, make_mailbox, fill, collect, work
):
    half, given_up = make_mailbox("Half deleted"), make_mailbox("Given up")
    fill(*TEXTS)
    fill(b"half", to=half)
    fill(b"lost", to=given_up)
    password, job = services.reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    fill(b"newer")
    services.suspend_mailbox(acme, half.mailbox, by=SYSTEM)
    services.start_deletion(acme, half.mailbox, by=SYSTEM)
    with tenant_context(acme):
        tallies.fold()
    newer, _ = services.reset_password(acme, given_up.mailbox, by=SYSTEM, locked_mail="delete")
    fill(b"kept", to=given_up)
    operator.backs_up()
    done = bring()
    assert [(box["name"], box["why"]) for box in done["left_out"]] == [("Half deleted", "being-deleted")]
    assert done["waiting_jobs"] == 1
    old = customer("acme-old")
    with tenant_context(old):
        (waiting,) = Job.objects.all()
        assert not KeyLock.objects.filter(kind=KeyLock.Kind.WORKER).exists()
        assert (waiting.state, waiting.kind, waiting.pk != job.pk) == ("waiting-for-password", job.kind, True)
    copy = box_of("acme-old", "Office 365 Journal", password.reveal())
    other = box_of("acme-old", "Given up", newer.reveal())
    assert collect(copy.password, of=copy) == [*TEXTS, b"newer"]
    assert collect(other.password, of=other) == [b"kept"]
    activity = services.activity(old, other.mailbox, by=SYSTEM)
    assert (activity.waiting, activity.waiting_octets) == (1, 4)
    services.unlock(old, copy.mailbox, copy.password, by=SYSTEM)
    work_off(old)
    assert collect(copy.password, of=copy) == [*TEXTS, b"newer"]
    with tenant_context(acme):
        assert Job.objects.live().count() == 3, "the living one's go on"


@pytest.fixture
def newcomer():
    """A customer that no other installation has."""
    made = create_customer("newcomer", "Newcomer", provider=provider("northwind"), by=SYSTEM)
    edit_customer(made, by=SYSTEM, allowed_networks=["192.0.2.0/24"], mailbox_quota_octets=10_000_000)
    return made


def test_a_customer_that_is_gone_comes_back_in_its_own_name(
    operator, bring, newcomer, make_mailbox, fill, collect
):
    box, gone = (make_mailbox(name, customer=newcomer) for name in ("Journal", "Gone"))
    fill(*TEXTS, to=box)
    operator.backs_up()
    services.suspend_mailbox(newcomer, gone.mailbox, by=SYSTEM)
    services.start_deletion(newcomer, gone.mailbox, by=SYSTEM)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {newcomer.schema_name} CASCADE")
    give_up_customer(newcomer, by=SYSTEM)
    shutil.rmtree(store().path(newcomer.pk.hex))
    done = bring("newcomer", as_slug="", active=True)
    assert (done["customer"], done["id"], done["provider"]) == ("newcomer", str(newcomer.pk), "northwind")
    assert [left["name"] for left in done["left_out"]] == ["Gone"], "the trail has outlived it"
    fill(b"new", to=box)
    assert collect(box.password, of=box) == [*TEXTS, b"new"]


@pytest.fixture
def elsewhere(settings):
    """From now on this is another installation."""

    def move():
        _clone()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET applied = applied - interval '1 day'")
        shutil.rmtree(settings.STORE_ROOT)
        settings.STORE_ROOT.mkdir(mode=0o700)
        settings.MAIL_DOMAIN = "gateway.elsewhere.example"

    return move


@pytest.fixture
def export(operator, tmp_path, monkeypatch):
    """An export's place, and the two commands."""

    class Export:
        place = (tmp_path / "export").as_uri()

        def takes(self, slug="newcomer"):
            said = io.StringIO()
            call_command("export_customer", slug, self.place, json=True, stdout=said)
            return json.loads(said.getvalue())

        def brings(self, **options):
            monkeypatch.setattr(sys, "stdin", io.StringIO(operator.key))
            said = io.StringIO()
            call_command("import_customer", self.place, stdout=said, **options)
            return said.getvalue()

    (tmp_path / "export").mkdir()
    return Export()


def test_a_customer_moves_to_another_installation_with_ids_addresses_and_passwords(
    operator, export, newcomer, make_mailbox, fill, collect, elsewhere
):
    box = make_mailbox("Journal", customer=newcomer)
    fill(*TEXTS, to=box)
    assert export.takes()["copied"] == 2
    fill(b"late", to=box)
    services.suspend_mailbox(newcomer, box.mailbox, by=SYSTEM)
    assert export.takes()["copied"] == 1, "what is there is not copied again"
    assert AuditEvent.objects.of("customer.exported").filter(customer_id=newcomer.pk).count() == 2
    elsewhere()
    with pytest.raises(CommandError, match="Say whose customer it becomes: --provider"):
        export.brings()
    said = export.brings(provider="fabrikam")
    assert "What was done after the backup, deletions too, is not known here." in said
    assert "newcomer: ok: 3 messages, 3 files" in said
    here = customer("newcomer")
    assert (here.pk, here.name, here.provider.slug) == (newcomer.pk, "Newcomer", "fabrikam")
    trail = activity.activity_at(here, by=SYSTEM)
    said_there = [activity.sentence(entry.event) for entry in activity.read(trail, activity.Asked()).entries]
    assert f"The customer “Newcomer” was imported from an export at {export.place}." in said_there
    assert (here.allowed_networks, here.mailbox_quota_octets) == (["192.0.2.0/24"], 10_000_000)
    moved = box_of("newcomer", "Journal", box.password)
    assert moved.mailbox.pk == box.mailbox.pk
    assert moved.address == f"{box.address.partition('@')[0]}@gateway.elsewhere.example"
    assert collect(moved.password, of=moved) == [*TEXTS, b"late"]
    services.activate_mailbox(here, moved.mailbox, by=SYSTEM)
    fill(b"new", to=moved)
    assert collect(moved.password, of=moved) == [*TEXTS, b"late", b"new"]
    assert "is not known here" in export.brings(as_slug="second", provider="northwind"), (
        "nor by what it did here since"
    )
    second = box_of("second", "Journal", box.password)
    assert collect(second.password, of=second) == [*TEXTS, b"late"]


def test_no_export_is_there_without_its_line_in_the_activity(export, newcomer, monkeypatch):
    close = taking._Taking.close

    def ends_there(self):
        close(self)
        raise KeyboardInterrupt

    exports = AuditEvent.objects.of("customer.exported")
    with monkeypatch.context() as context:
        context.setattr(taking._Taking, "close", ends_there)
        with pytest.raises(KeyboardInterrupt):
            export.takes()
    assert exports.get().data["set"] == find(Place(export.place))[0]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_auditevent ADD CHECK (action <> 'customer.exported') NOT VALID")
    with pytest.raises(CommandError, match="there is no export without"):
        export.takes()
    assert exports.get().data["set"] == find(Place(export.place))[0]


def test_an_export_has_nothing_of_others_and_is_taken_for_no_backup(
    operator, export, newcomer, make_mailbox, fill, acme_mailbox, settings, monkeypatch
):
    fill(b"mine", to=make_mailbox("Journal", customer=newcomer))
    fill(b"others")
    assert export.takes()["messages"] == 1
    root = Path(export.place.removeprefix("file://"))
    backup = Backup(export.place, operator.key, "")
    contents = b"".join(backup.part("contents.sealed"))
    dump = b"".join(backup.part("customers-0000.dump.sealed"))
    assert {part["name"] for part in backup.manifest["parts"]} == PARTS
    assert settings.SECRET_KEY.encode() not in contents
    assert settings.WORKER_KEY.encode() not in contents
    assert b"newcomer" in contents
    assert b"acme" not in contents
    assert b"acme" not in dump
    assert len(list(root.glob("blobs/*"))) == 1
    operator.place, backups = export.place, operator.place
    with pytest.raises(CommandError, match="is an export of one customer"):
        operator.restores(monkeypatch)
    with pytest.raises(CommandError, match="or of one customer, lie in"):
        operator.backs_up()
    with pytest.raises(CommandError, match="or of one customer, lie in"):
        export.takes("acme")
    operator.place = export.place = backups
    operator.backs_up()
    with pytest.raises(CommandError, match="a backup of a whole installation"):
        export.brings()


def test_nothing_is_to_be_seen_of_a_customer_that_can_not_be_brought_whole(
    operator, bring, acme, acme_mailbox, fill, collect, monkeypatch
):
    fill(*TEXTS)
    operator.backs_up()
    there = set(Customer.objects.values_list("slug", flat=True))
    for why, options in {
        "The customer acme is there": {"as_slug": ""},
        "“globex” is taken": {"as_slug": "globex"},
        "“Not One” can't be used": {"as_slug": "Not One"},
        "There is no customer 'nobody' in": {"slug": "nobody"},
        "There is no provider": {"provider": "nobody"},
        "sealed to the recovery key": {"key": new_recovery_key()[1]},
        "no whole backup": {"set": "2020-01-01T000000.000000Z"},
    }.items():
        with pytest.raises(CommandError, match=why):
            bring(**options)
    with pytest.raises(CommandError, match="--as goes with --customer only"):
        operator.restores(monkeypatch, as_slug="acme-old")
    with pytest.raises(CommandError, match="--name goes with --customer only"):
        operator.restores(monkeypatch, as_name="Acme of then")
    with pytest.raises(CommandError, match="--secrets-to goes without --customer"):
        bring(secrets_to="somewhere")
    with alone.be_alone(), pytest.raises(CommandError, match="Another backup"):
        bring()
    needed = [path for path in operator.files() if path.name in PARTS]
    message = next(path for path in operator.files() if "/blobs/" in str(path))
    assert len(needed) == len(PARTS)
    for path in (*needed, message):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(CommandError, match="not what was|missing or altered there"):
            bring()
        if path != message:
            path.write_bytes(whole)
    assert set(Customer.objects.values_list("slug", flat=True)) == there
    with pytest.raises(CommandError, match="1 message of the backup missing or altered"):
        bring(despite_damage=True)
    copy = box_of("acme-old", "Office 365 Journal", acme_mailbox.password)
    assert len(collect(copy.password, of=copy)) == 1
    report = janitor.check_store(customer("acme-old"), by=SYSTEM)
    assert len(report.missing) == 1, "and nothing else is wrong"
    assert collect(acme_mailbox.password) == TEXTS


@pytest.mark.parametrize(
    ("disk", "point"),
    short_or_long(
        [("place", "folder:8")],  # all mail is there, and the rows are on their way
        [
            *(("store", f"rename:{number}") for number in (1, 2, 3)),
            *(("place", f"folder:{number}") for number in (1, 4, 6, 7, 8)),
            ("place", "read:2"),
        ],
    ),
)
def test_killed_it_is_not_to_be_seen_and_the_next_run_ends_it(
    disk, point, operator, bring, acme, acme_mailbox, fill, collect, settings, tmp_path
):
    fill(*TEXTS, b"three")
    operator.backs_up()
    (tmp_path / "marks").mkdir()
    environment = {
        **environment_of_processes(),
        "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
        "BREAKING_DISK": operator.place.removeprefix("file://")
        if disk == "place"
        else str(settings.STORE_ROOT),
        "BREAKING_KILL_AT": point,
        "BREAKING_KILL_MARKS": str(tmp_path / "marks"),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "restore", operator.place, "--customer", "acme", "--as", "acme-old"],
        env=environment,
        cwd=ROOT,
        input=operator.key,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not Customer.objects.filter(slug="acme-old").exists()
    assert not schema_exists("c_acme_old")
    assert collect(acme_mailbox.password) == [*TEXTS, b"three"]
    left = [
        path for path in settings.STORE_ROOT.rglob("*") if path.is_file() and acme.pk.hex not in str(path)
    ]
    for path in left[:1]:  # and what it left is not what it was any more, but for its size
        path.write_bytes(b"\0" * path.stat().st_size)
    bring()
    copy = box_of("acme-old", "Office 365 Journal", acme_mailbox.password)
    assert collect(copy.password, of=copy) == [*TEXTS, b"three"]
    report = janitor.check_store(customer("acme-old"), by=SYSTEM)
    assert (report.ok, report.blobs, report.young) == (True, 3, 0)


def test_neither_upgrade_nor_somebody_elses_customer_waits_while_rows_are_loaded(
    operator, bring, acme_mailbox, fill, monkeypatch
):
    fill(*TEXTS)
    operator.backs_up()
    spares.refill(1)
    count_anew = tallies.count_anew

    def create():
        try:
            return create_customer("acme-old", "Quicker", provider=provider("northwind"), by=SYSTEM)
        finally:
            connections.close_all()

    def meanwhile():
        count_anew()
        with tools.connect() as other:
            tables = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            tables.remove(("tenants_spareschema",))  # it holds the one that it fills
            assert ("tenants_customer",) in tables
            with (
                other.transaction()
            ):  # as migrations do, and an upgrade that waits for customers in the making
                for (table,) in tables:
                    other.execute(f'LOCK TABLE public."{table}" IN ACCESS EXCLUSIVE MODE NOWAIT')
        with ThreadPoolExecutor(1) as somebody:
            assert somebody.submit(create).result(30).slug == "acme-old"

    monkeypatch.setattr(tallies, "count_anew", meanwhile)
    with pytest.raises(CommandError, match="“acme-old” is taken"):
        bring()
    assert customer("acme-old").name == "Quicker"
    monkeypatch.undo()
    assert bring(as_slug="acme-older")["messages"] == 2


def test_without_a_database_or_on_a_cluster_it_is_refused_in_one_line(
    operator, bring, export, acme_mailbox, newcomer, monkeypatch, tmp_path
):
    operator.backs_up()
    acts = {
        "backup": operator.backs_up,
        "export": export.takes,
        "restore": lambda: operator.restores(monkeypatch),
        "one customer": bring,
    }
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", str(tmp_path))
        for act in acts.values():
            with pytest.raises(CommandError, match=r"^The database did not [^\n]+$"):
                act()
        connection.close()
    with connection.cursor() as cursor:  # what is asked for
        cursor.execute("CREATE TABLE public.tenants_two_phases (); CREATE TABLE public.pg_dist_schema ()")
    for act in ("backup", "export", "one customer"):
        with pytest.raises(CommandError, match=r"^This database is a cluster[^\n]+docs/cluster.md[^\n]+$"):
            acts[act]()
    assert not Customer.objects.filter(slug="acme-old").exists()


def test_what_an_earlier_release_backed_up_is_brought_to_this_one(
    operator, bring, acme, acme_mailbox, fill, collect
):
    fill(*TEXTS)
    with tenant_context(acme):
        executor = MigrationExecutor(connection)
        executor.migrate([("mailboxes", "0009_more_that_nobody_sees")])
    operator.backs_up()
    bring()
    copy = box_of("acme-old", "Office 365 Journal", acme_mailbox.password)
    assert collect(copy.password, of=copy) == TEXTS
    assert schemas.customers()["c_acme_old"].is_noted


def test_what_a_later_release_backed_up_is_refused(operator, bring, acme, acme_mailbox):
    with tenant_context(acme):
        MigrationRecorder.Migration.objects.create(app="mailboxes", name="9001_labels")
    operator.backs_up()
    with pytest.raises(CommandError, match="was taken by a later release, with 9001_labels"):
        bring()


def test_no_row_of_a_backup_leads_to_somebody_elses_mail(
    operator, export, newcomer, make_mailbox, fill, acme, acme_mailbox
):
    """Whoever deletes a message removes the file that its row names, or the folder."""
    mine, other = (make_mailbox(name, customer=newcomer) for name in ("Mine", "Other"))
    fill(b"mine", to=mine)
    fill(b"else", to=other)
    fill(b"Acme")
    with tenant_context(acme):
        theirs = Message.objects.get().blob
    with tenant_context(newcomer):
        message = Message.objects.get(mailbox=other.mailbox)
        message.delete()
    folder = f"{newcomer.pk.hex}/{mine.mailbox.pk.hex}"
    for blob in (theirs, message.blob, f"{folder}/"):
        with tenant_context(newcomer):
            Message.objects.update(blob=blob)
        with suppress(CommandError):  # a folder can't be read as a message
            export.takes()
        with pytest.raises(CommandError, match="is no message of"):
            export.brings(as_slug="planted")
    assert not Customer.objects.filter(slug="planted").exists()


def test_what_a_forged_export_says_of_itself_is_judged_before_anything_is_done(
    operator, export, newcomer, make_mailbox
):
    """Whoever can write there seals to the public key."""
    box = make_mailbox("Journal", customer=newcomer)
    export.takes()
    backup = Backup(export.place, operator.key)
    folder = Path(export.place.removeprefix("file://")) / "sets" / backup.name
    contents, manifest = json.dumps(backup.contents), (folder / "manifest.json").read_text()

    def forge(facts, also):
        said, of = json.loads(contents), json.loads(manifest)
        said["customers"][0] |= facts
        octets = b"".join(
            keys.seal(
                [json.dumps(said | also.get("contents", {})).encode()],
                keys.public_key(),
                of=UUID(of["id"]),
                name="contents.sealed",
            )
        )
        (folder / "contents.sealed").write_bytes(octets)
        for part in of["parts"]:
            if part["name"] == "contents.sealed":
                part |= {"octets": len(octets), "sha256": hashlib.sha256(octets).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(of | also.get("manifest", {})))

    for why, facts, also in [
        ("a proper id", {"id": "zz"}, {}),
        ("a proper short name", {"slug": "a\x1b[2Jb"}, {}),
        ("a proper name", {"name": ["Newcomer"]}, {}),
        ("can't be used as a name|name", {"name": "\x1b[2J\u202eevil"}, {}),
        ("a proper schema", {"schema": "public"}, {}),
        ("a proper part", {"part": "../../../../etc/passwd"}, {}),
        ("a proper part", {"part": None}, {}),
        ("a proper provider", {"provider": 1}, {}),
        ("a proper list of networks", {"allowed_networks": ["nonsense"]}, {}),
        ("a proper list of networks", {"allowed_networks": "0.0.0.0/0"}, {}),
        ("a proper limit", {"mailbox_quota_octets": "abc"}, {}),
        ("a proper limit", {"mailbox_quota_octets": -5}, {}),
        ("a proper limit", {"mailbox_quota_octets": True}, {}),
        ("contents of .* are none", {}, {"contents": {"missing": None}}),
        ("contents of .* are none", {}, {"contents": {"customers": {}}}),
        ("two customers of the same id", {}, {"contents": {"customers": backup.contents["customers"] * 2}}),
        (
            "is no manifest",
            {},
            {"manifest": {"parts": [{"name": "../../x", "octets": 1, "sha256": "0" * 64}]}},
        ),
        ("is no manifest", {}, {"manifest": {"made_at": "2026-11-30\x1b00:00:00+00:00"}}),
        ("is no manifest", {}, {"manifest": {"id": "zz"}}),
    ]:
        forge(facts, also)
        with pytest.raises(CommandError, match=why) as refused:
            export.brings(as_slug="forged")
        assert str(refused.value).isprintable(), "nothing that a terminal obeys"
    with tenant_context(newcomer):
        Mailbox.objects.filter(pk=box.mailbox.pk).update(address="x\x1b[2J\nMAILBOX     fake@x 'y': active")
    export.takes()
    with pytest.raises(CommandError, match="is no address of a mailbox") as refused:
        export.brings(as_slug="forged")
    assert str(refused.value).isprintable()
    with tenant_context(newcomer):
        Mailbox.objects.filter(pk=box.mailbox.pk).update(address=box.address, name="x\x1b[2J\u202e\ny")
    export.takes()
    said = export.brings(as_slug="forged")
    assert "\\x1b" in said
    assert all(line.isprintable() for line in said.splitlines())
    forge({}, {})
    (folder / "messages").write_text("x\x1b[2J\u202e 1 0\n")
    listed = io.StringIO()
    with pytest.raises(CommandError):
        call_command("check_backup", export.place, set=backup.name, stdout=listed)
    assert "DAMAGED     x\\x1b[2J" in listed.getvalue()
    assert all(line.isprintable() for line in listed.getvalue().splitlines())
    assert not Customer.objects.filter(name__contains="evil").exists()


def test_ids_that_others_have_here_are_told_before_anything_is_copied(
    export, newcomer, make_mailbox, fill, collect, elsewhere, settings
):
    box = make_mailbox("Journal", customer=newcomer)
    fill(*TEXTS, to=box)
    export.takes()
    elsewhere()
    DirectoryEntry.objects.create(
        address="mbx-0000000000000000@gateway.elsewhere.example",
        customer=customer("acme"),
        mailbox_id=box.mailbox.pk,
        status="active",
        public_key=b"x",
        generation=1,
    )
    with pytest.raises(
        CommandError, match="Another customer here has mailboxes with the ids of those of newcomer"
    ):
        export.brings(provider="fabrikam")
    assert not list(settings.STORE_ROOT.iterdir())
    export.brings(provider="fabrikam", as_slug="second")
    second = box_of("second", "Journal", box.password)
    assert second.mailbox.pk != box.mailbox.pk
    assert collect(second.password, of=second) == TEXTS
