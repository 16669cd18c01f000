"""One message that can't be opened stops only itself: it is marked when that is found out, told, and comes back with its file."""

import json
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Message
from mailboxes.services import collection, start_deletion, suspend_mailbox
from mailboxes.vault import VaultError, sealed_size
from mailboxes.vault.container import CHUNK_OCTETS, HEADER_OCTETS
from mailboxes.work.slices import work_slice
from tests.conftest import PEER
from tests.console.kit import Page

MAILS = [f"Subject: {number}\r\n\r\nA line.\r\n".encode() for number in range(4)]
BAD = 2


@pytest.fixture
def waiting(fill):
    fill(*MAILS)


@pytest.fixture
def rows(acme):
    def read():
        with tenant_context(acme):
            return list(Message.objects.order_by("pk"))

    return read


@pytest.fixture
def blob(rows, settings) -> Path:
    """The file of the third message."""
    return settings.STORE_ROOT / rows()[BAD].blob


def flip(blob: Path) -> None:
    octets = bytearray(blob.read_bytes())
    octets[-20] ^= 1
    blob.write_bytes(octets)


def lose(blob: Path) -> None:
    blob.unlink()


def pipe(blob: Path) -> None:
    blob.unlink()
    os.mkfifo(blob)


def link(blob: Path) -> None:
    copy = shutil.copy(blob, blob.parent / "copy")
    blob.unlink()
    blob.symlink_to(copy)


def folder(blob: Path) -> None:
    blob.unlink()
    blob.mkdir()


ACCIDENTS = pytest.mark.parametrize(
    "accident", [flip, lose, pipe, link, folder], ids=lambda act: act.__name__
)


def readable(opened) -> list[bytes]:
    """What a client gets that goes on after an error."""
    maildrop = collection.open_maildrop(opened.address, opened.password, peer=PEER)
    try:
        got = []
        for index in range(len(maildrop.entries)):
            try:
                got.append(b"".join(maildrop.read(index)))
            except (VaultError, errors.MessageGone):
                continue
        return got
    finally:
        maildrop.release()


def listed(opened) -> int:
    maildrop = collection.open_maildrop(opened.address, opened.password, peer=PEER)
    maildrop.release()
    return len(maildrop.entries)


def reset(customer, opened):
    password, job = services.reset_password(
        customer, opened.mailbox, current_password=opened.password, by=SYSTEM
    )
    opened.password = password.reveal()
    return job


@ACCIDENTS
def test_what_can_not_be_opened_is_marked_left_out_and_back_with_its_file(
    waiting, acme_mailbox, blob, rows, accident
):
    whole = blob.read_bytes()
    accident(blob)
    others = [mail for number, mail in enumerate(MAILS) if number != BAD]

    assert listed(acme_mailbox) == 4, "nobody has found out yet"
    assert readable(acme_mailbox) == others
    assert [row.damaged_at is not None for row in rows()] == [False, False, True, False]
    assert listed(acme_mailbox) == 3, "so that a client that stops at an error collects the rest"
    assert len(rows()) == 4, "and it is kept"

    if blob.is_dir():
        blob.rmdir()
    blob.unlink(missing_ok=True)
    blob.write_bytes(whole)

    assert readable(acme_mailbox) == MAILS
    assert not any(row.damaged_at for row in rows())


def visit(opened) -> list[bytes]:
    """What an archiver gets and deletes that stops at the first error."""
    maildrop = collection.open_maildrop(opened.address, opened.password, peer=PEER)
    got = []
    with suppress(VaultError, errors.MessageGone):
        for index in range(len(maildrop.entries)):
            got.append(b"".join(maildrop.read(index)))
    maildrop.commit(range(len(got)))
    return got


def altered(at: int):
    def alter(octets: bytes) -> bytes:
        return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]

    return alter


