"""PostgreSQL over TLS, as somebody has it elsewhere: what works over it, and what is refused instead of done without."""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import trustme
from django.conf import settings as our_settings
from django.db import connection
from django.db.utils import ConnectionHandler

from mailboxes.backup import tools
from mailboxes.backup.keys import new_recovery_key
from portal.checks import pooler
from portal.onebox.embedded.process import wait_until
from portal.onebox.secrets import new_secret_key, new_worker_key
from portal.setup import file, questions, trial
from portal.setup.questions import IN_COMPOSE, Way
from tests import folders, with_tls
from tests.breaking.kit import IN_CORE
from tests.environment import BARE
from tests.gateway.kit import Certificates, Clients, Ports
from tests.poolers import SESSIONS, Pooler, time_out_by_role
from tests.ports import free_port, free_ports

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
ROLE = "gatehouse"
TEXT = b"Subject: Hello\r\n\r\nIs anybody there?\r\n"
LISTENS = (
    *("GATEHOUSE_SMTP_PORT", "GATEHOUSE_SMTPS_PORT", "GATEHOUSE_POP3_PORT", "GATEHOUSE_POP3S_PORT"),
    "GATEHOUSE_HTTP_PORT",
)
# `manage.py`, with programs of PostgreSQL's out of one folder.
BY_PROGRAMS_OF = """
import os
import sys
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
import django
django.setup()
from django.core.management import execute_from_command_line
from mailboxes.backup import tools
folder = sys.argv.pop(1)
tools._candidates = lambda name: [f"{folder}/{name}"]
execute_from_command_line(sys.argv)
"""
# Both ways of docs/settings.md to say how the server is to be spoken to.
WAYS = ("in the URL", "in the environment")


@pytest.fixture(scope="module")
def folder():
    with folders.folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def styles(folder):
    """Which pages name."""
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input"],
        cwd=ROOT,
        env={**BARE, "SECRET_KEY": "x", "GATEHOUSE_STATIC_DIR": str(folder / "static")},
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def server(folder):
    with with_tls.serving(folder / "elsewhere") as server:
        server.does(
            f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{server.password}'",
            f"CREATE DATABASE {ROLE} OWNER {ROLE}",
        )
        yield server


@pytest.fixture
def as_it_was(server):
    """Whatever its certificate becomes."""
    yield
    server.stop()
    server.certify(with_tls.NAME, with_tls.ADDRESS, by=trustme.CA())
    server.lets_in(with_tls.OVER_TLS_ALONE)
    server.start()


