"""What each store promises, asked of a folder and of a bucket on a real server alike; and what a bucket's server may do."""

import os
import stat
import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.batch import Batch, remove_all
from mailboxes.models import Message
from mailboxes.services import collection, delivery, janitor
from mailboxes.store import s3, store
from mailboxes.store.s3 import PART_OCTETS, READ_OCTETS
from tests.breaking.kit import short_or_long
from tests.conftest import PEER

MAIL = b"Subject: hello\r\n\r\nA line.\r\n"
CUSTOMER, MAILBOX = uuid4(), uuid4()
FOLDER = f"{CUSTOMER.hex}/{MAILBOX.hex}"

pytestmark = pytest.mark.usefixtures("kept")
both_kinds = pytest.mark.parametrize("kept", ["folder", "bucket"], indirect=True)
in_a_bucket = pytest.mark.parametrize("kept", ["bucket"], indirect=True)


@pytest.fixture
def kept(request):
    """Where this test's messages lie."""
    if request.param == "bucket":
        request.getfixturevalue("s3_store")


@pytest.fixture
def lax():
    before = os.umask(0)
    yield
    os.umask(before)


def put(octets, *, shard="", mailbox=MAILBOX):
    name = store().new_name(CUSTOMER, mailbox, shard)
    draft = store().draft(name)
    draft.write(octets)
    draft.keep()
    return name


def read(name):
    return b"".join(store().chunks(name))


def listed():
    return {name: blob.octets for _, blobs in store().shards(FOLDER) for name, blob in blobs.items()}


# --- The contract ---
@pytest.mark.parametrize("kept", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("folder", "folders", "files"),
    [(0o700, 0o700, 0o600), (0o755, 0o700, 0o600), (0o770, 0o770, 0o660), (0o2770, 0o2770, 0o660)],
    ids=["its owner's", "open to all", "a group's", "a group's, whoever writes"],
)
def test_a_folder_that_a_group_may_write_into_is_the_groups_and_any_other_its_owners(
    settings, lax, folder, folders, files
):
    """With systemd each kind of process is a user of its own, and one removes what another has written."""
    settings.STORE_ROOT.chmod(folder)
    put(b"a mail")
    store().show_sign("sign/of-life")
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in settings.STORE_ROOT.rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {folders}
    assert {mode for path, mode in found.items() if path.is_file()} == {files}


@both_kinds
@pytest.mark.parametrize(
    "octets",
    [0, 1, READ_OCTETS, READ_OCTETS + 1, PART_OCTETS, PART_OCTETS + READ_OCTETS + 1],
    ids=["nothing", "one", "one read", "two reads", "one part", "parts"],
)
def test_what_is_kept_comes_back_octet_by_octet_and_not_before(octets):
    content = os.urandom(octets)
    name = store().new_name(CUSTOMER, MAILBOX)
    draft = store().draft(name)
    for start in range(0, octets, 100_000):
        draft.write(content[start : start + 100_000])
    assert store().look_at(name) is None
    with pytest.raises(errors.MessageGone):
        store().chunks(name)
    draft.keep()
    assert read(name) == content
    assert store().look_at(name).octets == octets
    assert listed() == {name: octets}
    assert abs(store().look_at(name).placed_at - time.time()) < 60


@both_kinds
def test_a_reader_that_has_enough_reads_no_further():
    name = put(os.urandom(3 * READ_OCTETS))
    pieces = store().chunks(name)
    assert next(pieces)
    pieces.close()
    assert len(read(name)) == 3 * READ_OCTETS


@both_kinds
@pytest.mark.parametrize("octets", [10, PART_OCTETS + 1], ids=["small", "large"])
def test_a_draft_that_is_discarded_leaves_nothing_whenever_that_is(octets):
    for until in ("begun", "written", "kept"):
        draft = store().draft(store().new_name(CUSTOMER, MAILBOX))
        if until != "begun":
            draft.write(bytes(octets))
        if until == "kept":
            draft.keep()
        draft.discard()
        draft.discard()
    assert listed() == {}


@both_kinds
def test_a_batch_is_kept_together_but_for_what_is_dropped(db):
    batch = Batch(CUSTOMER, MAILBOX)
    drafts = [batch.draft() for _ in range(3)]
    for number, draft in enumerate(drafts):
        draft.write(b"%d" % number)
    batch.drop(drafts[1])
    for draft in (drafts[0], drafts[2]):
        batch.finish(draft)
    batch.keep()
    assert [read(drafts[0].name), read(drafts[2].name)] == [b"0", b"2"]
    assert len(listed()) == 2
    remove_all(listed())
    assert listed() == {}

    batch = Batch(CUSTOMER, MAILBOX)
    (draft := batch.draft()).write(b"given up")
    batch.finish(draft)
    batch.discard()
    assert listed() == {}


