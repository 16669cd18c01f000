"""Commands of the libraries that work past our verbs are refused by manage.py, which does not offer them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.db import connection

from portal.management import offering
from portal.management.refusing import INSTEAD, MIGRATING, NOT_OFFERED, Commands

ROOT = Path(__file__).resolve().parents[2]
# Of django-tenants, looked at one by one; a new one has to be judged.
HARMLESS = {"collectstatic_schemas", *MIGRATING}


def test_who_runs_one_is_told_what_to_use_and_nothing_is_done(committed_db):
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + connection.settings_dict["NAME"]
    ended = subprocess.run(
        [sys.executable, "manage.py", "delete_tenant", "-s", "c_acme", "--noinput"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("CommandError: delete_tenant is not for Gatehouse: nothing ends a customer")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM c_acme.mailboxes_mailbox")


@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_each_is_refused_and_not_offered(name, capsys):
    with pytest.raises(SystemExit) as ended:
        Commands(["manage.py"]).fetch_command(name)
    assert ended.value.code == 1
    assert f"{name} is not for Gatehouse: " in capsys.readouterr().err
    offered = Commands(["manage.py"]).main_help_text().split()
    assert name in get_commands() and name not in offered
    assert {"migrate_schemas", "create_customer", "createsuperuser"} <= set(offered)


@pytest.mark.parametrize("name", sorted(MIGRATING))
@pytest.mark.parametrize(
    "way", [["mailboxes", "zero"], ["mailboxes", "0001_initial", "--noinput"], ["-v", "0", "tenants", "zero"]]
)
def test_no_migration_is_named_for_that_way_leads_back(name, way, capsys):
    with pytest.raises(SystemExit) as ended:
        Commands(["manage.py", name, *way]).execute()
    assert ended.value.code == 1
    assert "is not for Gatehouse: to name a migration can be to go back" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(MIGRATING))
@pytest.mark.parametrize("way", [[], ["mailboxes"], ["mailboxes", "zero", "--plan"]])
def test_to_go_forward_or_to_look_at_the_way_back_is_let_pass(name, way):
    assert Commands(["manage.py", name, *way]).fetch_command(name)


@pytest.mark.parametrize("name", sorted(MIGRATING))
def test_what_is_typed_wrong_is_said_in_a_line(name, capsys):
    with pytest.raises(SystemExit) as ended:
        Commands(["manage.py", name, "-v", "x"]).execute()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"manage.py {name}: error: argument -v")


def test_help_has_our_commands_first_by_what_they_are_for_each_with_a_line_that_fits():
    """As somebody types it whose settings are half done and whose database is away."""
    typed = subprocess.run(
        [sys.executable, "manage.py", "help"],
        cwd=ROOT,
        env={"PATH": os.defpath, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (typed.returncode, typed.stderr) == (0, "")
    lines = typed.stdout.splitlines()
    assert max(map(len, lines)) <= offering.WIDTH
    assert [line for line in lines if line in offering.GROUPS] == list(offering.GROUPS)
    assert lines[lines.index("Something is wrong") + 1].split(maxsplit=1) == [
        "doctor",
        "Say what is wrong with this installation",
    ]
    ours, others = typed.stdout.split(offering.OTHERS)
    named = {found[1]: found[2] for found in re.finditer(r"^  (\w+) +(.+)$", ours, re.MULTILINE)}
    assert set(named) == offering.OURS and not [name for name, said in named.items() if "can't be" in said]
    assert {"check", "createsuperuser", "migrate"} <= set(others.split())
    assert not {*offering.OURS, *NOT_OFFERED} & set(others.split())


def test_each_command_of_ours_stands_in_one_group():
    rooms = {path.parent.name for path in ROOT.glob("*/management")}
    there = {name for name, app in get_commands().items() if app in rooms}
    assert there - NOT_OFFERED == offering.OURS
    assert sum(map(len, offering.GROUPS.values())) == len(offering.OURS)


def test_a_command_that_cannot_be_loaded_is_named_and_hides_no_other(monkeypatch):
    monkeypatch.setitem(sys.modules, "portal.management.commands.web", None)
    said = Commands(["manage.py"]).main_help_text()
    assert re.search(r"^  web +\(can't be loaded: ModuleNotFoundError\)$", said, re.MULTILINE)
    assert re.search(r"^  worker +Run a worker$", said, re.MULTILINE)


def test_a_script_gets_all_names_and_no_more():
    listed = Commands(["manage.py"]).main_help_text(commands_only=True).split("\n")
    assert {*offering.OURS, "migrate"} <= set(listed) and not NOT_OFFERED & set(listed)


def test_all_of_django_tenants_were_judged():
    theirs = {name for name, app in get_commands().items() if app == "django_tenants"}
    assert theirs <= INSTEAD.keys() | HARMLESS