class Site:
    """Somebody's machine: its settings, and the commands typed there."""

    def __init__(self, folder, server, way, database=ROLE):
        folder.mkdir()
        self.folder, self.server = folder, server
        self.public, self.key = new_recovery_key()
        self.ports = dict(zip(LISTENS, free_ports(len(LISTENS)), strict=True))
        self.pair = Certificates(folder)
        # A copy of its own: what vouches for the server is this machine's to decide.
        self.authorities = folder / "authorities.pem"
        self.authorities.write_bytes(server.authority.read_bytes())
        store = folder / "store"
        store.mkdir(mode=0o700)
        self.environment = {
            **BARE,
            "HOME": str(folder),
            "SECRET_KEY": new_secret_key(),
            "GATEHOUSE_WORKER_KEY": new_worker_key(),
            "GATEHOUSE_RECOVERY_PUBLIC_KEY": self.public,
            "GATEHOUSE_STATE_DIR": str(folder / "state"),
            "GATEHOUSE_STATIC_DIR": str(folder.parent / "static"),
            "GATEHOUSE_STORE_URL": store.as_uri(),
            "GATEHOUSE_TLS_CERT_FILE": str(self.pair.cert_file),
            "GATEHOUSE_TLS_KEY_FILE": str(self.pair.key_file),
            "GATEHOUSE_WEB_PROCESSES": "1",
            "REDIS_URL": os.environ["REDIS_URL"],
            **{name: str(port) for name, port in self.ports.items()},
        }
        self.reaches(way, database)

    def reaches(self, way, database=ROLE, port=None):
        for name in ("PGSSLMODE", "PGSSLROOTCERT"):
            self.environment.pop(name, None)
        verified = f"sslmode=verify-full&sslrootcert={self.authorities}"
        url = self.server.url(ROLE, database, verified if way == WAYS[0] else "")
        self.environment["DATABASE_URL"] = url.replace(
            f":{self.server.port}/", f":{port or self.server.port}/"
        )
        if way == WAYS[1]:
            self.environment |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self.authorities)}

    def tries(self, *command, script=None, typed=None):
        run = [sys.executable, *(("-c", script) if script else ("manage.py",)), *command]
        return subprocess.run(
            run,
            cwd=ROOT,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS * 3,
            check=False,
        )

    def does(self, *command, **options):
        done = self.tries(*command, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def makes_a_mailbox(self):
        self.does("create_provider", "northwind", "--name", "Northwind IT")
        self.does("create_customer", "acme", "--provider", "northwind", "--name", "Acme")
        return SimpleNamespace(**json.loads(self.does("create_mailbox", "acme", "Journal", "--json")))

    @contextmanager
    def serving(self):
        """Web and gateway; gives the gateway's clients."""
        started = []
        try:
            for name in ("web", "gateway"):
                with (self.folder / f"{name}.log").open("wb") as log:
                    process = psutil.Popen(
                        [sys.executable, "manage.py", name, "--processes", "1"],
                        cwd=ROOT,
                        env=self.environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                started.append(process)
            smtp, smtps, pop3, pop3s, _ = self.ports.values()
            assert wait_until(lambda: self.page() is not None and answers(smtps), SECONDS), self.logs()
            yield Clients(Ports(smtp=smtp, smtps=smtps, pop3=pop3, pop3s=pop3s), self.pair.client_context)
            assert all(process.is_running() for process in started), self.logs()
        finally:
            for process in started:
                for each in (*process.children(recursive=True), process):
                    each.kill()
                process.wait()

    def is_set_up(self, target):
        """What `setup` finds when it writes this machine's settings there."""
        given = ("DATABASE_", "PGSSL", "REDIS_", "SECRET_", "GATEHOUSE_")
        answers = {name: value for name, value in self.environment.items() if name.startswith(given)}
        answers |= {
            "GATEHOUSE_BASE_DOMAIN": "portal.gatehouse.test",
            "GATEHOUSE_MAIL_DOMAIN": "mx.gatehouse.test",
            "GATEHOUSE_DNS_SERVER": f"127.0.0.1:{free_port()}",
        }
        lines = "".join(f"{name}='{value}'\n" for name, value in answers.items())
        return self.tries("setup", "--no-input", str(target), "--answers", "-", "--json", typed=lines).stdout

    def page(self):
        """The status of one that asks the database; None if nobody answers."""
        request = b"GET /accounts/login/ HTTP/1.1\r\nHost: acme.portal.localhost\r\nConnection: close\r\n\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self.ports["GATEHOUSE_HTTP_PORT"]), SECONDS) as web:
                web.sendall(request)
                return int(b"".join(iter(lambda: web.recv(65536), b"")).split()[1])
        except OSError:
            return None

    def logs(self):
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def folders_of_programs(server_version):
    """Of what comes along, and of this machine's own, as far as they are of use with the server."""
    found = {Path(program).parent for program in tools._candidates("pg_dump")}
    return [
        str(folder) for folder in sorted(found) if tools._version(str(folder / "pg_dump")) >= server_version
    ]


@IN_CORE
@pytest.mark.parametrize(
    ("way", "comes_along"),
    [(WAYS[0], True), (WAYS[1], False)],
    ids=["its programs come along", "its programs are the machine's"],
)
def test_all_of_it_works_with_a_server_that_is_verified(way, comes_along, server, styles, folder, tmp_path):
    """An upgrade, mail in and out, a backup, and a restore of it into another database."""
    programs = [each for each in folders_of_programs(server.version) if ("pixeltable" in each) == comes_along]
    if not programs:
        pytest.skip("This machine has no programs of the server's version.")
    name = f"first_{len(list(folder.iterdir()))}"
    server.does(f"CREATE DATABASE {name} OWNER {ROLE}", f"CREATE DATABASE {name}_anew OWNER {ROLE}")
    site = Site(folder / name, server, way, name)
    site.does("upgrade")
    mailbox = site.makes_a_mailbox()
    with site.serving() as clients:
        assert site.page() == 200
        assert clients.send(TEXT, mailbox.address).startswith(b"250 ")
        [collected] = clients.collect(mailbox)
        assert collected.endswith(TEXT)
    place = (tmp_path / "backups").as_uri()
    (tmp_path / "backups").mkdir()
    said = site.does(programs[0], "backup", place, "--json", script=BY_PROGRAMS_OF)
    assert json.loads(said)["messages"] == 1
    site.does("check_backup", place)
    site.reaches(way, f"{name}_anew")
    (site.folder / "store").rename(site.folder / "lost")
    (site.folder / "store").mkdir(mode=0o700)
    said = site.does(programs[0], "restore", place, "--json", script=BY_PROGRAMS_OF, typed=f"{site.key}\n")
    assert json.loads(said)["messages"] == 1
    with site.serving() as clients:
        assert clients.collect(mailbox) == [collected]


def expire(server):
    end = datetime.now(UTC) - timedelta(days=1)
    server.certify(with_tls.NAME, not_before=end - timedelta(days=90), not_after=end)
    server.reload()


def become_anothers(server):
    server.certify(with_tls.NAME, by=trustme.CA())
    server.reload()


def take_another_name(server):
    server.certify("db.example.com")
    server.reload()


def give_up_tls(server):
    """And let everybody in without: who fell back to that would not notice."""
    server.stop()
    server.lets_in(with_tls.WITHOUT_TLS)
    server.start(ssl="off")


def end_sessions(server):
    server.does(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{ROLE}'")


TROUBLES = {
    "of an authority that nobody named": (
        become_anothers,
        "certificate verify failed (unable to get local issuer certificate)",
        "or add its authority to that file",
    ),
    "expired": (
        expire,
        "certificate verify failed (certificate has expired)",
        "Give the server a certificate that holds",
    ),
    "of another name": (
        take_another_name,
        'server certificate for "db.example.com" does not match host name "localhost"',
        "Have DATABASE_URL name the host as its certificate does",
    ),
    "without TLS": (
        give_up_tls,
        "server does not support SSL, but SSL was required",
        "a certificate and let it speak TLS",
    ),
}


@pytest.fixture
def site(folder, server):
    return Site(folder / f"site{len(list(folder.iterdir()))}", server, WAYS[0])


@pytest.fixture
def complaints(server, site, monkeypatch, settings):
    """What a check says of the database that is reached in this way, maybe at another port: ids, words and hints."""

    def ask(way, port=None):
        verified = {"sslmode": "verify-full", "sslrootcert": str(site.authorities)}
        for name, value in verified.items():
            monkeypatch.delenv(f"PG{name.upper()}", raising=False)
            if way == WAYS[1]:
                monkeypatch.setenv(f"PG{name.upper()}", value)
        settings.DATABASE_CA_FILE = str(site.authorities)
        found = {
            "ENGINE": "tenants.database",
            **{"HOST": with_tls.NAME, "PORT": port or server.port, "NAME": ROLE, "USER": ROLE},
            "PASSWORD": server.password,
            "OPTIONS": our_settings.DATABASES["default"]["OPTIONS"] | (verified if way == WAYS[0] else {}),
        }
        for name in verified if way == WAYS[1] else ():
            found["OPTIONS"].pop(name, None)
        monkeypatch.setattr(pooler, "connections", ConnectionHandler({"default": found}))
        told = pooler.a_pooler_keeps_customers_apart(None, databases=["default"])
        return [(message.id, message.msg, message.hint) for message in told]

    return ask


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_server_that_is_not_verified_is_refused_in_words_that_say_what_to_do(
    trouble, way, server, as_it_was, complaints
):
    assert complaints(way) == []
    spoil, said, to_do = TROUBLES[trouble]
    spoil(server)
    [(number, what, hint)] = complaints(way)
    assert number == "gatehouse.E016"
    assert said in what and to_do in hint


@IN_CORE
@pytest.mark.parametrize("trouble", ["expired", "without TLS"])
def test_commands_and_the_doctor_refuse_it_too(trouble, site, server, as_it_was, tmp_path):
    spoil, said, to_do = TROUBLES[trouble]
    spoil(server)
    for way in WAYS:
        site.reaches(way)
        refused = site.tries("upgrade")
        assert refused.returncode == 1 and said in refused.stderr and to_do in refused.stderr
        assert refused.stderr.count(to_do) == 1, "once will do"
        told = json.loads(site.is_set_up(tmp_path / way))
        [finding] = [each for each in told["findings"] if each["id"] == "gatehouse.E016"]
        assert said in finding["seen"] and to_do in finding["advice"]
    examined = json.loads(site.tries("doctor", "--json").stdout)["findings"]
    [finding] = [each for each in examined if each["id"] == "gatehouse.E016"]
    assert said in finding["seen"] and to_do in finding["advice"]
    if trouble == "without TLS":
        site.environment["DATABASE_URL"] = server.url(ROLE, ROLE)
        del site.environment["PGSSLMODE"]
        assert "E016" not in site.tries("check", "--database", "default").stderr, "nothing else is wrong"


def test_a_service_file_does_not_have_the_server_reached_without_tls(site, server, as_it_was):
    """Where libpq reads one, what it says goes before PGSSLMODE."""
    server.lets_in(with_tls.OVER_TLS_ALONE + with_tls.WITHOUT_TLS)
    server.reload()
    site.reaches(WAYS[1])
    asks = "import os, psycopg; print(psycopg.connect(os.environ['DATABASE_URL'] + {!r}).pgconn.ssl_in_use)"
    file = site.folder / "services"
    file.write_text("[plain]\nsslmode=disable\n")
    site.environment["PGSERVICEFILE"] = str(file)
    assert site.does(script=asks.format("")) == "True\n"
    site.environment["PGSERVICE"] = "plain"
    assert site.does(script=asks.format("")) == "False\n"
    refused = site.tries("upgrade")
    assert refused.returncode == 3 and "PGSERVICE: what stands in a service file" in refused.stderr
    del site.environment["PGSERVICE"]
    assert site.does(script=asks.format("?service=plain")) == "False\n"
    site.environment["DATABASE_URL"] += "?service=plain"
    refused = site.tries("upgrade")
    assert refused.returncode == 3 and "behind its ? stands service" in refused.stderr


AWAY = "postgresql://role:secret@db.gatehouse.test:5432/gatehouse"
NAMED_WAYS = {
    AWAY: ["db.gatehouse.test", "sslmode=prefer"],
    f"{AWAY}?sslmode=disable": ["sslmode=disable"],
    f"{AWAY}?sslmode=require": ["sslmode=require"],
    f"{AWAY}?sslmode=verify-ca": ["sslmode=verify-ca"],
    "postgresql://role@db:5432/gatehouse": ["(db)"],
    "postgresql://role@127.0.0.1,10.0.0.7,10.0.0.8/gatehouse": ["(10.0.0.7, 10.0.0.8)"],
    "postgresql://role@[2001:db8::7]/gatehouse": ["2001:db8::7"],
    "postgresql://role@localhost/gatehouse?hostaddr=10.0.0.7": ["10.0.0.7"],
    f"{AWAY}?sslmode=verify-full": [],
    f"{AWAY}?sslrootcert=system": [],
    "postgresql://role@127.0.0.1/gatehouse?sslmode=disable": [],
    "postgresql://role@localhost,[::1]/gatehouse": [],
    "postgresql:///gatehouse": [],
    "postgresql:///gatehouse?host=/run/postgresql": [],
    "postgresql://role@%2Frun%2Fpostgresql/gatehouse": [],
    "redis://valkey.gatehouse.test:6379/0": ["without a password and without TLS"],
    "redis://user@valkey.gatehouse.test:6379/0": ["without a password and without TLS"],
    "redis://:secret@10.0.0.7/0": ["(10.0.0.7) without TLS:"],
    "rediss://valkey.gatehouse.test/0?ssl_ca_certs=/file": ["without a password:"],
    "rediss://:secret@10.0.0.7/0?ssl_cert_reqs=none": ["without a look at its certificate:"],
    "rediss://:secret@valkey.gatehouse.test:6379/0": [],
    "redis://localhost:6379/0": [],
    "unix:///run/redis/redis.sock": [],
    "rediss://:secret@10.0.0.7/0?ssl_check_hostname=false": ["without a look at its certificate's name:"],
    "rediss://:secret@10.0.0.7/0?ssl_check_hostname=": ["without a look at its certificate's name:"],
    "rediss://:secret@10.0.0.7/0?ssl_check_hostname=True": [],
    "postgresql://role@[::ffff:127.0.0.1]/gatehouse": [],
    "postgresql://role@[::ffff:10.0.0.7]/gatehouse": ["::ffff:10.0.0.7"],
    # Which only within Compose is this machine.
    "postgresql://role@postgres/gatehouse": ["(postgres)"],
    "redis://:secret@valkey:6379/0": ["(valkey) without TLS:"],
}


@pytest.fixture(scope="module")
def trials():
    with trial.Trials() as trials:
        yield trials


@pytest.mark.parametrize("url", NAMED_WAYS)
def test_a_way_over_a_network_on_which_others_could_stand_is_told_and_no_other_way_is(trials, url):
    database, redis = "postgresql:///gatehouse", "unix:///run/redis.sock"
    values = (
        {"DATABASE_URL": url, "REDIS_URL": redis}
        if "sql:" in url
        else {"DATABASE_URL": database, "REDIS_URL": url}
    )
    told = trials.tried(questions.made(Way.UNITS, {}) | values, ["way-to-database", "way-to-redis"])
    assert not [each for each in told.impossible if each.id != "gatehouse.E038"]
    number, to_type = (
        ("gatehouse.W018", "?sslmode=verify-full&sslrootcert=")
        if "sql:" in url
        else ("gatehouse.W019", "rediss://:password@")
    )
    assert [each.id for each in told.findings] == ([number] if NAMED_WAYS[url] else [])
    for finding in told.findings:
        assert all(words in finding.seen for words in NAMED_WAYS[url]) and to_type in finding.advice
        assert "secret" not in finding.seen + finding.advice


def test_what_compose_calls_its_own_is_on_this_machine(trials):
    values = {
        name: value.format(DATABASE_PASSWORD="secret", REDIS_PASSWORD="secret")
        for name, value in IN_COMPOSE.items()
    }
    parts = ["way-to-database", "way-to-redis"]
    told = trials.tried(questions.made(Way.COMPOSE, {}) | values, parts)
    assert not told.findings
    elsewhere = values | {"GATEHOUSE_IN_COMPOSE": "0"}
    found = trials.tried(questions.made(Way.COMPOSE, {}) | elsewhere, parts).findings
    assert [finding.id for finding in found] == ["gatehouse.W018", "gatehouse.W019"]


def test_what_the_environment_says_of_the_mode_counts_where_the_url_says_none(trials):
    for more, expected in (
        ({"PGSSLMODE": "verify-full"}, []),
        ({"PGSSLMODE": "require"}, ["gatehouse.W018"]),
    ):
        values = questions.made(Way.UNITS, {}) | {"DATABASE_URL": AWAY} | more
        assert [each.id for each in trials.tried(values, ["way-to-database"]).findings] == expected


def test_so_does_what_it_says_of_the_host_as_libpq_reads_it(trials):
    here = "postgresql://role@127.0.0.1/gatehouse"
    for url, more, expected in (
        ("postgresql:///gatehouse", {"PGHOST": "db.gatehouse.test"}, ["db.gatehouse.test"]),
        (here, {"PGHOST": "db.gatehouse.test"}, []),
        (here, {"PGHOSTADDR": "10.0.0.7"}, ["10.0.0.7"]),
        (f"{here}?hostaddr=127.0.0.1", {"PGHOSTADDR": "10.0.0.7"}, []),
    ):
        values = questions.made(Way.UNITS, {}) | {"DATABASE_URL": url} | more
        told = trials.tried(values, ["way-to-database"]).findings
        assert [host for finding in told for host in expected if f"({host})" in finding.seen] == expected
        assert len(told) == len(expected)


def test_setup_the_doctor_and_the_checks_of_a_start_agree_about_it(tmp_path):
    """Of services that are not even there, one of them with a standby."""
    target = tmp_path / "environment"
    answers = {
        "GATEHOUSE_STATE_DIR": str(tmp_path / "state"),
        "GATEHOUSE_BASE_DOMAIN": "portal.gatehouse.test",
        "GATEHOUSE_MAIL_DOMAIN": "mx.gatehouse.test",
        "GATEHOUSE_DNS_SERVER": f"127.0.0.1:{free_port()}",
        "DATABASE_URL": "postgresql://role@127.0.0.1:1,db.invalid:1/gatehouse",
        "REDIS_URL": "redis://valkey.invalid:1/0",
    }

    def run(*command, typed=None, **environment):
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env={**BARE, **environment},
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS * 3,
            check=False,
        )

    def told(said):
        return {
            each["id"]: (each["level"], each["seen"])
            for each in json.loads(said.stdout)["findings"]
            if each["id"] in ("gatehouse.W018", "gatehouse.W019")
        }

    lines = "".join(f"{name}='{value}'\n" for name, value in answers.items())
    by_setup = told(run("setup", "--no-input", str(target), "--answers", "-", "--json", typed=lines))
    assert len(by_setup) == 2 and {level for level, _ in by_setup.values()} == {"warning"}
    written = file.read(target.read_text())
    assert written["DATABASE_PASSWORD"] in written["DATABASE_URL"]
    assert told(run("doctor", "--json", **written)) == by_setup
    at_a_start = run("check", **written)
    assert at_a_start.returncode == 0, "somebody may have a network of their own"
    assert all(number in at_a_start.stderr for number in by_setup)


def test_programs_of_a_backup_demand_of_the_server_what_we_do(site, server, as_it_was, monkeypatch):
    """Whoever stands in between would read all of it, and the password's proof as well."""
    at = {"HOST": with_tls.NAME, "PORT": server.port, "USER": ROLE, "NAME": ROLE, "PASSWORD": server.password}
    for name, value in at.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    verified = {"sslmode": "verify-full", "sslrootcert": str(site.authorities)}

    def said(folder):
        command = [f"{folder}/pg_dump", "--no-password", "--schema-only"]
        return subprocess.run(
            command, env=tools._environment(command[0]), capture_output=True, text=True, check=False
        ).stderr

    for way in WAYS:
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", verified if way == WAYS[0] else {})
        for name, value in verified.items():
            if way == WAYS[0]:
                monkeypatch.delenv(f"PG{name.upper()}", raising=False)
            else:
                monkeypatch.setenv(f"PG{name.upper()}", value)
        found = folders_of_programs(server.version)
        assert found and [said(folder) for folder in found] == [""] * len(found)
        become_anothers(server)
        assert all("certificate verify failed" in said(folder) for folder in found), found
        server.certify(with_tls.NAME)
        site.authorities.write_bytes(server.authority.read_bytes())
        take_another_name(server)
        assert all("does not match host name" in said(folder) for folder in found), found
        server.certify(with_tls.NAME)
        server.reload()


@IN_CORE
def test_a_server_gets_another_certificate_and_another_authority_while_all_goes_on(
    site, server, styles, as_it_was
):
    """Those who are connected stay so, and who connects anew reads the file of authorities anew."""
    site.does("upgrade")
    mailbox = site.makes_a_mailbox()

    with site.serving() as clients:

        def works():
            return site.page() == 200 and clients.send(TEXT, mailbox.address).startswith(b"250 ")

        assert works()
        server.certify(with_tls.NAME)
        server.reload()
        assert works()
        end_sessions(server)
        assert works(), "the same authority vouches for it"

        following = trustme.CA()
        both = site.authorities.read_bytes() + following.cert_pem.bytes()
        site.authorities.write_bytes(both)
        server.certify(with_tls.NAME, by=following)
        server.reload()
        end_sessions(server)
        assert works(), "the next one does"
        site.authorities.write_bytes(following.cert_pem.bytes())
        end_sessions(server)
        assert works(), "the first is not needed any more"

        become_anothers(server)
        end_sessions(server)
        assert site.page() == 503
        assert clients.send(TEXT, mailbox.address).startswith(b"4")
        server.certify(with_tls.NAME, by=following)
        server.reload()
        assert works(), "nobody had to be started anew"
        expire(server)
        end_sessions(server)
        assert site.page() == 503
    with site.serving() as clients:
        assert site.page() == 503, "who starts meanwhile waits"
        assert "certificate verify failed (certificate has expired)" in site.logs()
        server.certify(with_tls.NAME)
        server.reload()
        assert wait_until(lambda: site.page() == 200, SECONDS), site.logs()
        assert wait_until(lambda: clients.send(TEXT, mailbox.address).startswith(b"250 "), SECONDS)


@pytest.fixture
def pooled(folder, server):
    """A PgBouncer that verifies the server, and gets a certificate of the same authority."""
    time_out_by_role(server.url(ROLE, ROLE, server.verified))
    where = folder / f"pooler{len(list(folder.iterdir()))}"
    pair = server.vouches.issue_cert(with_tls.NAME)
    files = {"key": pair.private_key_pem, "cert": pair.cert_chain_pems[0], "ca": server.vouches.cert_pem}
    named = {name: where.with_suffix(f".{name}") for name in files}
    for name, pem in files.items():
        pem.write_to_path(str(named[name]))
    people = where.with_suffix(".people")
    people.write_text(f'"{ROLE}" "{server.password}"\n')
    server.lend(people, *named.values())
    port = free_port()
    pooler = Pooler(
        where,
        f"host={with_tls.ADDRESS} port={server.port}",
        f"{SESSIONS}listen_addr = {with_tls.ADDRESS}\nauth_type = scram-sha-256\nauth_file = {people}\n"
        f"server_tls_sslmode = verify-full\nserver_tls_ca_file = {named['ca']}\nserver_login_retry = 1\n"
        f"query_wait_timeout = 5\nclient_tls_sslmode = require\nclient_tls_cert_file = {named['cert']}\n"
        f"client_tls_key_file = {named['key']}\nserver_idle_timeout = 1\n",
        port=port,
    )
    yield SimpleNamespace(port=port, authority=server.vouches.cert_pem.bytes())
    pooler.stop()


@pytest.mark.parametrize("way", WAYS)
def test_a_pooler_is_verified_and_so_is_the_server_behind_it(
    way, pooled, site, server, as_it_was, complaints
):
    assert complaints(way, pooled.port) == []
    site.authorities.write_bytes(trustme.CA().cert_pem.bytes())
    [(_, what, _)] = complaints(way, pooled.port)
    assert "unable to get local issuer certificate" in what
    site.authorities.write_bytes(server.authority.read_bytes())
    become_anothers(server)
    end_sessions(server)
    site.authorities.write_bytes(pooled.authority)
    [(number, what, hint)] = complaints(way, pooled.port)
    assert number == "gatehouse.E016" and "cannot be reached" in what
    assert "server_tls_ca_file" in hint, "it is the pooler's log that tells why"