@both_kinds
def test_another_attempt_goes_over_what_the_one_before_left():
    name = put(b"one")
    store().draft(name, again=True)  # killed here
    draft = store().draft(name, again=True)
    draft.write(b"another")
    assert read(name) == b"one", "never is there nothing"
    draft.keep()
    assert read(name) == b"another"


@both_kinds
def test_what_is_removed_is_gone_and_may_be_removed_again():
    name, other = put(b"one"), put(b"other")
    store().remove(name)
    store().remove(name)
    assert store().look_at(name) is None
    with pytest.raises(errors.MessageGone):
        store().chunks(name)
    assert read(other) == b"other"


@both_kinds
@pytest.mark.parametrize(
    "name", ["", "nonsense", "../../etc/passwd", "a/b/zz/c", pytest.param(FOLDER, id="a mailbox")]
)
def test_what_can_be_no_name_names_nothing(name):
    put(b"one")
    assert store().look_at(name) is None


@both_kinds
def test_folders_and_shards_tell_what_lies_where():
    neighbour = uuid4()
    assert store().folders(CUSTOMER.hex) == []
    assert listed() == {}
    early, late = put(b"early", shard="00"), put(b"late", shard="fe")
    beside = put(b"beside", mailbox=neighbour)
    assert store().folders() == [CUSTOMER.hex]
    assert store().folders(CUSTOMER.hex) == sorted([MAILBOX.hex, neighbour.hex])
    shards = list(store().shards(FOLDER))
    assert [number for number, _ in shards] == list(range(256))
    assert {number: set(blobs) for number, blobs in shards if blobs} == {0: {early}, 254: {late}}
    for first, there in ((0, {early, late}), (1, {late}), (254, {late}), (255, set())):
        rest = list(store().shards(FOLDER, first))
        assert [number for number, _ in rest] == list(range(first, 256))
        assert {name for _, blobs in rest for name in blobs} == there

    store().remove_mailbox(CUSTOMER, MAILBOX)
    store().remove_mailbox(CUSTOMER, MAILBOX)
    assert listed() == {}
    assert read(beside) == b"beside"
    assert store().holds_anything(CUSTOMER.hex)
    store().remove_mailbox(CUSTOMER, neighbour)
    assert not store().holds_anything(CUSTOMER.hex)


@both_kinds
def test_a_listing_of_many_is_whole():
    """More than a server gives at once, which takes long."""
    count = short_or_long(50, 1_100)
    batch = Batch(CUSTOMER, MAILBOX)
    names = set()
    for number in range(count):
        draft = batch.draft()
        draft.write(b"%d" % number)
        batch.finish(draft)
        names.add(draft.name)
    batch.keep()
    assert set(listed()) == names
    store().remove_mailbox(CUSTOMER, MAILBOX)
    assert listed() == {}


# --- What is built on it ---
@both_kinds
def test_mail_comes_is_re_encrypted_collected_and_deleted(acme, acme_mailbox, fill, collect, work, in_acme):
    texts = [MAIL, b"", os.urandom(READ_OCTETS + 100)]
    fill(*texts)
    assert collect(acme_mailbox.password) == texts
    password, job = services.reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    before = set(Message.objects.values_list("blob", flat=True))
    assert work(job).state == "done"
    assert collect(password) == texts
    assert not any(store().look_at(name) for name in before)

    maildrop = collection.open_maildrop(acme_mailbox.address, password, peer=PEER)
    maildrop.commit([0])
    assert collect(password) == texts[1:]
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    assert work(services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)).state == "done"
    assert not store().holds_anything(acme.pk.hex)


@both_kinds
def test_check_and_janitor_find_what_is_missing_cut_and_nobodys(
    acme, acme_mailbox, fill, in_acme, monkeypatch
):
    fill(MAIL, MAIL, MAIL)
    gone, cut, whole = Message.objects.order_by("pk")
    store().remove(gone.blob)
    draft = store().draft(cut.blob, again=True)
    draft.write(b"".join(store().chunks(cut.blob))[:-1])
    draft.keep()
    orphan = store().draft(store().new_name(acme.pk, acme_mailbox.mailbox.pk))
    orphan.write(b"nobody's")
    orphan.keep()

    report = janitor.check_store(acme, by=SYSTEM)
    assert [missing.uid for missing in report.missing] == [gone.uid]
    assert [wrong.uid for wrong in report.wrong_size] == [cut.uid]
    assert (report.messages, report.blobs, report.young, report.orphans) == (3, 3, 1, [])

    assert janitor.tidy(acme).orphans == 0, "it may be about to get its row"
    monkeypatch.setattr(janitor, "SAFE_AGE", timedelta(seconds=-1))
    done = janitor.tidy(acme)
    assert (done.orphans, done.octets) == (1, len(b"nobody's"))
    assert store().look_at(orphan.name) is None
    assert store().look_at(whole.blob)
    assert set(Message.objects.filter(damaged_at__isnull=False)) == {gone, cut}


