"""The commands, as a terminal and a script see them: exit status, one JSON object, one clear line."""

import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import User
from tenants import pooling
from tenants.models import AuditEvent, Customer, Provider
from tests.locks import until_they_wait

ROOT = Path(__file__).resolve().parents[2]
WHO_WAITS = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def manage(committed_db, cast):
    """Runs manage.py in a process of its own on this test's database."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()

    def run(*args, stdin=""):
        return subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def said(*args):
    """What a command says, in this process: a start of `manage.py` takes longer than most of them."""
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_from_nothing_to_a_person_with_a_customer(manage):
    made = said("create_provider", "tailspin", "--name", "Tailspin", "--json")
    assert json.loads(made) == {"slug": "tailspin", "name": "Tailspin"}

    made = said("create_customer", "toys", "--provider", "tailspin", "--name", "Wingtip Toys", "--json")
    toys = Customer.objects.get(slug="toys")
    assert json.loads(made) == {
        "id": str(toys.pk),
        "slug": "toys",
        "name": "Wingtip Toys",
        "provider": "tailspin",
        "host": "toys.portal.localhost",
    }

    made = manage("create_user", "Boss@Toys.example", "--customer", "toys", "--role", "admin", "--json")
    assert made.returncode == 0, made.stderr
    person = json.loads(made.stdout)
    boss = User.objects.get(email="boss@toys.example")
    assert (person["email"], person["role"], person["customer"]) == ("boss@toys.example", "admin", "toys")
    assert boss.check_password(person["password"])
    assert boss.memberships.get().customer == toys
    assert person["password"] not in str(list(AuditEvent.objects.values()))


def test_a_customer_is_made_with_its_limits_by_the_same_rules(db):
    facts = ("--language=de", "--time-zone=Europe/Berlin", "--group=Gold", "--tag=new", "--tag=on-site")
    limits = ("--mailboxes=5", "--waiting=10GB", "--message-size=25 MB", "--network=192.0.2.0/24")
    said("create_customer", "toys", "--provider=northwind", "--name=Toys", *facts, *limits)
    toys = Customer.objects.get(slug="toys")
    assert (toys.language, toys.time_zone, toys.group, toys.tags) == (
        "de",
        "Europe/Berlin",
        "Gold",
        ["new", "on-site"],
    )
    assert (toys.mailbox_limit, toys.waiting_quota_octets, toys.message_limit_octets) == (
        5,
        10 * 1024**3,
        25 * 1024**2,
    )
    assert (toys.mailbox_quota_octets, toys.allowed_networks) == (None, ["192.0.2.0/24"])
    for wrong in ("--waiting=10", "--message-size=1KB", "--language=tlh", "--network=nonsense"):
        with pytest.raises(CommandError):
            said("create_customer", "games", "--provider=northwind", "--name=Games", wrong)
    assert not Customer.objects.filter(slug="games").exists()


def test_a_password_from_standard_input_is_never_printed(manage):
    made = manage(
        "create_user",
        "new@northwind.example",
        "--provider=northwind",
        "--role=operator",
        "--password-stdin",
        "--json",
        stdin="  a pass phrase with blanks \n",
    )
    assert made.returncode == 0, made.stderr
    assert "phrase" not in made.stdout + made.stderr
    assert json.loads(made.stdout)["password"] is None
    assert User.objects.get(email="new@northwind.example").check_password("  a pass phrase with blanks ")


@pytest.mark.parametrize("trouble", ["SELECT pg_terminate_backend(%s)", "SELECT pg_cancel_backend(%s)"])
def test_an_outage_while_room_is_made_for_a_schema_is_told_as_one_and_nobody_is_to_rename_anything(
    committed_db, cast, trouble
):
    def asks(*words):
        """On a session of its own, which is this thread's."""
        try:
            said(*words)
        finally:
            connection.close()

    with pooling.connect(connection) as other, ThreadPoolExecutor() as pool:
        other.execute("CREATE SCHEMA c_umbrella")
        with other.transaction():
            other.execute("CREATE TABLE c_umbrella.held ()")
            asked = ("create_customer", "umbrella", "--provider", "northwind", "--name", "Umbrella")
            made = pool.submit(asks, *asked)
            until_they_wait(other, 1, or_ended=made.done)
            [(waiting,)] = other.execute(WHO_WAITS).fetchall()
            other.execute(trouble, [waiting])
            with pytest.raises(CommandError, match="The database is away: ") as ended:
                made.result()
    assert "RENAME" not in str(ended.value)
    assert not Customer.objects.filter(slug="umbrella").exists()


