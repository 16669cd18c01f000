"""One customer comes back from a backup beside the living ones. All tests bring it from one backup into one database, each
under a short name of its own, and touch nothing that another one looks at.
"""

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone
from django_tenants.utils import schema_exists, tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.backup import alone, back_up, restore_customer, tools
from mailboxes.backup.errors import NotEmpty, RestoreFailed
from mailboxes.backup.keys import new_recovery_key
from mailboxes.models import Job, KeyLock, Mailbox, MailboxKey, Message
from mailboxes.services import janitor, tallies
from mailboxes.store import store
from mailboxes.work.slices import work_slice
from portal.onebox.embedded.process import wait_until
from tenants import directory, spares
from tenants.counts import MailboxFigures
from tenants.errors import AddressTaken
from tenants.models import AuditEvent, Customer, DirectoryEntry
from tenants.services import create_customer, edit_customer, give_up_customer
from tenants.upgrading import schemas
from tests.breaking.kit import short_or_long
from tests.breaking.workers import environment_of_processes
from tests.cast import customer, provider
from tests.gateway.kit import Certificates, gateway_running
from tests.mailboxes.backups import (
    TEXTS,
    Operator,
    box_of,
    collected,
    end_who_holds,
    forges,
    makes,
    takes,
    work_off,
)

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"contents.sealed", "customers-0000.dump.sealed", "messages"}
JOURNAL = "Office 365 Journal"


def deletes(owner, box):
    services.suspend_mailbox(owner, box.mailbox, by=SYSTEM)
    services.start_deletion(owner, box.mailbox, by=SYSTEM)


def reset(owner, box, **options):
    password, job = services.reset_password(owner, box.mailbox, by=SYSTEM, **options)
    box.password = password.reveal()
    return job


@pytest.fixture(scope="module")
def scene(one_database, tmp_path_factory):
    """Acme, of which a backup was taken while much was under way there, and what was done to it since."""
    folder = tmp_path_factory.mktemp("scene")
    for name in ("store", "backups"):
        (folder / name).mkdir(mode=0o700)
    acme, chosen = customer("acme"), SimpleNamespace()
    operator = Operator(chosen, (folder / "backups").as_uri())
    with override_settings(STORE_ROOT=folder / "store", RECOVERY_PUBLIC_KEY=chosen.RECOVERY_PUBLIC_KEY):
        journal = makes(acme, JOURNAL, *TEXTS)
        gone, half = makes(acme, "Gone", b"for nobody"), makes(acme, "Half deleted", b"half")
        overtaken = makes(acme, "Overtaken", b"wanted after all")
        leaving, late = makes(acme, "Leaving", *TEXTS), makes(acme, "Deleted late", b"late")
        turning, given_up = makes(acme, "Reset", *TEXTS), makes(acme, "Given up", b"lost")
        job = reset(acme, turning, current_password=turning.password)
        takes(turning, b"newer")
        deletes(acme, half)
        with tenant_context(acme):
            tallies.fold(acme)
        reset(acme, given_up, locked_mail="delete")
        takes(given_up, b"kept")
        lost = create_customer("lost", "Lost", provider=provider("northwind"), by=SYSTEM)
        edit_customer(lost, by=SYSTEM, allowed_networks=["192.0.2.0/24"], mailbox_quota_octets=10_000_000)
        of_lost, gone_of_lost = makes(lost, "Journal", *TEXTS), makes(lost, "Gone")
        dropped = create_customer("dropped", "Dropped", provider=provider("northwind"), by=SYSTEM)
        of_dropped, gone_of_dropped = makes(dropped, "Journal", *TEXTS), makes(dropped, "Gone", b"gone")
        emptied = create_customer("emptied", "Emptied", provider=provider("northwind"), by=SYSTEM)
        of_emptied = makes(emptied, "Journal", *TEXTS)
        forgotten = create_customer("forgotten", "Forgotten", provider=provider("northwind"), by=SYSTEM)
        retired, leaving_then = makes(forgotten, "Retired"), makes(forgotten, "Being deleted")
        made = operator.backs_up()
        then = journal.password
        takes(journal, b"Subject: later\r\n\r\n")
        reset(acme, journal, current_password=then)
        deletes(acme, gone)
        scene = SimpleNamespace(**{name: value for name, value in locals().items() if name != "folder"})
        scene.store, scene.brought = folder / "store", {}
        yield scene


