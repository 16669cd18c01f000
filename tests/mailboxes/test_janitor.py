"""The janitor finds what is lost, removes what nobody needs, and errs in neither while others work."""

import json
import os
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Mailbox, MailboxKey, Message
from mailboxes.services import collection, delivery, janitor
from mailboxes.services.janitor import check_store, tidy, tidy_mailbox
from mailboxes.store import store
from mailboxes.work.slices import work_slice
from tests.conftest import PEER

MAIL = b"Subject: hello\r\n\r\nA line.\r\n"
OLD = janitor.SAFE_AGE.total_seconds() + 60


@pytest.fixture
def path(settings):
    """Where a blob lies."""
    return lambda blob: settings.STORE_ROOT / blob


@pytest.fixture
def messages(acme, database):
    def read():
        with tenant_context(acme):
            return list(Message.objects.order_by("pk"))

    return read


@pytest.fixture
def lies_there(acme, acme_mailbox, path):
    """A file in the mailbox's folder that no message names, so many seconds old."""

    def put(age=OLD, *, suffix="", customer=acme, mailbox_id=None):
        name = store().new_name(customer.pk, mailbox_id or acme_mailbox.mailbox.pk) + suffix
        path(name).parent.mkdir(parents=True, exist_ok=True)
        path(name).write_bytes(b"sealed")
        grow_old(path(name), age)
        return name

    return put


def grow_old(file, age=OLD):
    os.utime(file, (time.time() - age, time.time() - age))


def files(settings):
    return [file for file in settings.STORE_ROOT.rglob("*") if file.is_file()]


@contextmanager
def right_after(words, act):
    """Somebody else acts at the worst moment: once, right after the database has answered a query with these words."""
    acted = []

    def look_on(execute, statement, *arguments):
        answer = execute(statement, *arguments)
        if words in statement and not acted:
            acted.append(words)
            act()
        return answer

    with connection.execute_wrapper(look_on):
        yield
    assert acted, f"nobody asked for {words}"


ROWS_OF_A_MAILBOX = '"mailboxes_message"."blob"::text LIKE'
WHO_NAMES_THESE = '"mailboxes_message"."blob" IN'


# --- Looking ---
def test_a_store_where_all_is_well(acme, fill):
    fill(MAIL, b"", bytes(200_000))
    report = check_store(acme, by=SYSTEM)
    assert report.ok
    assert (report.messages, report.blobs, report.young) == (3, 3, 0)
    assert (report.missing, report.wrong_size, report.orphans) == ([], [], [])


def test_a_customer_without_mail_is_well(globex):
    report = check_store(globex, by=SYSTEM)
    assert report.ok
    assert (report.messages, report.blobs) == (0, 0)


@pytest.mark.parametrize("few", [0, 20_000], ids=["by the shard", "at once"])
def test_each_missing_and_each_wrong_blob_is_named(
    acme, acme_mailbox, fill, messages, path, monkeypatch, few
):
    monkeypatch.setattr(janitor, "FEW", few)
    fill(MAIL, MAIL, MAIL, MAIL)
    gone, cut, longer, whole = messages()
    path(gone.blob).unlink()
    size = path(whole.blob).stat().st_size
    os.truncate(path(cut.blob), size - 1)
    os.truncate(path(longer.blob), size + 1)
    report = check_store(acme, by=SYSTEM)
    assert not report.ok
    assert report.missing == [janitor.MissingBlob(acme_mailbox.address, gone.uid, gone.blob)]
    assert {wrong.uid: (wrong.octets, wrong.expected) for wrong in report.wrong_size} == {
        cut.uid: (size - 1, size),
        longer.uid: (size + 1, size),
    }
    assert (report.messages, report.blobs) == (4, 3)


def test_a_whole_folder_that_is_missing_is_told_message_by_message(acme, fill, messages, settings):
    fill(MAIL, MAIL)
    shutil.rmtree(settings.STORE_ROOT / acme.pk.hex)
    assert {missing.uid for missing in check_store(acme, by=SYSTEM).missing} == {
        message.uid for message in messages()
    }


