"""Commands of the libraries that work past our verbs are refused by manage.py, which does not offer them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.db import connection

from portal.management.refusing import INSTEAD, Commands

ROOT = Path(__file__).resolve().parents[2]
# Of django-tenants, looked at one by one; a new one has to be judged.
HARMLESS = {"collectstatic_schemas", "migrate", "migrate_schemas"}


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


def test_all_of_django_tenants_were_judged():
    theirs = {name for name, app in get_commands().items() if app == "django_tenants"}
    assert theirs <= INSTEAD.keys() | HARMLESS