@pytest.fixture(autouse=True)
def _there(scene, settings):
    settings.STORE_ROOT = scene.store
    settings.RECOVERY_PUBLIC_KEY = scene.chosen.RECOVERY_PUBLIC_KEY


@pytest.fixture
def says(scene, monkeypatch):
    """What `restore --customer` prints."""

    def run(as_slug, slug="acme", **options):
        options = {"customer": slug, "as_slug": as_slug, "set": scene.made["name"], **options}
        return scene.operator.restores(monkeypatch, **options)

    return run


@pytest.fixture
def bring(says):
    """The same as JSON."""
    return lambda *args, **options: json.loads(says(*args, json=True, **options))


@pytest.fixture
def copy(scene, bring):
    """A copy that nobody changes: what was said of it."""
    if not scene.brought:
        scene.brought = bring("acme-old")
    return scene.brought


def ids_of(owner):
    with tenant_context(owner):
        mailboxes = list(Mailbox.objects.values_list("pk", flat=True))
        blobs = [
            part for name in Message.objects.values_list("blob", flat=True) for part in name.split("/")[:2]
        ]
    return {owner.pk.hex, *(pk.hex for pk in mailboxes), *blobs}


# --- A copy beside the living one ---
def test_it_has_all_mail_of_then_which_the_password_of_then_opens(scene, copy):
    assert collected(box_of("acme-old", JOURNAL, scene.then)) == TEXTS
    assert collected(scene.journal) == [*TEXTS, b"Subject: later\r\n\r\n"]
    assert (copy["name"], copy["missing"]) == (scene.made["name"], [])


def test_it_shares_no_id_and_no_folder_with_the_living_one(scene, copy):
    assert not ids_of(customer("acme-old")) & ids_of(scene.acme)


def told_and_counted(owner):
    """Of each living mailbox what figures tell, and what its counters are."""
    with tenant_context(owner):
        counted = {
            box.pk: (box.waiting, box.waiting_octets)
            for box in Mailbox.objects.with_activity().exclude(status="deleting")
        }
    told = MailboxFigures.objects.filter(customer=owner).values_list("pk", "messages", "octets")
    return {pk: amount for pk, *amount in told}, {pk: [*amount] for pk, amount in counted.items()}


def test_figures_of_who_is_brought_are_those_of_the_mailboxes(scene, copy):
    told, counted = told_and_counted(customer("acme-old"))
    assert told == counted and len(told) > 3 and any(messages for messages, _ in told.values())


def test_it_has_its_short_name_and_the_backups_day_in_its_name(scene, copy):
    old = customer("acme-old")
    assert (old.provider, old.name) == (scene.acme.provider, f"Acme (acme-old, {scene.made['name'][:10]})")


def test_its_mailboxes_are_suspended_under_new_addresses(scene, copy):
    (said,) = [box for box in copy["mailboxes"] if box["name"] == JOURNAL]
    box = box_of("acme-old", JOURNAL, scene.then)
    assert said == {
        "name": JOURNAL,
        "address": box.address,
        "was": scene.journal.address,
        "status": "suspended",
    }
    assert box.address != scene.journal.address
    assert (box.mailbox.status, box.mailbox.suspension_cause) == ("suspended", "restored")
    assert box.mailbox.suspension_backup_at.isoformat() == copy["made_at"]


def test_the_activity_of_both_says_so(scene, copy):
    old = customer("acme-old")
    lines = AuditEvent.objects.of("customer.restored").filter(target_id=str(old.pk))
    assert {line.customer_id for line in lines} == {scene.acme.pk, old.pk}
    assert {line.data["set"] for line in lines} == {scene.made["name"]}


