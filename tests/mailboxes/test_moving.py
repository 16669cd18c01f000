"""An installation moves between a folder and a bucket, either way, and no message is ever missing."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.errors import StoreFailed, StoresAreOne
from mailboxes.models import Message
from mailboxes.services import collection, janitor, moving
from mailboxes.store import Access, BothStores, bucket, store, store_at
from mailboxes.store.s3 import PART_OCTETS, READ_OCTETS
from tenants import pooling
from tests import s3
from tests.breaking.kit import mails, short_or_long
from tests.breaking.workers import environment_of_processes
from tests.conftest import PEER
from tests.mailboxes.backups import end_who_holds, somebody_waits_for

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [b"Subject: one\r\n\r\n", b"", os.urandom(READ_OCTETS + 100), os.urandom(PART_OCTETS)]
either_way = pytest.mark.parametrize("way", ["into a bucket", "out of a bucket"], indirect=True)


class Way:
    """The two places, and what the settings say of them."""

    def __init__(self, settings, source, target):
        self._settings, self.source, self.target = settings, source, target
        self.stay(source)

    def stay(self, url):
        self._settings.STORE_URL, self._settings.STORE_OTHER_URL = url, ""

    def know_both(self):
        """As before, but what lies in the other place is found, too."""
        self._settings.STORE_URL, self._settings.STORE_OTHER_URL = self.source, self.target

    def begin(self):
        self._settings.STORE_URL, self._settings.STORE_OTHER_URL = self.target, self.source

    def command(self, **options):
        said = io.StringIO()
        call_command("move_store", self.source, self.target, stdout=said, **options)
        return said.getvalue()

    def left(self, customer, url=""):
        """The names of what lies in the source, or elsewhere."""
        there = store_at(url or self.source)
        return {
            name
            for mailbox in there.folders(customer.pk.hex)
            for _, blobs in there.shards(f"{customer.pk.hex}/{mailbox}")
            for name in blobs
        }


@pytest.fixture
def way(request, settings, s3_server, s3_store):
    folder, bucket = settings.STORE_ROOT.as_uri(), settings.STORE_URL
    return Way(settings, *((folder, bucket) if request.param == "into a bucket" else (bucket, folder)))


@either_way
def test_all_mail_is_in_the_other_place_and_was_to_be_read_at_each_moment(
    way, acme, acme_mailbox, fill, collect, monkeypatch
):
    monkeypatch.setattr(moving, "BATCH", 1)
    fill(*TEXTS)
    way.know_both()
    fill(b"between the restarts")
    way.begin()
    fill(b"already there")
    texts = [*TEXTS, b"between the restarts", b"already there"]
    moments = []

    def look(progress):
        assert collect(acme_mailbox.password) == texts
        moments.append(progress.messages)

    moved = moving.move_store(way.source, way.target, by=SYSTEM, tell=look)
    assert (moved.messages, moved.unnamed, moved.unreadable) == (len(texts) - 1, 0, [])
    assert set(range(1, len(texts))) <= set(moments)
    assert way.left(acme) == set()
    way.stay(way.target)
    assert collect(acme_mailbox.password) == texts
    assert janitor.check_store(acme, by=SYSTEM).ok


@pytest.mark.parametrize("way", ["into a bucket"], indirect=True)
def test_who_is_no_longer_alone_goes_no_further(
    way, committed_db, acme, acme_mailbox, fill, collect, monkeypatch
):
    monkeypatch.setattr(moving, "BATCH", 1)
    fill(*TEXTS)
    way.begin()
    others = []

    def meanwhile(progress):
        if not others:
            end_who_holds(moving.MOVE_LOCK)
            others.append(moving.move_store(way.source, way.target, by=SYSTEM).messages)

        firsts.add(progress.messages)

    firsts = set()
    with pytest.raises(pooling.LockLost, match="kept others away has ended"):
        moving.move_store(way.source, way.target, by=SYSTEM, tell=meanwhile)
    assert (firsts, others) == ({1}, [len(TEXTS) - 1]), "no message is moved by both"
    assert collect(acme_mailbox.password) == TEXTS


@either_way
def test_nothing_is_removed_by_whom_somebody_may_have_overtaken_who_turned_back(
    way, committed_db, acme, acme_mailbox, fill, collect, monkeypatch
):
    """The lock is lost when the copies are there and nothing is removed yet."""
    texts = mails(4)
    fill(*texts)
    way.begin()
    are_one, others = BothStores.are_one, []

    def meanwhile(self, folder=""):
        found = are_one(self, folder)
        if folder and not others:
            others.append("begun")
            end_who_holds(moving.MOVE_LOCK)
            way.know_both()
            others.append(moving.move_store(way.target, way.source, by=SYSTEM).messages)
            way.begin()
        return found

    monkeypatch.setattr(BothStores, "are_one", meanwhile)
    with pytest.raises(pooling.LockLost):
        moving.move_store(way.source, way.target, by=SYSTEM)
    assert others == ["begun", 4]
    assert (len(way.left(acme)), way.left(acme, way.target)) == (4, set())
    assert sorted(collect(acme_mailbox.password)) == sorted(texts)


@pytest.mark.parametrize("way", ["into a bucket"], indirect=True)
def test_who_turns_back_while_somebody_removes_waits_for_that_and_leaves_what_is_nowhere_else(
    way, committed_db, acme, acme_mailbox, fill, collect
):
    """The lock is lost in the moment before a removal, and the other one has copied all by then."""
    texts = mails(4)
    fill(*texts)
    blobs = way.left(acme)
    way.begin()
    armed, refused = [True], []

    def turns_back():
        try:
            moving.move_store(way.target, way.source, by=SYSTEM)
        except StoreFailed as error:
            refused.append(error)
        finally:
            connections.close_all()

    other = threading.Thread(target=turns_back)

    def before_the_first_removal(event, arguments):
        if event == "os.remove" and armed and str(arguments[0]).endswith(tuple(blobs)):
            armed.clear()
            end_who_holds(moving.MOVE_LOCK)
            way.know_both()
            other.start()
            while other.is_alive() and not somebody_waits_for(moving.REMOVE_LOCK):
                other.join(0.05)

    sys.addaudithook(before_the_first_removal)
    with pytest.raises(pooling.LockLost):
        moving.move_store(way.source, way.target, by=SYSTEM)
    other.join()
    assert refused, "something was to be found nowhere else"
    assert sorted(collect(acme_mailbox.password)) == sorted(texts)
    moving.move_store(way.target, way.source, by=SYSTEM)
    assert (len(way.left(acme)), way.left(acme, way.target)) == (4, set())


@either_way
def test_mail_that_comes_goes_and_is_re_encrypted_meanwhile_is_neither_lost_nor_left(
    way, acme, make_mailbox, fill, collect, work, monkeypatch
):
    monkeypatch.setattr(moving, "BATCH", 2)
    boxes = [make_mailbox(name) for name in ("first", "second", "third")]
    for box in boxes:
        fill(*mails(6), to=box)
    kept, emptied, deleted = boxes
    way.begin()
    acts = iter([*"cred"] + [""] * 100)

    def meanwhile(_progress):
        """Somebody else acts after each step."""
        match next(acts):
            case "c":
                fill(b"came", to=kept)
            case "r":
                kept.password, job = services.reset_password(
                    acme, kept.mailbox, by=SYSTEM, current_password=kept.password
                )
                work(job)
            case "e":
                maildrop = collection.open_maildrop(emptied.address, emptied.password, peer=PEER)
                maildrop.commit(range(6))
            case "d":
                services.suspend_mailbox(acme, deleted.mailbox, by=SYSTEM)
                work(services.start_deletion(acme, deleted.mailbox, by=SYSTEM))

    moving.move_store(way.source, way.target, by=SYSTEM, tell=meanwhile)
    way.stay(way.target)
    assert len(collect(kept.password, of=kept)) == 7
    assert collect(emptied.password, of=emptied) == []
    with tenant_context(acme):
        named = set(Message.objects.values_list("blob", flat=True))
    assert way.left(acme, way.target) == named
    assert way.left(acme) == set()


@pytest.mark.parametrize("way", ["out of a bucket"], indirect=True)
def test_what_is_collected_while_it_is_being_copied_comes_to_lie_nowhere(
    way, committed_db, acme, acme_mailbox, fill
):
    """The archiver removes it in the moment before the copy gets its name."""
    fill(b"one", b"two")
    way.begin()
    maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)

    def collects():
        try:
            maildrop.commit([0, 1])
        finally:
            connections.close_all()

    armed = [True]

    def at_the_worst_moment(event, arguments):
        if event == "os.rename" and str(arguments[0]).endswith(".draft") and armed:
            armed.clear()
            archiver = threading.Thread(target=collects)
            archiver.start()
            archiver.join()

    sys.addaudithook(at_the_worst_moment)
    moving.move_store(way.source, way.target, by=SYSTEM)
    assert not armed
    assert way.left(acme, way.target) == way.left(acme) == set()


@pytest.mark.parametrize("way", ["out of a bucket"], indirect=True)
def test_a_reader_in_the_middle_of_a_message_reads_on_in_the_other_place(way, acme, acme_mailbox, fill):
    fill(TEXTS[-1])
    way.begin()
    maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
    reading = maildrop.read(0)
    begun = next(reading)
    moving.move_store(way.source, way.target, by=SYSTEM)
    assert way.left(acme) == set()
    assert begun + b"".join(reading) == TEXTS[-1]
    maildrop.release()


@pytest.mark.parametrize(
    ("way", "kills"),
    [
        ("into a bucket", short_or_long(["remove:2"], ["read:1", "read:5", "remove:1", "remove:6"])),
        (
            "out of a bucket",
            short_or_long(
                ["rename:2"], ["draft:1", "draft:4", "rename:1", "rename:5", "folder:3", "folder:6"]
            ),
        ),
    ],
    indirect=["way"],
)
def test_killed_at_any_step_it_goes_on_where_it_stood(
    way, kills, committed_db, acme, acme_mailbox, fill, collect, settings, tmp_path
):
    texts = mails(8)
    fill(*texts)
    way.begin()
    environment = {
        **environment_of_processes(),
        **s3.variables(way.target, settings.S3_ENDPOINT),
        "GATEHOUSE_STORE_OTHER_URL": way.source,
        "DJANGO_SETTINGS_MODULE": "tests.breaking.worker_settings",
        "BREAKING_DISK": str(settings.STORE_ROOT),
        "BREAKING_KILL_AT": " ".join(kills),
        "BREAKING_KILL_MARKS": str(tmp_path),
    }
    command = [sys.executable, "manage.py", "move_store", way.source, way.target, "--json"]
    for _ in kills:
        done = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert way.left(acme), "it was killed in the middle"
        assert collect(acme_mailbox.password) == texts
    assert {path.name for path in tmp_path.iterdir()} >= set(kills)
    assert json.loads(way.command(json=True))["unreadable"] == []
    assert way.left(acme) == set()
    way.stay(way.target)
    assert collect(acme_mailbox.password) == texts


@either_way
def test_progress_is_told_and_what_to_do_next(way, acme_mailbox, fill, monkeypatch):
    from mailboxes.management.commands import move_store

    monkeypatch.setattr(move_store, "TELL_SECONDS", 0.0)
    fill(*mails(3))
    way.begin()
    orphan = store_at(way.source).draft(store().new_name(acme_mailbox.mailbox.pk, acme_mailbox.mailbox.pk))
    said = way.command()
    orphan.discard()
    assert "3 messages moved, 0.0 MB, 0 of " in said
    assert said.endswith(
        "3 messages moved, 0.0 MB.\nNow unset GATEHOUSE_STORE_OTHER_URL and start all processes again.\n"
    )
    facts = json.loads(way.command(json=True))
    assert facts == {"messages": 0, "octets": 0, "unnamed": 0, "unreadable": [], "missing": 0}


def _linked(root):
    link = root.with_name("link")
    link.symlink_to(root)
    return link.as_uri()


@pytest.mark.parametrize(
    ("alias", "is_seen_by_name"),
    [
        (_linked, True),
        (lambda root: f"file://{root.parent}/./{root.name}", True),
        (lambda root: f"file://{root.parent}/%{ord(root.name[0]):02x}{root.name[1:]}", True),
        (lambda root: (root / "within").as_uri(), True),
        (lambda root: root.parent.as_uri(), True),
        (_linked, False),  # as with a server's folder that is mounted twice: names and devices don't tell
    ],
    ids=["link", "dot", "escape", "within", "around", "untold"],
)
def test_a_store_is_not_moved_onto_itself_whatever_it_is_called(
    settings, acme, acme_mailbox, fill, collect, monkeypatch, alias, is_seen_by_name
):
    fill(b"one", b"two")
    settings.STORE_URL, settings.STORE_OTHER_URL = settings.STORE_ROOT.as_uri(), alias(settings.STORE_ROOT)
    assert "gatehouse.E024" in {said.id for said in run_checks()}
    if not is_seen_by_name:
        monkeypatch.setattr(moving, "overlap", lambda url, other: False)
    with pytest.raises(StoresAreOne):
        moving.move_store(settings.STORE_OTHER_URL, settings.STORE_URL, by=SYSTEM)
    settings.STORE_OTHER_URL = ""
    assert collect(acme_mailbox.password) == [b"one", b"two"]
    assert not list(settings.STORE_ROOT.glob("sign-*"))


@pytest.mark.parametrize("way", ["into a bucket"], indirect=True)
@pytest.mark.parametrize("tells", [True, False], ids=["by name", "by trying"])
def test_a_bucket_is_not_moved_onto_itself_whatever_it_is_called(
    way, settings, acme_mailbox, fill, collect, monkeypatch, tells
):
    place = way.target
    way.stay(place)
    fill(b"one")
    settings.STORE_OTHER_URL = place + "//"
    assert "gatehouse.E024" in {said.id for said in run_checks()}
    if not tells:
        monkeypatch.setattr(moving, "overlap", lambda url, other: False)
    with pytest.raises(StoresAreOne):
        moving.move_store(place + "//", place, by=SYSTEM)
    way.stay(place)
    assert collect(acme_mailbox.password) == [b"one"]


def test_places_that_become_one_in_the_middle_lose_nothing(settings, acme, acme_mailbox, fill, collect):
    """A customer's folder is the same in both."""
    fill(b"one", b"two")
    new = settings.STORE_ROOT.with_name("new")
    new.mkdir()
    old, settings.STORE_ROOT = settings.STORE_ROOT, new
    (new / acme.pk.hex).symlink_to(old / acme.pk.hex)
    settings.STORE_URL, settings.STORE_OTHER_URL = new.as_uri(), old.as_uri()
    with pytest.raises(StoresAreOne):
        moving.move_store(old.as_uri(), new.as_uri(), by=SYSTEM)
    assert collect(acme_mailbox.password) == [b"one", b"two"]