@both_kinds
def test_another_or_an_emptied_store_marks_no_mail(acme, acme_mailbox, fill, collect, in_acme, settings):
    """Who forgot a mount or mistyped the prefix."""
    fill(MAIL)
    url, root = settings.STORE_URL, settings.STORE_ROOT
    settings.STORE_URL = url + "/elsewhere"
    settings.STORE_ROOT = root / "elsewhere"
    for act in (lambda: janitor.tidy(acme), lambda: collect(acme_mailbox.password)):
        with pytest.raises((errors.StoreFailed, errors.MessageGone)):
            act()
    settings.STORE_URL, settings.STORE_ROOT = url, root
    assert not Message.objects.exclude(damaged_at=None).exists()
    assert collect(acme_mailbox.password) == [MAIL]


# --- What a server may do ---
@in_a_bucket
def test_a_name_is_given_once(s3_store):
    name = put(b"one")
    draft = store().draft(name)
    draft.write(b"another")
    with pytest.raises(errors.StoreFailed):
        draft.keep()
    draft.discard()
    assert read(name) == b"one"


@in_a_bucket
def test_what_the_environment_says_to_other_programs_changes_nothing(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "another",
        "AWS_SECRET_ACCESS_KEY": "another",
        "AWS_SESSION_TOKEN": "another",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_REGION": "elsewhere-1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }.items():
        monkeypatch.setenv(name, value)
    assert read(put(b"one")) == b"one"


@in_a_bucket
@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        ("503 Service Unavailable", "SlowDown", errors.StoreFailed),
        ("500 Internal Server Error", "InternalError", errors.StoreFailed),
        ("403 Forbidden", "InvalidAccessKeyId", errors.StoreFailed),
        ("404 Not Found", "NoSuchBucket", errors.StoreFailed),
        ("507 Insufficient Storage", "XMinioStorageFull", errors.StoreFull),
    ],
)
def test_what_a_server_can_not_do_is_told_and_over_when_it_can(
    s3_gate, acme, acme_mailbox, fill, collect, in_acme, settings, monkeypatch, status, code, raised
):
    settings.S3_TIMEOUT = 1
    monkeypatch.setattr(s3, "RETRIES", 0)
    fill(MAIL)
    name = put(b"one")
    s3_gate.says(status, code)
    if code != "NoSuchBucket":  # which the answer to such a question has no room to say
        with pytest.raises(raised):
            store().look_at(name)
    for act in (
        lambda: fill(MAIL),
        lambda: store().chunks(name),
        lambda: store().remove(name),
        lambda: store().folders(CUSTOMER.hex),
        listed,
        lambda: store().require_ready(),
    ):
        with pytest.raises(raised):
            act()
    with pytest.raises(raised):
        collect(acme_mailbox.password)
    assert not Message.objects.exclude(damaged_at=None).exists(), "that nobody answers says nothing of a mail"
    s3_gate.open()
    fill(b"after")
    assert collect(acme_mailbox.password) == [MAIL, b"after"]
    store().require_ready()


@in_a_bucket
def test_a_server_that_is_busy_is_asked_again_and_given_up_within_seconds(
    s3_gate, acme_mailbox, fill, collect, settings
):
    settings.S3_TIMEOUT = 0.5
    s3_gate.says("503 Service Unavailable", "SlowDown")
    began = time.monotonic()
    with pytest.raises(errors.StoreFailed):
        fill(b"put off")
    assert 0.2 < time.monotonic() - began < 5
    settings.S3_TIMEOUT = 20
    soon = threading.Timer(0.2, s3_gate.open)
    soon.start()
    fill(MAIL)
    soon.join()
    assert collect(acme_mailbox.password) == [MAIL]


@in_a_bucket
def test_a_server_that_says_nothing_is_waited_for_for_seconds(s3_gate, acme_mailbox, fill, collect, settings):
    settings.S3_TIMEOUT = 0.4
    fill(MAIL)
    s3_gate.holds()
    for act in (lambda: fill(MAIL), lambda: collect(acme_mailbox.password)):
        began = time.monotonic()
        with pytest.raises(errors.StoreFailed):
            act()
        assert time.monotonic() - began < 5
    s3_gate.open()
    assert collect(acme_mailbox.password) == [MAIL]


@in_a_bucket
def test_no_room_for_a_draft_of_a_large_mail_is_no_room(acme_mailbox, settings, tmp_path, monkeypatch):
    """It waits on this machine until it is whole."""
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    recipient = delivery.resolve(acme_mailbox.address, peer=PEER)
    delivery.deliver([recipient], [MAIL])
    with pytest.raises(errors.StoreFailed):
        delivery.deliver([recipient], [bytes(2 * READ_OCTETS)])