def test_check_store_finds_it_whole(copy):
    report = janitor.check_store(customer("acme-old"), by=SYSTEM)
    assert (report.ok, report.messages, report.orphans, report.young) == (True, copy["messages"], [], 0)


def test_what_was_deleted_since_or_being_deleted_stays_out_and_is_named(copy):
    left_out = {box["name"]: box["why"] for box in copy["left_out"]}
    assert (left_out["Gone"], left_out["Half deleted"]) == ("deleted-since", "being-deleted")
    assert not {"Gone", "Half deleted"} & {box["name"] for box in copy["mailboxes"]}
    told = {(act["action"], act["mailbox"]) for act in copy["since"]}
    assert {("mailbox.password-reset", JOURNAL), ("mailbox.deletion-started", "Gone")} <= told


def test_what_was_deleted_since_comes_back_when_it_is_asked_for(scene, bring):
    done = bring("acme-whole", with_deleted=True)
    assert ([box["name"] for box in done["left_out"]], done["trail_is_known"]) == (["Half deleted"], True)
    assert collected(box_of("acme-whole", "Gone", scene.gone.password)) == [b"for nobody"]


def test_a_terminal_reads_what_was_left_out_and_what_was_done_since(scene, says):
    said = says("acme-told")
    assert f"LEFT OUT    {scene.gone.address} 'Gone': deleted since; --with-deleted brings it" in said
    assert f"mailbox.password-reset '{JOURNAL}'" in said
    assert "acme-told: ok: " in said


def test_a_job_that_was_under_way_waits_for_the_password_and_no_worker_has_a_key(scene, copy):
    with tenant_context(customer("acme-old")):
        (waiting,) = Job.objects.all()
        assert not KeyLock.objects.filter(kind=KeyLock.Kind.WORKER).exists()
    assert copy["waiting_jobs"] == 1
    assert (waiting.state, waiting.kind) == ("waiting-for-password", scene.job.kind)
    assert waiting.pk != scene.job.pk


def test_with_the_password_that_job_goes_on_and_the_living_ones_is_left_alone(scene, bring):
    bring("acme-waiting")
    old, box = customer("acme-waiting"), box_of("acme-waiting", "Reset", scene.turning.password)
    assert collected(box) == [*TEXTS, b"newer"]
    services.unlock(old, box.mailbox, box.password, by=SYSTEM)
    work_off(old)
    assert collected(box) == [*TEXTS, b"newer"]
    with tenant_context(scene.acme):
        assert Job.objects.get(pk=scene.job.pk).state in Job.WORKABLE


def test_counters_are_right_where_rows_stayed_out(scene, copy):
    box = box_of("acme-old", "Given up", scene.given_up.password)
    assert collected(box) == [b"kept"]
    activity = services.activity(customer("acme-old"), box.mailbox, by=SYSTEM)
    assert (activity.waiting, activity.waiting_octets) == (1, 4)


def test_it_takes_mail_once_activated_and_is_reset_as_any_other(scene, bring, tmp_path):
    bring("acme-used")
    box, old = box_of("acme-used", JOURNAL, scene.then), customer("acme-used")
    with gateway_running(Certificates(tmp_path)) as clients:
        assert clients.send(b"Subject: too early\r\n\r\n", box.address).startswith(b"450")
        services.activate_mailbox(old, box.mailbox, by=SYSTEM)
        assert clients.send(b"Subject: new\r\n\r\n", box.address).startswith(b"250")
        *before, new = clients.collect(box)
        assert (before, new.endswith(b"Subject: new\r\n\r\n")) == (TEXTS, True)
        # With another password it is on its own: no key and no message is bound to the ids of before.
        reset(old, box, current_password=scene.then)
        assert clients.collect(box) == [*TEXTS, new], "also before the workers come"
        work_off(old)
        with tenant_context(old):
            keys = MailboxKey.objects.filter(mailbox=box.mailbox)
            assert list(keys.values_list("sealed_as", flat=True)) == [[]]
        assert clients.collect(box) == [*TEXTS, new]