@pytest.mark.parametrize("blob", ["nonsense", "../../etc/passwd", "a/b/zz/c", ""])
def test_a_message_with_a_name_that_nobody_gave_it_is_told(acme, fill, messages, blob):
    fill(MAIL, MAIL)
    lost = messages()[0]
    with tenant_context(acme):
        Message.objects.filter(pk=lost.pk).update(blob=blob)
    report = check_store(acme, by=SYSTEM)
    assert [missing.uid for missing in report.missing] == [lost.uid]
    assert (report.messages, report.young) == (2, 1)


def test_mail_that_is_removed_on_purpose_is_not_missed(acme, acme_mailbox, fill, messages, path):
    fill(MAIL)
    path(messages()[0].blob).unlink()
    with tenant_context(acme):
        MailboxKey.objects.update(state="destroyed")
    assert check_store(acme, by=SYSTEM).ok
    with tenant_context(acme):
        MailboxKey.objects.update(state="current")
        assert not check_store(acme, by=SYSTEM).ok
        Mailbox.objects.update(status="deleting")
    assert check_store(acme, by=SYSTEM).ok


def test_an_old_file_without_a_message_is_an_orphan_and_a_young_one_may_be_on_its_way(acme, fill, lies_there):
    fill(MAIL)
    old, draft = lies_there(), lies_there(suffix=".draft")
    lies_there(OLD - 120)
    report = check_store(acme, by=SYSTEM)
    assert {orphan.name for orphan in report.orphans} == {old, draft}
    assert all(OLD <= orphan.age_seconds < OLD + 60 and orphan.octets == 6 for orphan in report.orphans)
    assert (report.ok, report.young, report.blobs) == (True, 1, 4)


def test_a_message_collected_between_the_looks_is_not_missing(acme, fill, messages, path):
    fill(MAIL)

    def collect():
        (message,) = messages()
        message.delete()
        path(message.blob).unlink()

    with right_after(ROWS_OF_A_MAILBOX, collect):
        report = check_store(acme, by=SYSTEM)
    assert (report.ok, report.messages) == (True, 1)


def test_a_message_re_encrypted_between_the_looks_is_not_missing(acme, acme_mailbox, fill, messages, path):
    fill(MAIL)

    def move():
        (message,) = messages()
        new = store().new_name(acme.pk, acme_mailbox.mailbox.pk)
        path(new).parent.mkdir(exist_ok=True)
        shutil.copy(path(message.blob), path(new))
        Message.objects.update(blob=new)
        path(message.blob).unlink()

    with right_after(ROWS_OF_A_MAILBOX, move):
        report = check_store(acme, by=SYSTEM)
    assert (report.ok, report.orphans, report.young) == (True, [], 0)


def test_a_mailbox_deleted_between_the_looks_is_not_missed(acme, fill, messages, path):
    fill(MAIL)

    def delete():
        Mailbox.objects.update(status="deleting")
        path(messages()[0].blob).unlink()

    with right_after(ROWS_OF_A_MAILBOX, delete):
        assert check_store(acme, by=SYSTEM).ok


def test_a_message_that_arrives_between_the_looks_is_no_orphan(acme, fill, messages, path):
    def deliver():
        fill(MAIL)
        grow_old(path(messages()[0].blob))

    with right_after(ROWS_OF_A_MAILBOX, deliver):
        report = check_store(acme, by=SYSTEM)
    assert (report.ok, report.orphans, report.young, report.blobs) == (True, [], 0, 1)


def test_a_look_changes_nothing(acme, fill, messages, path, lies_there, settings):
    fill(MAIL)
    path(messages()[0].blob).unlink()
    lies_there()
    check_store(acme, by=SYSTEM)
    assert messages()[0].damaged_at is None
    assert len(files(settings)) == 1


def test_a_store_that_can_not_be_read_is_no_store_with_missing_mail(acme, fill, messages, path):
    fill(MAIL)
    blob = path(messages()[0].blob)
    shard = blob.parent
    blob.unlink()
    shard.rmdir()
    shard.symlink_to(shard)  # ELOOP, which root meets too
    with pytest.raises(errors.StoreFailed):
        check_store(acme, by=SYSTEM)
    with pytest.raises(errors.StoreFailed):
        tidy(acme)
    assert messages()[0].damaged_at is None


