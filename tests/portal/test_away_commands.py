"""Each of our commands that asks the database ends in one line while it is away, and anything else stays a traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from portal.management import offering
from tenants.management.output import OneLineCommand, ScriptableCommand
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "mbx-0123456789abcdef@gateway.localhost"
OLD, NEW, PLACE = "old", "new", "place"  # folders, of which the URL is typed
ASKING = {
    "check_store": [],
    "jobs": [],
    "job": ["acme", "00000000-0000-4000-8000-000000000000"],
    "let_in": ["admin@acme.example"],
    "backup": [PLACE],
    "give_up_customer": ["acme"],
    "export_customer": ["acme", PLACE],
    "create_mailbox": ["acme", "Journal"],
    "reset_mailbox_password": ["acme", ADDRESS, "--locked-mail", "keep"],
    "unlock_mailbox": ["acme", ADDRESS, "--password-stdin"],
    "suspend_mailbox": ["acme", ADDRESS, "--reason", "It is time."],
    "activate_mailbox": ["acme", ADDRESS],
    "delete_mailbox": ["acme", ADDRESS],
    "create_user": ["staff@gatehouse.example", "--staff"],
    "create_provider": ["northwind", "--name", "Northwind IT"],
    "create_customer": ["acme", "--name", "Acme", "--provider", "northwind"],
    "upgrade": [],
    "move_store": [OLD, NEW],
    "distribute_customers": [],
    "make_empty_customers": ["1"],
    "make_busy_customers": ["1"],
    "retire_demo": [],
}
# Why the others are not in it.
OTHERWISE = {
    **dict.fromkeys(["web", "worker", "beat", "gateway"], "they start, and wait for it"),
    **dict.fromkeys(["doctor", "setup", "prepare_demo"], "they say it among all else that is wrong"),
    **dict.fromkeys(["restore", "import_customer"], "with a backup: mailboxes/test_one_customer"),
    **dict.fromkeys(["demo", "seed_demo"], "theirs is the demo's own, which they start"),
    **dict.fromkeys(
        [
            "check_backup",
            "copy_certificate",
            "new_recovery_key",
            "tell_failure",
            "verify_certificate",
            "worker_public_key",
        ],
        "they ask none",
    ),
}
LINE = re.compile(r"CommandError: The database (is away|did not answer): connection failed: [^\n]+\n")


def test_of_each_command_somebody_has_said_whether_it_asks_the_database():
    assert ASKING.keys() | OTHERWISE.keys() == offering.OURS
    assert not ASKING.keys() & OTHERWISE.keys()


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How each ended, as by `manage.py` with a database that is not there."""
    folders = {name: tmp_path_factory.mktemp(name).as_uri() for name in (OLD, NEW, PLACE)}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.portal.in_turn"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": f"postgresql://gatehouse@127.0.0.1:{free_port()}/gatehouse",
            "GATEHOUSE_MEASURING": "1",
            "GATEHOUSE_STORE_URL": folders[NEW],
            "GATEHOUSE_STORE_OTHER_URL": folders[OLD],
        },
        input=json.dumps(
            [[name, *(folders.get(word, word) for word in words)] for name, words in ASKING.items()]
        ),
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return dict(zip(ASKING, json.loads(ran.stdout), strict=True))


@pytest.mark.parametrize("name", ASKING)
def test_it_says_in_one_line_that_the_database_is_away(ended, name):
    status, out, said = ended[name]
    assert (status, out) == (1, ""), said
    assert "Traceback" not in said
    assert LINE.fullmatch(said[said.index("CommandError") :]), said


ASKED = {
    "SELECT pg_terminate_backend(pg_backend_pid())": CommandError,
    "SELECT 1 FROM nowhere": DatabaseError,
    "SELECT 1 / 0": DatabaseError,
}


@pytest.mark.parametrize("base", [OneLineCommand, ScriptableCommand])
@pytest.mark.parametrize("statement", ASKED)
def test_what_else_the_database_says_stays_a_fault_with_its_traceback(committed_db, base, statement):
    class Asks(base):
        requires_system_checks = ()

        def handle(self, *args, **options):
            with connection.cursor() as cursor:
                cursor.execute(statement)

    with pytest.raises(ASKED[statement]) as raised:
        call_command(Asks())
    connection.close()
    if raised.type is CommandError:
        assert re.fullmatch(r"The database is away: [^\n]+", str(raised.value))