def test_when_the_copy_goes_the_living_one_stays(scene, bring):
    bring("acme-short")
    old, box = customer("acme-short"), box_of("acme-short", JOURNAL, scene.then)
    services.start_deletion(old, box.mailbox, by=SYSTEM)
    work_off(old)
    left = store().shards(f"{old.pk.hex}/{box.mailbox.pk.hex}")
    assert not any(blobs for _, blobs in left)
    assert collected(scene.journal)[: len(TEXTS)] == TEXTS
    assert DirectoryEntry.objects.get(address=box.address).status == DirectoryEntry.Status.RETIRED


def test_when_the_living_one_goes_the_copy_stays(scene, copy):
    deletes(scene.acme, scene.leaving)
    with tenant_context(scene.acme):
        deletion = Job.objects.get(mailbox=scene.leaving.mailbox)
    while work_slice(scene.acme, deletion.pk):
        pass
    assert collected(box_of("acme-old", "Leaving", scene.leaving.password)) == TEXTS


def test_what_is_deleted_while_mail_is_copied_stays_out_too(scene):
    asked = []

    def meanwhile(progress):
        if progress.step == "loading the database" and not asked:
            asked.append(deletes(scene.acme, scene.late))

    done = restore_customer(
        scene.operator.place,
        scene.operator.key,
        "acme",
        name=scene.made["name"],
        by=SYSTEM,
        as_slug="acme-meanwhile",
        tell=meanwhile,
    )
    assert ("Deleted late", "deleted-since") in [(left["name"], left["why"]) for left in done.left_out]
    assert "Deleted late" not in [box["name"] for box in done.mailboxes]
    report = janitor.check_store(customer("acme-meanwhile"), by=SYSTEM)
    assert (report.ok, report.blobs, report.young) == (True, done.messages, 0)


def test_who_brings_a_customer_and_is_overtaken_removes_nothing_of_it(scene):
    """A mailbox is deleted meanwhile, and somebody else has brought it, as asked."""
    begun = []

    def meanwhile(progress):
        if progress.step == "loading the database" and not begun:
            begun.append(True)
            deletes(scene.acme, scene.overtaken)
            end_who_holds(alone.ALONE_LOCK)
            brings(with_deleted=True)

    def brings(**options):
        options |= {"by": SYSTEM, "as_slug": "acme-overtaken", "name": scene.made["name"]}
        restore_customer(scene.operator.place, scene.operator.key, "acme", **options)

    with pytest.raises(RestoreFailed, match="did not take it"):
        brings(tell=meanwhile)
    assert begun
    copy = box_of("acme-overtaken", "Overtaken", scene.overtaken.password)
    assert collected(copy) == [b"wanted after all"]


def test_one_that_is_gone_comes_back_in_its_own_name(scene, bring):
    deletes(scene.lost, scene.gone_of_lost)
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA c_lost CASCADE")
    give_up_customer(scene.lost, by=SYSTEM)
    done = bring("", "lost", active=True)
    assert (done["customer"], done["id"], done["provider"]) == ("lost", str(scene.lost.pk), "northwind")
    assert [left["name"] for left in done["left_out"]] == ["Gone"], "the trail has outlived it"
    back = customer("lost")
    assert (back.allowed_networks, back.mailbox_quota_octets) == (["192.0.2.0/24"], 10_000_000)
    takes(scene.of_lost, b"new")
    assert collected(scene.of_lost) == [*TEXTS, b"new"]