@pytest.mark.parametrize("way", ["into a bucket"], indirect=True)
def test_while_the_old_place_is_not_mounted_nothing_is_marked_and_the_move_is_not_over(
    way, settings, acme, acme_mailbox, fill, collect
):
    fill(b"one", b"two", b"three")
    way.begin()
    fill(b"new")
    root = settings.STORE_ROOT
    aside = root.rename(root.with_name("aside"))
    root.mkdir()
    with pytest.raises(StoreFailed):
        janitor.tidy(acme)
    with pytest.raises(StoreFailed):
        collect(acme_mailbox.password)
    with tenant_context(acme):
        assert not Message.objects.exclude(damaged_at=None).exists()
    with pytest.raises(CommandError, match="^3 messages lie in neither place"):
        way.command()
    root.rmdir()
    aside.rename(root)
    assert "Now unset" in way.command()
    assert collect(acme_mailbox.password) == [b"one", b"two", b"three", b"new"]


@pytest.mark.parametrize("way", ["into a bucket"], indirect=True)
def test_it_begins_only_where_both_are_known_and_once(way, committed_db, acme_mailbox, fill):
    fill(b"one")
    for settle in (lambda: way.stay(way.source), lambda: way.stay(way.target), way.know_both):
        settle()
        with pytest.raises(
            CommandError, match=r"Set GATEHOUSE_STORE_URL to .* and GATEHOUSE_STORE_OTHER_URL"
        ):
            way.command()
    way.begin()
    known = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: known[name] for name in names if known.get(name)}) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [moving.MOVE_LOCK])
        with pytest.raises(CommandError, match="Somebody else moves the message store"):
            way.command()
        other.execute("SELECT pg_advisory_unlock(%s)", [moving.MOVE_LOCK])
    assert "1 message moved" in way.command()