# --- Tidying ---
def test_old_orphans_and_drafts_go_and_all_else_stays(acme, acme_mailbox, fill, messages, path, lies_there):
    fill(MAIL)
    grow_old(path(messages()[0].blob))
    old = [lies_there(), lies_there(suffix=".draft")]
    young = [lies_there(OLD - 120), lies_there(0, suffix=".draft")]
    tidied = tidy(acme)
    assert (tidied.orphans, tidied.octets, tidied.missing) == (2, 12, 0)
    assert not any(path(name).exists() for name in old)
    assert all(path(name).exists() for name in young)
    assert check_store(acme, by=SYSTEM).ok
    assert check_store(acme, by=SYSTEM).messages == 1
    assert tidy(acme) == janitor.Tidied()


def test_what_a_message_names_stays_even_if_it_got_the_name_at_the_last_moment(
    acme, fill, messages, path, lies_there
):
    fill(MAIL)
    name = lies_there()

    def name_it():
        Message.objects.update(blob=name)

    with right_after(WHO_NAMES_THESE, name_it):
        tidy(acme)
    assert path(name).exists()


def test_what_a_message_of_another_mailbox_names_stays(acme, make_mailbox, fill, messages, path, lies_there):
    fill(MAIL)
    name = lies_there(mailbox_id=make_mailbox("Other").mailbox.pk)
    with tenant_context(acme):
        Message.objects.update(blob=name)
    tidy(acme)
    assert path(name).exists()


def test_the_folder_of_a_mailbox_that_is_gone_goes_with_its_last_file(acme, fill, lies_there, path, settings):
    fill(MAIL)
    gone = uuid4()
    old, young = lies_there(mailbox_id=gone), lies_there(0, mailbox_id=gone)
    folder = settings.STORE_ROOT / acme.pk.hex / gone.hex
    assert tidy(acme).orphans == 1
    assert not path(old).parent.exists()
    assert path(young).exists()
    grow_old(path(young))
    assert tidy(acme).orphans == 1
    assert not folder.exists()


def test_the_folder_of_a_living_mailbox_stays(acme, acme_mailbox, fill, settings, messages):
    fill(MAIL)
    collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER).commit([0])
    tidy(acme)
    assert (settings.STORE_ROOT / acme.pk.hex / acme_mailbox.mailbox.pk.hex).is_dir()
    fill(MAIL)
    assert check_store(acme, by=SYSTEM).messages == 1


def test_other_customers_and_what_is_not_ours_are_left_alone(acme, globex, fill, lies_there, path, settings):
    fill(MAIL)
    theirs = lies_there(customer=globex)
    stranger = settings.STORE_ROOT / acme.pk.hex / "lost+found" / "00" / "file"
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"x")
    grow_old(stranger)
    assert tidy(acme).orphans == 0
    assert path(theirs).exists()
    assert stranger.exists()


def test_a_missing_blob_is_marked_and_told_loudly_once(acme, acme_mailbox, fill, messages, path, caplog):
    fill(MAIL, MAIL)
    gone, _ = messages()
    path(gone.blob).unlink()
    assert tidy(acme).missing == 1
    assert [message.damaged_at is not None for message in messages()] == [True, False]
    (told,) = [record for record in caplog.records if "is damaged" in record.message]
    assert told.levelname == "ERROR"
    assert all(word in told.message for word in (acme_mailbox.address, gone.uid.hex, gone.blob, "missing"))
    marked_at = messages()[0].damaged_at

    caplog.clear()
    assert tidy(acme).missing == 1
    assert messages()[0].damaged_at == marked_at
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "missing=1" in told.message


def test_a_blob_of_the_wrong_size_is_marked_too(acme, fill, messages, path):
    fill(MAIL)
    os.truncate(path(messages()[0].blob), 100)
    assert tidy(acme).wrong_size == 1
    assert messages()[0].damaged_at