def test_of_one_that_was_given_up_no_deleted_mailbox_comes_back_at_its_address(scene, bring):
    deletes(scene.forgotten, scene.retired)
    work_off(scene.forgotten)
    deletes(scene.forgotten, scene.leaving_then)
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA c_forgotten CASCADE")
    give_up_customer(scene.forgotten, by=SYSTEM)
    done = bring("", "forgotten", with_deleted=True)
    former = {scene.retired.address, scene.leaving_then.address}
    assert {box["was"] for box in done["mailboxes"]} == former
    assert not {box["address"] for box in done["mailboxes"]} & former
    with pytest.raises(AddressTaken), tenant_context(customer("forgotten")):
        directory.publish(
            address=scene.retired.address,
            customer=customer("forgotten"),
            mailbox_id=uuid4(),
            status="active",
            public_key=b"",
            generation=1,
        )


def test_one_whose_schema_is_gone_comes_back_in_its_place_and_senders_keep_its_mail_meanwhile(
    scene, tmp_path
):
    deletes(scene.dropped, scene.gone_of_dropped)
    work_off(scene.dropped)
    edit_customer(scene.dropped, by=SYSTEM, name="Renamed since")
    late = makes(scene.dropped, "Made since", b"lost")
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA c_dropped CASCADE")
    mail, answers = b"Subject: new\r\n\r\n", []
    with gateway_running(Certificates(tmp_path)) as clients:

        def meanwhile(progress):
            for quota in (None, 10_000_000):
                Customer.objects.filter(pk=scene.dropped.pk).update(mailbox_quota_octets=quota)
                answers.append(clients.send(mail, scene.of_dropped.address)[:3])

        def brings(**options):
            place, key = scene.operator.place, scene.operator.key
            return restore_customer(place, key, "dropped", name=scene.made["name"], by=SYSTEM, **options)

        for options in ({"as_name": "Another"}, {"provider": "northwind"}):
            with pytest.raises(NotEmpty, match="leave out --name and --provider"):
                brings(**options)
        done = brings(with_deleted=True, tell=meanwhile)
        assert set(answers) == {b"451"}, "never for good"
        assert clients.send(mail, scene.of_dropped.address).startswith(b"450"), "suspended"
        assert clients.send(mail, scene.gone_of_dropped.address).startswith(b"550")
        assert clients.send(mail, late.address).startswith(b"550")
    back = customer("dropped")
    told, counted = told_and_counted(back)
    assert told == counted and late.mailbox.pk not in told
    assert (back.pk, back.name, done.in_its_place) == (scene.dropped.pk, "Renamed since", True)
    assert done.lost == [late.address]
    assert collected(scene.of_dropped) == TEXTS
    again = box_of("dropped", "Gone", scene.gone_of_dropped.password)
    assert again.address != scene.gone_of_dropped.address, "of a deleted mailbox nobody has it again"
    assert collected(again) == [b"gone"]
    services.activate_mailbox(back, scene.of_dropped.mailbox, by=SYSTEM)
    takes(scene.of_dropped, b"new")
    assert collected(scene.of_dropped) == [*TEXTS, b"new"]


