"""Who takes backups, loses everything, and brings it back."""

import io
import json
import shutil
import sys
from pathlib import Path

from django.core.management import call_command
from django.db import connections
from psycopg import sql

from mailboxes.backup.keys import new_recovery_key
from tests.conftest import DATABASE, _drop, _outside


def end_who_holds(lock):
    """As when a database fails over: whoever holds this advisory lock loses the connection."""
    with _outside() as outside:
        ended = outside.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
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

    def checks(self, **options):
        return self._says("check_backup", **options)

    def restores(self, monkeypatch, key="", **options):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key or self.key}\n"))
        return self._says("restore", **options)

    def loses_all(self):
        """The disk of the database and that of the store."""
        connections.close_all()
        with _outside() as outside:
            _drop(outside, DATABASE)
            outside.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        if self._settings.STORE_URL.startswith("s3:"):
            self._settings.STORE_URL += "-anew"
        else:
            shutil.rmtree(self._settings.STORE_ROOT)
            self._settings.STORE_ROOT.mkdir(mode=0o700)

    def files(self):
        root = Path(self.place.removeprefix("file://"))
        return sorted(path for path in root.rglob("*") if path.is_file())

    def _says(self, command, **options):
        said = io.StringIO()
        call_command(command, self.place, stdout=said, stderr=said, **options)
        return said.getvalue()