def test_platform_staff_needs_no_role(db):
    made = said("create_user", "root@gatehouse.example", "--staff")
    person = User.objects.get(email="root@gatehouse.example")
    assert person.is_staff
    assert person.check_password(made.strip().rsplit(" ", 1)[1])


@pytest.mark.parametrize(
    ("args", "stdin", "says"),
    [
        (["create_provider", "northwind", "--name=X"], "", "is taken"),
        (["create_provider", "www", "--name=X"], "", "can't be used"),
        (["create_provider", "x-y", "--name= "], "", "Type a name"),
        (
            ["create_customer", "another", "--provider=northwind", "--name=Z" + "\u030d" * 9],
            "",
            "marks on one letter",
        ),
        (
            ["create_customer", "another", "--provider=northwind", "--name=\u2067yaP"],
            "",
            "direction of writing",
        ),
        (["create_customer", "another", "--provider=nobody", "--name=X"], "", "no provider"),
        (["create_customer", "acme", "--provider=northwind", "--name=X"], "", "is taken"),
        (["create_user", "a@b.example", "--customer=nobody", "--role=admin"], "", "no customer"),
        (["create_user", "a@b.example", "--customer=acme", "--role=owner"], "", "admin, viewer"),
        (["create_user", "a@b.example", "--customer=acme"], "", "--role"),
        (["create_user", "a@b.example", "--staff", "--role=owner"], "", "no role"),
        (["create_user", "no address", "--staff"], "", "valid"),
        (["create_user", "admin@acme.example", "--customer=acme", "--role=viewer"], "", "There is somebody"),
        (["create_user", "a@b.example", "--staff", "--password-stdin"], "", "standard input"),
        (["create_user", "a@b.example", "--staff", "--password-stdin"], "weak\n", "12 characters"),
        (["create_user", "a@b.example", "--staff", "--name=A\nB"], "", "line breaks"),
        # What a script's empty variable leaves, and what Python makes of octets in another encoding.
        (["create_user", "a@b.example", "--customer=", "--role=viewer"], "", "no customer"),
        (["create_user", "a@b.example", "--provider=", "--role=owner"], "", "no provider"),
        (["let_in", "admin@acme.example", "--owner-of="], "", "no provider"),
        (["check_store", ""], "", "no customer"),
        (["create_user", "a@b.example", "--customer=caf\udce9", "--role=viewer"], "", "not UTF-8"),
        (["let_in", "caf\udce9@acme.example"], "", "not UTF-8"),
        (["create_mailbox", "caf\udce9", "Journal"], "", "not UTF-8"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(db, cast, monkeypatch, args, stdin, says):
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    before = (
        Provider.objects.count(),
        Customer.objects.count(),
        User.objects.count(),
        AuditEvent.objects.count(),
    )
    with pytest.raises(CommandError) as refusal:
        call_command(*args)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
    after = (
        Provider.objects.count(),
        Customer.objects.count(),
        User.objects.count(),
        AuditEvent.objects.count(),
    )
    assert after == before


def test_a_refusal_ends_with_status_one_on_standard_error(manage):
    made = manage("create_provider", "northwind", "--name", "Again", "--json")
    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr.strip().splitlines()[-1].endswith("Choose another short name.")
    assert "Traceback" not in made.stderr


def test_every_place_but_one_is_a_mistake(manage):
    with pytest.raises(CommandError, match="--provider --customer --staff is required"):
        said("create_user", "a@b.example", "--role", "admin")
    both = ("--customer", "acme", "--provider", "northwind")
    assert manage("create_user", "a@b.example", "--role", "admin", *both).returncode == 2