def test_a_schema_without_tables_gives_way_to_the_one_that_comes_back_and_anything_else_does_not(
    scene, bring
):
    """Somebody has typed CREATE SCHEMA for the one that was lost."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP SCHEMA c_emptied CASCADE; CREATE SCHEMA c_emptied; CREATE TYPE c_emptied.kept AS (v text)"
        )
        with pytest.raises(
            CommandError,
            match=r"“emptied” is one that is none of a customer's, and that is not dropped: cannot drop",
        ):
            bring("", "emptied")
        cursor.execute("SELECT to_regtype('c_emptied.kept') IS NOT NULL")
        assert cursor.fetchone() == (True,)
        cursor.execute("DROP TYPE c_emptied.kept; CREATE TABLE c_emptied.notes ()")
        with pytest.raises(CommandError, match=r"table c_emptied\.notes depends .*RENAME TO"):
            bring("", "emptied")
        cursor.execute("DROP TABLE c_emptied.notes")
    done = bring("", "emptied", active=True)
    assert (done["in_its_place"], done["id"]) == (True, str(scene.emptied.pk))
    takes(scene.of_emptied, b"new")
    assert collected(scene.of_emptied) == [*TEXTS, b"new"]
    with pytest.raises(CommandError, match="The customer emptied is there"):
        bring("", "emptied")


def test_one_that_was_given_up_comes_back_where_an_empty_schema_stands(scene, bring):
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA c_emptied CASCADE; CREATE SCHEMA c_emptied")
        give_up_customer(scene.emptied, by=SYSTEM)
        assert not schema_exists("c_emptied")
        cursor.execute("CREATE SCHEMA c_emptied")
    bring("", "emptied")
    assert collected(scene.of_emptied) == TEXTS


# --- What is refused ---
@pytest.mark.parametrize(
    ("why", "options"),
    [
        ("The customer acme is there", {"as_slug": ""}),
        ("“globex” is taken", {"as_slug": "globex"}),
        ("“Not One” can't be used", {"as_slug": "Not One"}),
        (r"There is no customer 'nobody' in \S+\. It has acme", {"slug": "nobody"}),
        ("There is no provider", {"provider": "nobody"}),
        ("sealed to the recovery key", {"key": new_recovery_key()[1]}),
        ("no whole backup", {"set": "2020-01-01T000000.000000Z"}),
        ("--secrets-to goes without --customer", {"secrets_to": "somewhere"}),
        ("--as goes with --customer only", {"slug": ""}),
        ("--name goes with --customer only", {"slug": "", "as_slug": "", "as_name": "Acme of then"}),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_to_be_seen(why, options, bring):
    there = set(Customer.objects.values_list("slug", flat=True))
    with pytest.raises(CommandError, match=why):
        bring(**{"as_slug": "acme-refused", **options})
    assert set(Customer.objects.values_list("slug", flat=True)) == there


def test_nobody_brings_one_while_a_backup_is_taken(bring):
    with alone.be_alone(), pytest.raises(CommandError, match="Another backup"):
        bring("acme-refused")


@pytest.fixture
def altered():
    """A file, of which one bit is another for a while."""
    changed = []

    def alter(path):
        changed.append((path, path.read_bytes()))
        path.write_bytes(changed[-1][1][:-1] + bytes([changed[-1][1][-1] ^ 1]))

    yield alter
    for path, whole in changed:
        path.write_bytes(whole)


@pytest.mark.parametrize("part", sorted(PARTS))
def test_a_part_that_was_altered_is_found_before_anything_is_to_be_seen(part, scene, bring, altered):
    (path,) = [
        path
        for path in scene.operator.files()
        if path.name == part and path.parent.name == scene.made["name"]
    ]
    altered(path)
    with pytest.raises(CommandError, match="not what was"):
        bring("acme-refused")
    assert not Customer.objects.filter(slug="acme-refused").exists()


def test_a_message_that_was_altered_stays_out_only_when_it_is_asked_for(scene, bring, altered):
    with tenant_context(scene.acme):
        blobs = Message.objects.filter(mailbox=scene.journal.mailbox, key__generation=1)
        name = blobs.order_by("pk").values_list("blob", flat=True)[0]
    altered(Path(scene.operator.place.removeprefix("file://"), "blobs", name))
    with pytest.raises(CommandError, match="missing or altered there"):
        bring("acme-damaged")
    assert not Customer.objects.filter(slug="acme-damaged").exists()
    with pytest.raises(CommandError, match="1 message of the backup missing or altered"):
        bring("acme-damaged", despite_damage=True)
    assert collected(box_of("acme-damaged", JOURNAL, scene.then)) == TEXTS[1:]
    report = janitor.check_store(customer("acme-damaged"), by=SYSTEM)
    assert len(report.missing) == 1, "and nothing else is wrong"


@pytest.mark.parametrize("act", ["backup", "restore", "one customer"])
def test_without_a_database_it_is_refused_in_one_line(act, scene, bring, monkeypatch, tmp_path):
    acts = {
        "backup": scene.operator.backs_up,
        "restore": lambda: scene.operator.restores(monkeypatch),
        "one customer": lambda: bring("acme-refused"),
    }
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", str(tmp_path))
        with pytest.raises(CommandError, match=r"^The database did not [^\n]+$"):
            acts[act]()
        connection.close()


@pytest.fixture
def on_a_cluster():
    names = "public.tenants_two_phases, public.pg_dist_schema"  # what is asked for
    with connection.cursor() as cursor:
        for name in names.split(", "):
            cursor.execute(f"CREATE TABLE {name} ()")
        yield
        cursor.execute(f"DROP TABLE {names}")


@pytest.mark.parametrize("act", ["backup", "one customer"])
def test_on_a_cluster_it_is_refused_in_one_line(act, scene, bring, on_a_cluster):
    acts = {"backup": scene.operator.backs_up, "one customer": lambda: bring("acme-refused")}
    with pytest.raises(CommandError, match=r"^This database is a cluster[^\n]+docs/cluster.md[^\n]+$"):
        acts[act]()


# --- At the worst moment ---
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
def test_killed_it_is_not_to_be_seen_and_the_next_run_ends_it(disk, point, scene, bring, tmp_path):
    slug = f"acme-killed-{disk}-{point.replace(':', '-')}"
    (tmp_path / "marks").mkdir()
    environment = {
        **environment_of_processes(),
        "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
        "BREAKING_DISK": scene.operator.place.removeprefix("file://")
        if disk == "place"
        else str(scene.store),
        "BREAKING_KILL_AT": point,
        "BREAKING_KILL_MARKS": str(tmp_path / "marks"),
    }
    which = ("--customer", "acme", "--as", slug, "--set", scene.made["name"])
    done = subprocess.run(
        [sys.executable, "manage.py", "restore", scene.operator.place, *which],
        env=environment,
        cwd=ROOT,
        input=scene.operator.key,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not Customer.objects.filter(slug=slug).exists()
    assert not schema_exists(f"c_{slug.replace('-', '_')}")
    known = {pk.hex for pk in Customer.objects.values_list("pk", flat=True)}
    left = [path for path in scene.store.rglob("*") if path.is_file() and not known & set(path.parts)]
    for path in left[:1]:  # and what it left is not what it was any more, but for its size
        path.write_bytes(b"\0" * path.stat().st_size)
    done = bring(slug)
    assert collected(box_of(slug, JOURNAL, scene.then)) == TEXTS
    report = janitor.check_store(customer(slug), by=SYSTEM)
    assert (report.ok, report.blobs, report.young) == (True, done["messages"], 0)


def test_neither_upgrade_nor_somebody_elses_customer_waits_while_rows_are_loaded(bring, monkeypatch):
    spares.refill(1)
    count_anew = tallies.count_anew

    def create():
        try:
            return create_customer("acme-wanted", "Quicker", provider=provider("northwind"), by=SYSTEM)
        finally:
            connections.close_all()

    def meanwhile():
        count_anew()
        with tools.connect() as other:
            tables = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            tables.remove(("tenants_spareschema",))  # it holds the one that it fills
            assert ("tenants_customer",) in tables
            # As migrations do, and an upgrade that waits for customers in the making.
            with other.transaction():
                for (table,) in tables:
                    other.execute(f'LOCK TABLE public."{table}" IN ACCESS EXCLUSIVE MODE NOWAIT')
        with ThreadPoolExecutor(1) as somebody:
            assert somebody.submit(create).result(30).slug == "acme-wanted"

    monkeypatch.setattr(tallies, "count_anew", meanwhile)
    with pytest.raises(CommandError, match="“acme-wanted” is taken"):
        bring("acme-wanted")
    assert customer("acme-wanted").name == "Quicker"


# --- Of other releases ---
@pytest.fixture(scope="module")
def of_other_releases(scene):
    """A backup in which one customer is of an earlier release, and one of a later: its name, and the earlier one's mailbox."""
    northwind = provider("northwind")
    earlier, later = (
        create_customer(slug, slug, provider=northwind, by=SYSTEM) for slug in ("earlier", "later")
    )
    with override_settings(STORE_ROOT=scene.store):
        box = makes(earlier, "Journal", *TEXTS)
        with tenant_context(earlier):
            MigrationExecutor(connection).migrate([("mailboxes", "0009_more_that_nobody_sees")])
        with tenant_context(later):
            MigrationRecorder.Migration.objects.create(app="mailboxes", name="9001_labels")
        yield back_up(scene.operator.place, by=SYSTEM).name, box
        with tenant_context(later):
            MigrationRecorder.Migration.objects.filter(name="9001_labels").delete()