def test_a_blob_that_is_put_back_takes_the_mark_away(acme, fill, messages, path, tmp_path):
    fill(MAIL)
    blob = path(messages()[0].blob)
    blob.rename(tmp_path / "aside")
    tidy(acme)
    with tenant_context(acme):  # files bear the time of the last tick, which may be just before the mark
        Message.objects.update(damaged_at=F("damaged_at") - timedelta(seconds=1))
    (tmp_path / "aside").rename(blob)
    tidied = tidy(acme)
    assert (tidied.missing, tidied.restored) == (0, 1)
    assert messages()[0].damaged_at is None


def test_a_blob_that_was_altered_before_the_mark_keeps_it(acme, fill, messages, path):
    fill(MAIL)
    blob = path(messages()[0].blob)
    altered = bytearray(blob.read_bytes())
    altered[-1] ^= 1
    blob.write_bytes(altered)
    with tenant_context(acme):
        Message.objects.update(damaged_at=timezone.now())
    assert tidy(acme).restored == 0
    assert messages()[0].damaged_at


def test_mail_that_is_removed_on_purpose_is_not_marked(acme, fill, messages, path):
    fill(MAIL)
    path(messages()[0].blob).unlink()
    with tenant_context(acme):
        Mailbox.objects.update(status="deleting")
    assert tidy(acme).missing == 0
    assert messages()[0].damaged_at is None


def test_a_store_that_is_not_mounted_marks_nothing(acme, fill, messages, settings):
    fill(MAIL)
    aside = settings.STORE_ROOT.with_name("aside")
    settings.STORE_ROOT.rename(aside)
    (settings.STORE_ROOT / "lost+found").mkdir(parents=True)
    with pytest.raises(errors.StoreFailed):
        tidy(acme)
    assert messages()[0].damaged_at is None
    assert not check_store(acme, by=SYSTEM).ok
    shutil.rmtree(settings.STORE_ROOT)
    aside.rename(settings.STORE_ROOT)
    assert tidy(acme).missing == 0


def test_a_large_mailbox_is_tidied_in_pieces(acme, acme_mailbox, fill, lies_there, path):
    fill(*[MAIL] * 20)
    old = [lies_there() for _ in range(20)]
    folder = acme_mailbox.mailbox.pk.hex
    pieces = [tidy_mailbox(acme, folder, seconds=0)]
    assert pieces[0].next_shard
    while (shard := pieces[-1].next_shard) is not None:
        pieces.append(tidy_mailbox(acme, folder, first_shard=shard, seconds=0))
        assert pieces[-1].next_shard is None or pieces[-1].next_shard > shard
    assert sum(piece.orphans for piece in pieces) == 20
    assert max(piece.orphans for piece in pieces) < 20
    assert not any(path(name).exists() for name in old)
    assert check_store(acme, by=SYSTEM).messages == 20


@pytest.mark.parametrize("folder", ["", "..", "../globex", "x" * 32])
def test_only_a_mailbox_can_be_tidied(acme, folder):
    with pytest.raises(ValueError, match="hexadecimal|base 16"):
        tidy_mailbox(acme, folder)


def test_looking_and_tidying_beside_all_that_moves_mail_finds_no_fault(committed_db, acme, acme_mailbox):
    """Whatever suspicion deliveries, collections and re-encryption give rise to, the second look clears up."""
    stop, broken, moved = threading.Event(), [], []

    def forever(act):
        try:
            while not stop.is_set():
                act()
        except Exception as error:
            broken.append(error)
        finally:
            connection.close()

    def deliver():
        with suppress(errors.KeyChanged):  # the sender would try again
            delivery.deliver([delivery.resolve(acme_mailbox.address, peer=PEER)], [MAIL])

    def reset_and_collect():
        password, job = services.reset_password(
            acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
        )
        acme_mailbox.password = password.reveal()
        while job and work_slice(acme, job.pk):
            pass
        maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
        maildrop.commit(range(0, len(maildrop.entries), 2))
        moved.append(len(maildrop.entries))

    others = [threading.Thread(target=forever, args=[act]) for act in (deliver, deliver, reset_and_collect)]
    for other in others:
        other.start()
    looks = 0
    deadline = time.monotonic() + 60
    try:
        while not broken and (looks < 10 or len(moved) < 3):
            assert time.monotonic() < deadline
            report, tidied = check_store(acme, by=SYSTEM), tidy(acme)
            assert (report.missing, report.wrong_size, report.orphans) == ([], [], [])
            assert tidied == janitor.Tidied()
            looks += 1
    finally:
        stop.set()
        for other in others:
            other.join(30)
    assert broken == []
    assert sum(moved) > 0


