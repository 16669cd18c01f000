"""Who takes backups, loses everything, and brings it back."""

import io
import json
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django_tenants.utils import tenant_context
from psycopg import sql

from accounts.actors import SYSTEM
from mailboxes.backup.keys import new_recovery_key
from mailboxes.backup.place import Place
from mailboxes.models import Job, Mailbox
from mailboxes.services import collection, create_mailbox, delivery
from mailboxes.work.slices import work_slice
from tenants.models import LastBackup
from tests.cast import customer
from tests.conftest import DATABASE, PEER, OpenMailbox, _drop, _outside

TEXTS = [b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\n" + b"x" * 70_000 + b"\r\n"]

LINE = """
INSERT INTO tenants_auditevent (at, action, customer_id, target_id, target_name, data, actor_email, target_type, origin, actor_side)
VALUES (%s, 'mailbox.deletion-started', %s, %s, 'forged', %s, '', 'mailbox', '', '')
"""


@contextmanager
def before_its_guards():
    """What is written into the trail within is as of before the database asked when, and how much of it can be read."""
    check = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'audit_event_can_be_read'"
    trail, trigger = "ALTER TABLE tenants_auditevent", "TRIGGER tenants_audit_next_number"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(check)
        (made,) = cursor.fetchone()
        cursor.execute(f"{trail} DROP CONSTRAINT audit_event_can_be_read, DISABLE {trigger}")
        yield cursor
        cursor.execute(f"{trail} ADD CONSTRAINT audit_event_can_be_read {made}, ENABLE {trigger}")


def forges(owner, at, target, data="{}"):
    """A line of the trail, as whoever had the application's password could write it before the table took no such line."""
    with before_its_guards() as cursor:
        cursor.execute(LINE, [at, owner.pk, str(target), data])


def makes(owner, name, *mails):
    """A mailbox into which this mail has come."""
    mailbox, password = create_mailbox(owner, by=SYSTEM, name=name)
    box = OpenMailbox(mailbox, password.reveal())
    takes(box, *mails)
    return box


def takes(box, *mails):
    for mail in mails:
        delivery.deliver([delivery.resolve(box.address, peer=PEER)], [mail])


def collected(box):
    """What an archiver gets with the password."""
    maildrop = collection.open_maildrop(box.address, box.password, peer=PEER)
    try:
        return [b"".join(maildrop.read(index)) for index in range(len(maildrop.entries))]
    finally:
        maildrop.release()


def box_of(slug, name, password):
    """A mailbox of a customer that was brought, with the password of then."""
    with tenant_context(customer(slug)):
        return OpenMailbox(Mailbox.objects.get(name=name), password)


def work_off(owner):
    """Workers do what there is to do at the customer."""
    with tenant_context(owner):
        live = list(Job.objects.live().values_list("pk", flat=True))
    for job in live:
        while work_slice(owner, job):
            pass


def end_who_holds(lock):
    """As when a database fails over: whoever holds this advisory lock loses the connection."""
    with _outside() as outside:
        ended = outside.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND (classid::bigint << 32) + objid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
            [lock, DATABASE],  # and not whoever has it in another worker's database
        )
        assert ended.fetchall() == [(True,)]


def somebody_waits_for(lock):
    """Whether this advisory lock is asked for by anybody who has not got it."""
    with _outside() as outside:
        waiting = outside.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND (classid::bigint << 32) + objid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
            [lock, DATABASE],
        )
        return waiting.fetchone() is not None


class Operator:
    """Who takes backups to one place and has the recovery key."""

    def __init__(self, settings, place):
        self._settings, self.place = settings, place
        settings.RECOVERY_PUBLIC_KEY, self.key = new_recovery_key()

    def backs_up(self, **options):
        return json.loads(self._says("backup", json=True, **options))

    def backs_up_whatever_it_says(self):
        """As a release before, which did not look at what is strange: the name."""
        with suppress(CommandError):
            self.backs_up()
        return Place(self.place).sets()[-1]

    def checks(self, **options):
        return self._says("check_backup", **options)

    def restores(self, monkeypatch, key="", command="restore", **options):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key or self.key}\n"))
        return self._says(command, **options)

    def exports(self, slug):
        call_command("export_customer", slug, self.place)

    def loses_all(self, made="CREATE DATABASE {}"):
        """The disk of the database and that of the store."""
        connections.close_all()
        with _outside() as outside:
            _drop(outside, DATABASE)
            outside.execute(sql.SQL(made).format(sql.Identifier(DATABASE)))
        if self._settings.STORE_URL.startswith("s3:"):
            self._settings.STORE_URL += "-anew"
        else:
            shutil.rmtree(self._settings.STORE_ROOT)
            self._settings.STORE_ROOT.mkdir(mode=0o700)

    def files(self):
        root = Path(self.place.removeprefix("file://"))
        return sorted(path for path in root.rglob("*") if path.is_file())

    def _says(self, command, **options):
        said = self.said = io.StringIO()  # also what it has said before it fails
        call_command(command, self.place, stdout=said, stderr=said, **options)
        return said.getvalue()


def fails(scene):
    """What a backup says that does not end well."""
    out = io.StringIO()
    with pytest.raises(CommandError) as ended:
        call_command("backup", scene.place, json=True, keep=1, stdout=out, stderr=out)
    assert Place(scene.place).sets()[0] == scene.whole, "it may have the last that there is"
    assert not LastBackup.objects.exists(), "the doctor waits for one that ends well"
    made = json.loads(out.getvalue())
    scene.checks(set=made["name"])
    return made, str(ended.value)


def asked(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


class Cut(Exception):
    """As if somebody had killed it."""