def test_what_an_earlier_release_backed_up_is_brought_to_this_one(bring, of_other_releases):
    name, box = of_other_releases
    bring("earlier-today", "earlier", set=name)
    assert collected(box_of("earlier-today", "Journal", box.password)) == TEXTS
    assert schemas.customers()["c_earlier_today"].is_noted


def test_what_a_later_release_backed_up_is_refused(bring, of_other_releases):
    name, _ = of_other_releases
    with pytest.raises(CommandError, match="was taken by a later release, with mailboxes.9001_labels"):
        bring("later-today", "later", set=name)


def test_a_mailbox_that_was_brought_back_counts_as_deleted_only_once_it_is_deleted_anew(scene, bring):
    owner = create_customer("twice", "Twice", provider=provider("northwind"), by=SYSTEM)
    makes(owner, "Journal", *TEXTS)
    gone = makes(owner, "Gone", b"kept")
    first = scene.operator.backs_up_whatever_it_says()
    deletes(owner, gone)
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA c_twice CASCADE")
    restore_customer(
        scene.operator.place, scene.operator.key, "twice", name=first, with_deleted=True, by=SYSTEM
    )
    brought_at = timezone.now()
    assert wait_until(
        lambda: timezone.now().replace(microsecond=0) > brought_at, 5
    )  # a manifest tells no less
    second = scene.operator.backs_up_whatever_it_says()
    assert bring("twice-again", "twice", set=second)["left_out"] == []
    deletes(customer("twice"), box_of("twice", "Gone", gone.password))
    assert [one["name"] for one in bring("twice-more", "twice", set=second)["left_out"]] == ["Gone"]