# --- The command ---
def run(*arguments):
    """What it prints, and the complaint with which it ends."""
    out = StringIO()
    try:
        call_command("check_store", *arguments, stdout=out)
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), None


def test_the_command_tells_of_all_customers_and_ends_well(acme, fill, lies_there):
    fill(MAIL)
    orphan = lies_there()
    told, complaint = run()
    assert complaint is None
    assert f"ORPHAN      {orphan}: 6 octets, 24 hours old" in told
    assert "acme: ok: 1 message, 2 files, 0 missing, 0 of the wrong size, 0 altered, 1 orphan, " in told
    assert "globex: ok: 0 messages" in told
    assert "globex" not in run("acme")[0]


def test_the_command_names_what_is_lost_and_ends_with_an_error(acme, acme_mailbox, fill, messages, path):
    fill(MAIL, MAIL)
    gone, cut = messages()
    path(gone.blob).unlink()
    os.truncate(path(cut.blob), 7)
    told, complaint = run("acme")
    assert (
        complaint == "2 messages can't be read: their blobs are missing, have the wrong size or were altered."
    )
    assert f"MISSING     {acme_mailbox.address} {gone.uid.hex} {gone.blob}\n" in told
    assert f"WRONG SIZE  {acme_mailbox.address} {cut.uid.hex} {cut.blob}: 7 octets instead of" in told
    assert "acme: DAMAGED" in told


def test_scripts_get_one_json_object(acme, acme_mailbox, fill, messages, path, lies_there):
    fill(MAIL)
    assert json.loads(run("--json")[0])["ok"] is True
    (gone,) = messages()
    path(gone.blob).unlink()
    orphan = lies_there()
    told, complaint = run("acme", "--json")
    assert complaint.startswith("1 message can't be read: its blob is missing")
    report = json.loads(told)
    assert report["ok"] is False
    (customer,) = report["customers"]
    assert customer["missing"] == [{"mailbox": acme_mailbox.address, "uid": gone.uid.hex, "blob": gone.blob}]
    assert [(found["name"], found["octets"]) for found in customer["orphans"]] == [(orphan, 6)]
    assert (customer["customer"], customer["ok"], customer["messages"]) == ("acme", False, 1)


def test_folders_of_no_customer_are_named_by_command_and_log_and_left_alone(
    acme, globex, fill, settings, caplog
):
    fill(MAIL)
    settings.STORE_ROOT.joinpath(acme.pk.hex).rename(settings.STORE_ROOT / ("0" * 32))
    left = files(settings)
    for file in left:
        grow_old(file)
    (settings.STORE_ROOT / ("1" * 32) / ("2" * 32)).mkdir(parents=True)  # empty, so nothing to tell of
    (found,) = json.loads(run("--json")[0])["nobodys"]
    assert (found["folder"], found["files"], found["octets"]) == ("0" * 32, 1, left[0].stat().st_size)
    assert f"NOBODY'S    {'0' * 32}: 1 file, {found['octets']} octets, the newest 24 hours old" in run()[0]
    assert "NOBODY'S" not in run("globex")[0]
    with caplog.at_level("WARNING", "mailboxes.services.janitor"):
        janitor.tell_of_nobodys_folders()
    assert f"folders=1 first={'0' * 32}" in caplog.text
    assert files(settings) == left


def test_an_unknown_customer_is_refused(db):
    assert run("nobody") == ("", "There is no customer “nobody”.")
