"""Commands of the libraries that work past our verbs are refused by manage.py, which does not offer them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.db import connection

from portal.management.refusing import INSTEAD, MIGRATING, Commands

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


def test_all_of_django_tenants_were_judged():
    theirs = {name for name, app in get_commands().items() if app == "django_tenants"}
    assert theirs <= INSTEAD.keys() | HARMLESS
