"""Commands of the libraries that work past our verbs are refused, however they are called, and manage.py does not offer them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import django_tenants
import pytest
from django.core.management import ManagementUtility, find_commands, get_commands
from django.db import connection

from portal.management import offering
from portal.management.refusing import INSTEAD, NOT_OFFERED, Commands

ROOT = Path(__file__).resolve().parents[2]
# Of django-tenants, looked at one by one; a new one has to be judged.
HARMLESS = {"collectstatic_schemas"}
WAYS = {"manage.py": ["manage.py"], "django": ["-m", "django"]}


def called(way, *words):
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + connection.settings_dict["NAME"]
    return subprocess.run(
        [sys.executable, *WAYS[way], *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("way", WAYS)
def test_who_runs_one_is_told_what_to_use_and_nothing_is_done(committed_db, way):
    ended = called(way, "delete_tenant", "-s", "c_acme", "--noinput")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("CommandError: delete_tenant is not for Gatehouse: nothing ends a customer")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM c_acme.mailboxes_mailbox")


@pytest.mark.parametrize("name", ["migrate", "migrate_schemas"])
@pytest.mark.parametrize(
    "words", [["-s", "c_acme"], ["--tenant"], [], ["mailboxes", "zero"], ["-s", "c_acme", "--plan"]]
)
def test_migrations_run_by_an_upgrade_alone_which_looks_whose_schema_it_is(committed_db, name, words):
    """Whoever reads a customer's list of migrations runs what the application's role has put there."""
    planted = (
        "CREATE FUNCTION c_acme.shown() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN CREATE TABLE c_acme.was_run (); RETURN NEW; END $$",
        "CREATE TRIGGER shown BEFORE INSERT OR DELETE ON c_acme.django_migrations"
        " FOR EACH ROW EXECUTE FUNCTION c_acme.shown()",
    )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM c_acme.django_migrations WHERE name = '0010_blanks_in_names'")
        for statement in planted:
            cursor.execute(statement)
    ended = called("manage.py", name, *words, "--noinput")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(
        f"CommandError: {name} is not for Gatehouse: use `manage.py upgrade`, as the role"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('c_acme.was_run')")
        assert cursor.fetchone() == (None,)


@pytest.mark.parametrize("utility", [Commands, ManagementUtility], ids=["manage.py", "django"])
@pytest.mark.parametrize("name", sorted(INSTEAD))
@pytest.mark.parametrize("words", [["{}"], ["{}", "--help"], ["{}", "-v", "x"], ["help", "{}"]], ids=" ".join)
def test_each_is_refused_and_not_offered(name, utility, words, capsys):
    with pytest.raises(SystemExit) as ended:
        utility(["manage.py", *(word.format(name) for word in words)]).execute()
    assert ended.value.code == 1
    assert f"{name} is not for Gatehouse: " in capsys.readouterr().err
    offered = Commands(["manage.py"]).main_help_text().split()
    assert name in get_commands() and name not in offered
    assert {"upgrade", "create_customer", "createsuperuser"} <= set(offered)


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
    assert {"check", "createsuperuser", "makemigrations"} <= set(others.split())
    assert not {*offering.OURS, *NOT_OFFERED} & set(others.split())


@pytest.mark.parametrize("words", [["help"], ["doctor"], ["doctor", "--json"]], ids=" ".join)
def test_who_reads_no_further_reads_no_traceback(words):
    reads, writes = os.pipe()
    os.close(reads)
    with open(writes, "wb") as nobody:
        ended = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_command_that_crashes_says_so_where_nobody_reads_the_rest():
    script = (
        "from portal.management.refusing import until_nobody_reads as until\nwith until(): print('some'); {}"
    )
    for what, status, said in (("1 / 0", 1, "ZeroDivisionError"), ("raise SystemExit(3)", 141, "")):
        # In which what is said waits for the end.
        command = ["env", "-u", "PYTHONUNBUFFERED", sys.executable, "-c", script.format(what)]
        reads, writes = os.pipe()
        os.close(reads)
        with open(writes, "wb") as nobody:
            ended = subprocess.run(
                command, cwd=ROOT, stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
        assert (ended.returncode, said in ended.stderr, "BrokenPipe" in ended.stderr) == (status, True, False)


def test_a_command_without_a_standard_output_does_its_work():
    ended = subprocess.run(
        ["/bin/sh", "-c", '"$0" manage.py help >&-', sys.executable],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


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
    assert {*offering.OURS, "makemigrations"} <= set(listed) and not NOT_OFFERED & set(listed)


def test_all_of_django_tenants_were_judged():
    theirs = set(find_commands(str(Path(django_tenants.__path__[0]) / "management")))
    assert theirs and theirs <= INSTEAD.keys() | HARMLESS