LONG = b"Subject: long\r\n\r\n" + b"A line of many.\r\n" * 5000
FIRST, SECOND = HEADER_OCTETS, HEADER_OCTETS + 9 + CHUNK_OCTETS + 16
LENGTH = sealed_size(len(LONG))
# Every part of docs/formats/sealed-message.md.
PARTS = {
    "magic": 0,
    "version": 8,
    "suite": 9,
    "key id": 10,
    "customer": 26,
    "mailbox": 34,
    "message": 42,
    "encapsulation": 50,
    "within the encapsulation": 120,
    "sealed content key": 50 + 1120,
    "its tag": 50 + 1120 + 32,
    "check": 1218,
    **{
        f"{part} of the {which} chunk": at + offset
        for which, at in (("first", FIRST), ("last", SECOND))
        for part, offset in (("flag", 0), ("position", 4), ("length", 8), ("ciphertext", 9))
    },
    "tag of the first chunk": SECOND - 1,
    "tag of the last chunk": LENGTH - 1,
}
SPOILT = {
    **{part: altered(at) for part, at in PARTS.items()},
    "zeros": lambda octets: bytes(len(octets)),
    "empty": lambda octets: b"",
    "one octet": lambda octets: octets[:1],
    "cut in the header": lambda octets: octets[:700],
    "cut behind the header": lambda octets: octets[:FIRST],
    "cut in a chunk": lambda octets: octets[: FIRST + 500],
    "cut between chunks": lambda octets: octets[:SECOND],
    "cut by an octet": lambda octets: octets[:-1],
    "longer": lambda octets: octets + b"\0",
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_whatever_part_is_spoilt_an_archiver_that_stops_at_an_error_goes_on_at_its_next_visit(
    fill, acme_mailbox, rows, settings, spoil
):
    fill(MAILS[0], LONG, MAILS[1])
    bad = rows()[1]
    file = settings.STORE_ROOT / bad.blob
    whole = file.read_bytes()
    assert len(whole) == LENGTH > SECOND
    file.write_bytes(spoil(whole))

    assert visit(acme_mailbox) == [MAILS[0]]
    assert visit(acme_mailbox) == [MAILS[1]]
    assert [(row.uid, row.damaged_at is not None) for row in rows()] == [(bad.uid, True)], "marked and kept"
    out = StringIO()
    with pytest.raises(CommandError, match="1 message can't be read"):
        call_command("check_store", "acme", stdout=out)
    kind = "ALTERED     " if len(spoil(whole)) == LENGTH else "WRONG SIZE  "
    assert f"{kind}{acme_mailbox.address} {bad.uid.hex} {bad.blob}" in out.getvalue()

    file.unlink()
    file.write_bytes(whole)
    assert visit(acme_mailbox) == [LONG]


def test_mail_that_was_away_is_back_whenever_its_file_was_written(waiting, acme_mailbox, blob, rows):
    """A volume that is mounted again, or a disk put back to an earlier state, brings files that are older than the mark."""
    blob.parent.rename(aside := blob.parent.with_name("aside"))
    assert len(readable(acme_mailbox)) < len(MAILS)
    assert any(row.damaged_at for row in rows())

    aside.rename(blob.parent)

    assert readable(acme_mailbox) == MAILS
    assert not any(row.damaged_at for row in rows())


def test_an_altered_file_that_was_put_back_by_going_back_in_time_is_read_when_somebody_asks_for_it(
    waiting, acme, acme_mailbox, blob, rows
):
    flip(blob)
    readable(acme_mailbox)
    flip(blob)  # now it is whole again, and older than the mark, which is set anew
    with tenant_context(acme):
        Message.objects.filter(damaged_at__isnull=False).update(
            damaged_at=timezone.now() + timedelta(hours=1)
        )
    assert listed(acme_mailbox) == 3

    call_command("check_store", "acme", "--again", stdout=StringIO())

    assert readable(acme_mailbox) == MAILS


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_a_store_whose_clock_is_off_takes_back_what_was_restored_and_nothing_else(
    waiting, acme, acme_mailbox, blob, monkeypatch, ahead
):
    clock = SimpleNamespace(now=lambda: timezone.now() - ahead)
    monkeypatch.setattr("mailboxes.services.damage.timezone", clock)
    whole = blob.read_bytes()
    flip(blob)
    readable(acme_mailbox)
    assert listed(acme_mailbox) == 3, "else archivers stop there at each visit"
    job = reset(acme, acme_mailbox)
    slices = 0
    while work_slice(acme, job.pk):
        assert (slices := slices + 1) < 5, "else a job goes round and round"
    blob.write_bytes(whole)
    assert readable(acme_mailbox) == MAILS


def test_a_restored_file_is_re_encrypted_with_the_rest(waiting, acme, acme_mailbox, blob, work):
    whole = blob.read_bytes()
    flip(blob)
    readable(acme_mailbox)
    blob.write_bytes(whole)
    job = reset(acme, acme_mailbox)
    assert work(job).state == "done"
    assert readable(acme_mailbox) == MAILS


def test_page_list_and_command_say_that_one_can_not_be_read(
    waiting, acme_mailbox, blob, cast, client_for, rows
):
    flip(blob)
    readable(acme_mailbox)

    admin = client_for(cast.admin)
    assert "1 message can't be read" in Page(admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/")).text
    assert "1 can't be read" in Page(admin.get("/mailboxes/")).text
    out = StringIO()
    with pytest.raises(CommandError, match="1 message can't be read"):
        call_command("check_store", "acme", "--json", stdout=out)
    (told,) = json.loads(out.getvalue())["customers"]
    altered = {"mailbox": acme_mailbox.address, "uid": rows()[BAD].uid.hex, "blob": rows()[BAD].blob}
    assert told["altered"] == [altered], "though its file has the right size"


def test_a_store_that_is_not_mounted_marks_no_mail_that_somebody_wants_to_read(
    waiting, acme_mailbox, rows, settings
):
    maildrop = collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
    settings.STORE_ROOT.rename(aside := settings.STORE_ROOT.with_name("aside"))
    (settings.STORE_ROOT / "lost+found").mkdir(parents=True)

    with pytest.raises(errors.StoreFailed):
        maildrop.read(0)
    maildrop.release()

    assert not any(row.damaged_at for row in rows())
    shutil.rmtree(settings.STORE_ROOT)
    aside.rename(settings.STORE_ROOT)
    assert readable(acme_mailbox) == MAILS


def test_a_store_that_is_not_mounted_marks_no_mail_that_is_re_encrypted(
    waiting, acme, acme_mailbox, rows, settings, work
):
    job = services.reset_password(
        acme, acme_mailbox.mailbox, current_password=acme_mailbox.password, by=SYSTEM
    )[1]
    settings.STORE_ROOT.rename(settings.STORE_ROOT.with_name("aside"))
    settings.STORE_ROOT.mkdir()

    assert work(job).error == "store-failed"
    assert not any(row.damaged_at for row in rows())


@ACCIDENTS
def test_whatever_lies_in_a_blobs_place_a_mailbox_can_be_deleted(
    waiting, acme, acme_mailbox, blob, work, settings, accident
):
    accident(blob)
    outside = settings.STORE_ROOT.parent / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"somebody else's")
    (blob.parent / "way-out").symlink_to(outside)
    suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)

    job = work(start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM))

    assert job.state == "done"
    assert not blob.parent.parent.exists()
    assert (outside / "file").read_bytes() == b"somebody else's"