def test_what_somebody_wrote_into_the_trail_keeps_nobody_from_coming_back(scene, bring):
    forged = create_customer("forged", "Forged", provider=provider("northwind"), by=SYSTEM)
    box, gone = makes(forged, "Journal", *TEXTS), makes(forged, "Gone")
    name = scene.operator.backs_up_whatever_it_says()
    for at, target in [("now", "nobody"), ("infinity", gone.mailbox.pk), ("0044-03-15 BC", "x")]:
        forges(forged, at, target)
    made = bring("forged-old", "forged", set=name)
    assert [one["name"] for one in made["left_out"]] == ["Gone"]
    assert collected(box_of("forged-old", "Journal", box.password)) == TEXTS


@pytest.mark.parametrize("made", ["repeat('[', 9000) || repeat(']', 9000)", '\'[["x", "y"]]\''])
def test_a_key_with_names_that_are_none_is_refused(made, scene, bring):
    odd = create_customer(f"odd-{len(made)}", "Odd", provider=provider("northwind"), by=SYSTEM)
    makes(odd, "Journal", b"some")
    with tenant_context(odd), connection.cursor() as cursor:
        cursor.execute(f"UPDATE mailboxes_mailboxkey SET sealed_as = ({made})::jsonb")
    name = scene.operator.backs_up_whatever_it_says()
    with pytest.raises(CommandError, match="A key of the backup is none that this release knows"):
        bring(f"{odd.slug}-old", odd.slug, set=name)