@pytest.mark.parametrize("way", ["out of a bucket"], indirect=True)
def test_what_can_not_be_read_stays_and_is_named_and_a_dead_server_ends_it(
    way, s3_gate, acme, acme_mailbox, fill, collect, settings
):
    settings.S3_TIMEOUT = 0.4
    texts = mails(3)
    fill(*texts)
    way.begin()
    bad = min(way.left(acme))
    s3_gate.says("500 Internal Server Error", "InternalError", to=f"GET /{way.source[5:]}/{bad}")
    with pytest.raises(CommandError, match="1 message can't be read in .* and stay there"):
        way.command()
    assert way.left(acme) == {bad}
    s3_gate.says("503 Service Unavailable", "SlowDown")
    with pytest.raises(CommandError, match="message store did not"):
        way.command()
    s3_gate.open()
    assert "1 message moved" in way.command()
    assert sorted(collect(acme_mailbox.password)) == sorted(texts)


@either_way
def test_what_bears_a_name_that_none_of_ours_has_stops_nothing_behind_it(
    way, settings, s3_server, acme, acme_mailbox, fill, collect
):
    """A line break in a key, octets that are no text in a file's name."""
    texts = mails(3)
    fill(*texts)
    folder = f"{acme.pk.hex}/{acme_mailbox.mailbox.pk.hex}"
    if way.source.startswith("s3://"):
        keys = bucket._Bucket(Access.to(way.source))
        for key in ("00/a%0Ab", "%0A", "a/b/c"):
            keys.ask("PUT", f"{folder}/{key}", b"foreign")
        keys.ask("PUT", f"{acme.pk.hex}/a%0Ab", b"foreign")
    else:
        shard = settings.STORE_ROOT / folder / "00"
        shard.mkdir(exist_ok=True)
        Path(os.fsdecode(bytes(shard) + b"/\xff\n\xfe")).write_bytes(b"foreign")
    assert janitor.tidy(acme).missing == 0
    assert janitor.check_store(acme, by=SYSTEM).ok
    way.begin()
    assert moving.move_store(way.source, way.target, by=SYSTEM).messages == 3
    assert way.left(acme) == set()
    assert collect(acme_mailbox.password) == texts

    store().remove_mailbox(acme.pk, acme_mailbox.mailbox.pk)
    if way.source.startswith("s3://"):
        assert list(bucket.objects_below(Access.to(way.source), f"{folder}/")) == []
    else:
        assert not (settings.STORE_ROOT / folder).exists()


@pytest.mark.parametrize("way", ["into a bucket"], indirect=True)
def test_an_object_that_can_not_be_removed_ends_the_removal(way, s3_gate, acme, acme_mailbox):
    """The server lists the marker of a folder, again and again."""
    way.stay(way.target)
    name, _, prefix = way.target.removeprefix("s3://").partition("/")
    key = f"{prefix}/{acme.pk.hex}/{acme_mailbox.mailbox.pk.hex}/ab/".lstrip("/")
    found = f"<Key>{key}</Key><Size>0</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    listed = f"<ListBucketResult><Name>{name}</Name><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount><Contents>{found}</Contents></ListBucketResult>"
    s3_gate.says("200 OK", listed, to="list-type=2", whole=True)
    with pytest.raises(StoreFailed):
        store().remove_mailbox(acme.pk, acme_mailbox.mailbox.pk)
