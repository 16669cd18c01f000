"""`manage.py setup` as somebody at a terminal has it, who types wrong answers first; and as a script has it."""

import ctypes
import io
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult
from django.conf import settings
from django.core.management import CommandError, call_command

from portal.doctor import variables
from portal.doctor.findings import Level
from portal.setup import file, questions, trial
from portal.setup.questions import Way
from tests.accounts.openid.names import NameServer
from tests.accounts.post import MailServer
from tests.breaking.workers import environment_of_processes
from tests.environment import BARE
from tests.ports import free_port
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
BASE, MAIL = "portal.gatehouse.test", "mx.gatehouse.test"
NAMES = {"GATEHOUSE_BASE_DOMAIN": BASE, "GATEHOUSE_MAIL_DOMAIN": MAIL}
PASSWORD = "s3cret/of@mail"


@pytest.fixture
def names():
    server = NameServer(of_all="192.0.2.10")
    yield server
    server.stop()


def judge(_server, _session, _envelope, _mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"portal", PASSWORD.encode()))


def talk(terminal, services, mail, folder):
    """The whole conversation, with slips."""
    terminal.answers("The operators' host", "https://portal.gatehouse.test")
    terminal.hears("no domain with a dot in it")
    terminal.answers("The operators' host", BASE)
    terminal.hears(f"{BASE} leads to 192.0.2.10")
    terminal.answers("The gateway's name", BASE)
    terminal.hears("a name of its own")
    terminal.answers("The gateway's name", MAIL)
    terminal.answers("Time zone", "Berlin")
    terminal.hears("'Berlin' is no time zone")
    terminal.answers("Time zone", "Europe/Berlin")
    terminal.answers("Mail server", f"smtp://portal:typed@127.0.0.1:{mail.port}")
    terminal.hears("Leave the password out")
    for password, said in (("not-it", "can't be reached"), (PASSWORD, "takes mail from us")):
        terminal.answers("Mail server", f"smtp://portal@127.0.0.1:{mail.port}?tls=no")
        terminal.answers("Its password", password)
        terminal.hears(said)
        if password != PASSWORD:
            terminal.answers("Keep it all the same?", "")
    terminal.answers("to whom?", "me@northwind.example")
    terminal.hears("sent to me@northwind.example")
    terminal.answers("Sender of these mails", "")
    terminal.answers("Who is mailed when a night's backup fails", "night")
    terminal.hears("not all of it are email addresses")
    terminal.answers("Who is mailed when a night's backup fails", "night@northwind.example")
    terminal.answers("PostgreSQL, as", "mysql://gatehouse_app@127.0.0.1:1/gatehouse")
    terminal.hears(
        "[postgresql://gatehouse_app@127.0.0.1:5432/gatehouse]: mysql://gatehouse_app@127.0.0.1:1/gatehouse\n  not right"
    )
    terminal.hears("it is no URL of a PostgreSQL")
    terminal.answers("PostgreSQL, as", "postgresql://gatehouse_app@127.0.0.1:1/gatehouse")
    terminal.answers("Its password", "whatever")
    terminal.hears("cannot be reached")
    terminal.answers("Keep it all the same?", "no")
    terminal.answers("PostgreSQL, as", services["DATABASE_URL"])
    terminal.answers("Its password", "any, on a socket")
    terminal.hears("ok: PostgreSQL")
    terminal.answers("Redis or Valkey", "redis://127.0.0.1:6379/0?password=x")
    terminal.hears("?password=x\n  not right")
    terminal.hears("it is no URL of a Redis")
    terminal.answers("Redis or Valkey", services["REDIS_URL"])
    terminal.hears("ok: Redis")
    terminal.answers("Where sealed messages lie", str(folder))
    terminal.answers("Private networks", "10.0.0.1/8")
    terminal.hears("GATEHOUSE_IDP_NETWORKS")
    terminal.answers("Private networks", "10.0.0.0/8")
    terminal.hears("DNS records wanted")


def test_somebody_at_a_terminal_is_told_at_once_what_cannot_be_and_ends_with_settings_that_work(
    db, names, tmp_path
):
    target = tmp_path / "environment"
    given = tmp_path / "answers"
    given.write_text(f"GATEHOUSE_DNS_SERVER={names.address}\n")
    with MailServer().serving(auth_required=True, authenticator=judge, auth_require_tls=False) as mail:
        terminal = Terminal("setup", str(target), "--answers", str(given), **BARE)
        talk(terminal, environment_of_processes(), mail, tmp_path / "messages")
        assert terminal.ends() == 0, terminal.said
    assert mail.taken == ["me@northwind.example"]

    assert target.stat().st_mode & 0o777 == 0o600
    values = file.read(target.read_text())
    for name in ("SECRET_KEY", "GATEHOUSE_WORKER_KEY", "DATABASE_OWNER_PASSWORD"):
        assert len(values[name]) >= 32 and values[name] not in terminal.said
    assert PASSWORD not in terminal.said and "s3cret%2Fof%40mail" not in terminal.said
    assert values["GATEHOUSE_STORE_URL"] == f"file://{tmp_path}/messages"
    assert values["GATEHOUSE_ALARMS_TO"] == "night@northwind.example"
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--database", "default", "--fail-level", "ERROR"],
        cwd=ROOT,
        env={**BARE, **values},
        check=False,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr

    # Once more: what is there are the answers; who leaves in the middle leaves it as it is.
    before = target.read_bytes()
    terminal = Terminal("setup", str(target), **BARE)
    terminal.answers(f"[{BASE}]", "")
    terminal.answers(f"[{MAIL}]", "\x03")
    terminal.hears("Nothing was written.")
    assert terminal.ends() == 1 and target.read_bytes() == before


@pytest.fixture
def answers_of(names, tmp_path):
    """A file of answers."""

    def write(answers):
        given = tmp_path / "answers"
        given.write_text(
            "".join(
                f"{name}={value}\n"
                for name, value in ({"GATEHOUSE_DNS_SERVER": names.address} | answers).items()
            )
        )
        return given

    return write


def run(target, *options):
    out = io.StringIO()
    call_command("setup", target, "--no-input", *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def refused(*words):
    """What `setup` says as it ends with status 1; a CommandError is one line on standard error (tenants/test_commands)."""
    with pytest.raises(CommandError) as told:
        call_command("setup", *map(str, words), stdout=io.StringIO())
    return str(told.value)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What `setup` wrote for each way, which tests copy."""
    server, folder = NameServer(of_all="192.0.2.10"), tmp_path_factory.mktemp("made")
    answers = NAMES | {"GATEHOUSE_DNS_SERVER": server.address}
    (folder / "answers").write_text("".join(f"{name}={value}\n" for name, value in answers.items()))
    for way, options in ((Way.UNITS, []), (Way.COMPOSE, ["--compose"])):
        run(folder / way, *options, "--answers", folder / "answers")
    yield {way: (folder / way).read_text() for way in Way}
    server.stop()


def test_a_script_gets_settings_too_and_changes_none_that_are_there_unless_it_says_so(answers_of, tmp_path):
    target = tmp_path / "environment"
    (tmp_path / "key").write_text("a secret key of its own, in a file of its own, of some length")
    told = run(target, "--answers", answers_of(NAMES | {"SECRET_KEY_FILE": tmp_path / "key"}))
    assert told["changed"] and target.stat().st_mode & 0o777 == 0o600
    assert any(record["line"].startswith(f"{BASE}.") for record in told["records"])
    assert "Nobody is mailed when a night's backup fails." in [each["seen"] for each in told["findings"]]
    before = target.read_text()
    values = file.read(before)
    assert values["DATABASE_PASSWORD"] in values["DATABASE_URL"]
    assert values["REDIS_PASSWORD"] in values["REDIS_URL"]
    assert "SECRET_KEY" not in values and len(values["GATEHOUSE_WORKER_KEY"]) >= 32

    # Again: it tries what is there, and says what is not right.
    target.chmod(0o640)
    said = io.StringIO()
    with pytest.raises(CommandError, match="error"):
        call_command("setup", target, "--no-input", stdout=said)
    assert f"{target} is open to others" in said.getvalue() and "Redis cannot be used" in said.getvalue()
    assert target.read_text() == before
    with pytest.raises(CommandError, match="would get another GATEHOUSE_MAIL_FROM"):
        run(target, "--answers", answers_of({"GATEHOUSE_MAIL_FROM": "post@northwind.example"}))
    assert target.read_text() == before
    target.write_text(f"# mine\n{before}OTHER='kept as it is'\n")
    run(target, "--overwrite", "--answers", answers_of({"GATEHOUSE_MAIL_FROM": "p@northwind.example"}))
    assert (
        target.read_text()
        == "# mine\n"
        + before.replace(f"'Gatehouse <no-reply@{BASE}>'", "p@northwind.example")
        + "OTHER='kept as it is'\n"
    )


def test_who_runs_it_again_before_the_services_know_their_passwords_gets_through_with_return_alone(
    answers_of, names, tmp_path
):
    target, port = tmp_path / "environment", free_port()
    services = {
        "DATABASE_URL": f"postgresql://gatehouse_app@127.0.0.1:{port}/gatehouse",
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
    }
    run(target, "--answers", answers_of(NAMES | services))
    before = target.read_bytes()
    terminal = Terminal("setup", str(target), **BARE)
    for question in (
        "operators' host",
        "gateway's name",
        "Time zone",
        "Mail server",
        "Sender of these mails",
    ):
        terminal.answers(question, "")
    for question, to_do in (
        ("PostgreSQL, as", "docker/postgres/roles.sql"),
        ("Redis or Valkey, as", "`requirepass`"),
    ):
        terminal.answers(question, "")
        terminal.answers("Its password, which is not shown [the one that is there]", "")
        terminal.hears("not right")
        terminal.hears(to_do)
        terminal.answers("Keep it all the same? [yes]", "")
    for question in ("Where sealed messages lie", "Private networks in"):
        terminal.answers(question, "")
    terminal.hears("is as it was")
    assert terminal.ends() == 1, "it is not right yet, and says so"
    assert target.read_bytes() == before


def test_another_way_over_a_network_is_told_at_once_although_its_service_has_no_password_yet(names, tmp_path):
    given = tmp_path / "answers"
    given.write_text(f"GATEHOUSE_DNS_SERVER={names.address}\n")
    terminal = Terminal("setup", str(tmp_path / "environment"), "--answers", str(given), **BARE)
    for question, answer in (("operators' host", BASE), ("gateway's name", MAIL)):
        terminal.answers(question, answer)
    for question in ("Time zone", "Mail server", "Sender of these mails"):
        terminal.answers(question, "")
    terminal.answers("PostgreSQL, as", "postgresql://gatehouse_app@db.invalid/gatehouse")
    terminal.answers("Its password, which is not shown [a new one]", "")
    terminal.hears("note: PostgreSQL is reached over a network (db.invalid) with sslmode=prefer")
    terminal.answers("Redis or Valkey, as", "redis://valkey.invalid:6379/0")
    terminal.answers("Its password, which is not shown [a new one]", "")
    terminal.hears("note: Redis is reached over a network (valkey.invalid) without TLS")
    terminal.answers("Where sealed messages lie", "\x03")
    assert terminal.ends() == 1 and "cannot be" not in terminal.said


def test_a_script_is_told_all_that_is_wrong_at_once(tmp_path):
    target, given = tmp_path / "environment", tmp_path / "answers"
    given.write_text(
        "GATEHOUSE_MAIL_FROM='b\nNONSENSE\nexport GATEHOUSE_SMTP_URL=x\nREDIS_URL=a\nREDIS_URL=b\n"
    )
    with pytest.raises(CommandError) as told:
        run(target, "--answers", given)
    for words in (
        "line 1 has a quote",
        "line 2 is no NAME",
        "line 3 begins with export",
        "line 5 has REDIS_URL",
    ):
        assert words in str(told.value)
    given.write_text(
        "GATEHOUSE_BASE_DOMAIN=Portal\nGATEHOUSE_TIME_ZONE=Berlin\nGATEHOUSE_SMTP_PORT=x\nGATEHOUSE_WORKER_KEY=key\n"
        "DATABASE_URL=mysql://a:s3cret@b/c\nGATEHOUSE_ALARMS=x\n"
    )
    with pytest.raises(CommandError) as told:
        run(target, "--answers", given)
    first, *lines = str(told.value).splitlines()
    assert first == "7 things are wrong. Nothing was written."
    for words in (
        "Nothing reads GATEHOUSE_ALARMS: GATEHOUSE_ALARMS_TO is meant?",
        "GATEHOUSE_TIME_ZONE: 'Berlin' is no time zone",
        "There is no answer for GATEHOUSE_MAIL_DOMAIN: give it",
        "GATEHOUSE_BASE_DOMAIN is 'Portal', which is no domain",
        "GATEHOUSE_SMTP_PORT: 'x' is no whole number",
        "DATABASE_URL: it is no URL of a PostgreSQL",
        "Set GATEHOUSE_WORKER_KEY to",
    ):
        assert sum(words in line for line in lines) == 1, words
    assert "s3cret" not in str(told.value)
    assert not target.exists()


def test_a_file_that_somebody_else_writes_meanwhile_is_left_alone(answers_of, tmp_path):
    target, slow = tmp_path / "environment", tmp_path / "slow"
    answers = answers_of(NAMES).read_text()
    os.mkfifo(slow)

    def write():
        with slow.open("w") as into:  # once somebody reads
            target.write_text("SECRET_KEY=theirs\n")
            into.write(answers)

    thread = threading.Thread(target=write)
    thread.start()
    with pytest.raises(CommandError, match="was changed by somebody else"):
        run(target, "--answers", slow)
    thread.join()
    assert target.read_text() == "SECRET_KEY=theirs\n"


def test_what_a_link_leads_to_is_written_and_the_link_stays(answers_of, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "environment")
    run(tmp_path / "link", "--answers", answers_of(NAMES))
    assert (tmp_path / "link").is_symlink() and file.read((tmp_path / "environment").read_text())


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param({"GATEHOUSE_BASE_DOMAIN": BASE}, ["no answer for GATEHOUSE_MAIL_DOMAIN"], id="none"),
        pytest.param(NAMES | {"GATEHOUSE_MAIL_DOMAIN": BASE}, ["a name of its own"], id="one-name"),
        pytest.param(
            NAMES | {"GATEHOUSE_BASE_DOMAIN": f"mta-sts.{MAIL}"}, ["read the gateway's policy"], id="mta-sts"
        ),
        pytest.param(NAMES | {"GATEHOUSE_MAIL_FROM": "'b"}, ["a quote that does not end"], id="quote"),
        pytest.param(
            NAMES
            | {
                "GATEHOUSE_ALARM_TO": "a@b.example",
                "GATEHOUSE_WORKER_KEY": "nonsense",
                "GATEHOUSE_SMTP_URL": "smtp://a/b",
                "GATEHOUSE_SMTP_PORT": "twentyfive",
                "GATEHOUSE_POP3_PORT": "99999",
            },
            [
                "GATEHOUSE_ALARMS_TO is meant",
                "GATEHOUSE_WORKER_KEY",
                "GATEHOUSE_SMTP_URL: it names no",
                "'twentyfive' is no whole number",
                "99999, which is no port",
            ],
            id="several",
        ),
    ],
)
def test_a_script_is_told_in_a_line_what_cannot_be_and_nothing_is_written(
    answers_of, tmp_path, answers, said
):
    lines = refused(tmp_path / "environment", "--no-input", "--answers", answers_of(answers)).splitlines()
    assert len(lines) == (1 if len(said) == 1 else 1 + len(said)), lines
    for words in said:
        assert sum(words in line for line in lines) == 1, words
    assert not (tmp_path / "environment").exists()


def test_containers_get_no_folder_that_they_do_not_have(answers_of, names, tmp_path):
    target, no = tmp_path / ".env", "No container has .* volume `state`"
    with pytest.raises(CommandError, match=f"GATEHOUSE_STORE_URL: {no}"):
        run(target, "--compose", "--answers", answers_of(NAMES | {"GATEHOUSE_STORE_URL": "file:///srv/mail"}))
    (bucket,) = [each for each in questions.asked(Way.COMPOSE) if each.name == "GATEHOUSE_STORE_URL"]
    with pytest.raises(ValueError, match=no):
        bucket.understood("/srv/mail", NAMES)
    in_volume = {"GATEHOUSE_STORE_URL": "file:///var/lib/gatehouse/store"}
    run(target, "--compose", "--answers", answers_of(NAMES | in_volume))
    # Nor is one offered that an earlier file has.
    target.write_text(target.read_text().replace("/var/lib/gatehouse/store", "/srv/mail"))
    terminal = Terminal("setup", "--compose", str(target), **BARE)
    for question in ("The operators' host", "The gateway's name", "Time zone", "Mail server", "Sender"):
        terminal.answers(question, "")
    terminal.answers("A bucket for sealed messages, s3://bucket/prefix []", "\x03")
    assert terminal.ends() == 1


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "GATEHOUSE_WORKER_KEY", "GATEHOUSE_SMTP_URL", "REDIS_PASSWORD"]
)
def test_for_compose_a_secret_in_a_file_is_refused_with_what_to_do(answers_of, tmp_path, name):
    """Its containers would get neither the file nor the value, and not start."""
    answers = answers_of(NAMES | {f"{name}_FILE": "/run/secrets/it"})
    with pytest.raises(CommandError, match=rf"{name}_FILE: Compose hands no file .* as {name}: "):
        run(tmp_path / ".env", "--compose", "--answers", answers)
    assert not (tmp_path / ".env").exists()


def test_what_is_exported_where_setup_runs_is_no_answer(answers_of, tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("GATEHOUSE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GATEHOUSE_MTA_STS", "enforced")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    told = run(tmp_path / "environment", "--answers", answers_of(NAMES))
    assert told["changed"] and not any("MTA_STS" in each["seen"] for each in told["findings"])


def test_what_was_not_tried_is_not_written(answers_of, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "ROOT", tmp_path)  # where no portal is that could try it
    with pytest.raises(CommandError, match="can't be tried"):
        run(tmp_path / "environment", "--answers", answers_of(NAMES))
    assert not (tmp_path / "environment").exists()


def test_a_probe_that_fails_is_no_finding_and_the_next_one_runs():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, trial.Trials() as trials:
        silent.bind(("127.0.0.1", 0))
        values = questions.made(Way.UNITS, {}) | {
            "GATEHOUSE_DNS_SERVER": f"127.0.0.1:{silent.getsockname()[1]}",
            "REDIS_URL": "redis://127.0.0.1:1/0",
        }
        with pytest.raises(trial.NotTried, match="KeyError in probes_of_services.py"):
            trials.tried(values, ["redis", "no such part"])
        with pytest.raises(trial.NotTried, match="it took longer than 1 s"):
            trials.tried(values, ["portal-names"], seconds=1)
        (found,) = trials.tried(values, ["redis"]).findings
    assert found.level == Level.ERROR and "Redis cannot be used" in found.seen


def test_answers_that_are_not_there_are_refused_in_a_line(tmp_path):
    with pytest.raises(CommandError, match="/nonexistent can't be read: No such file"):
        run(tmp_path / "environment", "--answers", "/nonexistent")


def typed_in(octets, *words, **environment):
    """`setup --no-input` in a shell, with these octets on standard input: what it says, which is no traceback."""
    ended = subprocess.run(
        [sys.executable, "manage.py", "setup", "--no-input", *map(str, words)],
        cwd=ROOT,
        env=BARE | environment,
        check=False,
        capture_output=True,
        input=octets,
    )
    said = (ended.stdout + ended.stderr).decode()
    assert "Traceback" not in said, said
    return ended.returncode, said


@pytest.fixture
def standard_input(monkeypatch):
    """Where these octets come in, by an interpreter that was started with this PYTHONIOENCODING."""

    def comes(octets, encoding="utf-8:strict"):
        name, _, errors = encoding.partition(":")
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BytesIO(octets), name, errors=errors or "strict")
        )

    return comes


@pytest.mark.parametrize("value", [b"abc\x00", b"abc\x1b[A", b"'abc\x00'"], ids=ascii)
@pytest.mark.parametrize(
    "name", [b"SECRET_KEY", b"GATEHOUSE_BASE_DOMAIN"], ids=["not asked for", "asked for"]
)
def test_a_control_character_in_answers_or_in_the_file_is_said_and_never_the_value(
    standard_input, tmp_path, name, value
):
    target, line = tmp_path / "environment", name + b"=" + value + b"\n"
    (tmp_path / "answers").write_bytes(line)
    (tmp_path / "file").write_bytes(line)
    for words in (
        (target, "--answers", tmp_path / "answers"),
        (target, "--answers", "-"),
        (tmp_path / "file", "--overwrite"),
    ):
        standard_input(line)
        said = refused("--no-input", *words)
        assert not target.exists()
        assert "line 1 has a value" in said and "No line break or control character" in said
        assert "abc" not in said
    assert (tmp_path / "file").read_bytes() == line


@pytest.mark.parametrize("encoding", ["utf-8:strict", "utf-8:surrogateescape", "latin-1"])
def test_octets_that_are_no_text_are_refused_in_a_line(standard_input, tmp_path, encoding):
    """Whatever the locale would make of them."""
    target, octets = tmp_path / "environment", b"SECRET_KEY=abc\xff\n"
    (tmp_path / "answers").write_bytes(octets)
    for given in ("-", tmp_path / "answers"):
        standard_input(octets, encoding)
        said = refused("--no-input", target, "--answers", given)
        assert f"{given} can't be read: it is no text in UTF-8." in said
        assert "abc" not in said and not target.exists()


def test_of_both_a_shell_is_told_in_a_line_and_by_a_status(tmp_path):
    """Where standard input and what is said have an encoding of their own."""
    target = tmp_path / "environment"
    for octets, encoding, words in (
        (b"SECRET_KEY=abc\xff\n", "latin-1", "- can't be read: it is no text in UTF-8."),
        (b"SECRET_KEY=abc\x1b[A\n", "utf-8:surrogateescape", "line 1 has a value"),
    ):
        status, said = typed_in(octets, target, "--answers", "-", PYTHONIOENCODING=encoding)
        assert (status, target.exists()) == (1, False) and words in said and "abc" not in said


def test_a_standard_input_that_is_closed_is_said(tmp_path, monkeypatch):
    command = '"$1" manage.py setup "$2" --no-input --answers - <&-'
    said = subprocess.run(
        ["sh", "-c", command, "sh", sys.executable, tmp_path / "environment"],
        cwd=ROOT,
        env=BARE,
        check=False,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 1 and "- can't be read: it is closed" in said.stderr
    assert "Traceback" not in said.stderr
    monkeypatch.setattr(sys, "stdin", None)  # as such an interpreter has it
    assert "asks at a terminal" in refused(tmp_path / "environment")


def test_links_that_lead_in_a_circle_are_said(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for words in ((tmp_path / "one",), (tmp_path / "environment", "--answers", tmp_path / "one")):
        said = refused("--no-input", *words)
        assert "can't be read: Too many levels of symbolic links" in said


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["no mark", "mark"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=ascii)
def test_answers_may_be_written_on_windows(mark, end):
    given = b"A=a\nB='\xc3\x96 <p@northwind.example>'\n".replace(b"\n", end)
    assert file.answers((mark + given).decode()) == {"A": "a", "B": "Ö <p@northwind.example>"}


def test_such_answers_become_a_file_by_each_way_to_give_them(answers_of, tmp_path):
    given = answers_of(NAMES | {"GATEHOUSE_MAIL_FROM": "'Ö <p@northwind.example>'"})
    given.write_bytes(b"\xef\xbb\xbf" + given.read_bytes().replace(b"\n", b"\r\n"))
    run(tmp_path / "one", "--answers", given)
    status, said = typed_in(given.read_bytes(), tmp_path / "two", "--answers", "-")
    assert status == 0, said
    for target in ("one", "two"):
        values = file.read((tmp_path / target).read_bytes().decode())
        assert values["GATEHOUSE_MAIL_DOMAIN"] == MAIL
        assert values["GATEHOUSE_MAIL_FROM"] == "Ö <p@northwind.example>"


@pytest.mark.parametrize(("mark", "end"), [(b"", b"\r\n"), (b"\xef\xbb\xbf", b"\n")], ids=ascii)
def test_a_file_as_windows_writes_it_is_refused_with_what_to_do(made, tmp_path, mark, end):
    """A shell would have a carriage return at the end of each value, and systemd no first name."""
    target = tmp_path / "environment"
    target.write_bytes(before := mark + made[Way.UNITS].encode().replace(b"\n", end))
    said = refused("--no-input", target, "--overwrite")
    assert target.read_bytes() == before
    assert f"{target}: it is written as on Windows" in said and "line 1" not in said


@pytest.mark.parametrize("strictness", ["strict", "surrogateescape"])
def test_what_is_typed_and_is_no_text_is_asked_for_again_whatever_the_question(tmp_path, strictness):
    odd, nothing = "p\udcfcx", free_port()  # a letter of a terminal that is not set to UTF-8
    terminal = Terminal(
        *("setup", str(tmp_path / "environment")), **BARE | {"PYTHONIOENCODING": f"utf-8:{strictness}"}
    )
    terminal.answers("The operators' host", f"{odd}.gatehouse.test")
    terminal.hears("That is no text in UTF-8")
    if strictness == "surrogateescape":  # what is not shown getpass reads its own way, whatever this says
        terminal.answers("The operators' host", BASE)
        terminal.answers("The gateway's name", MAIL)
        terminal.answers("Time zone", "")
        terminal.answers("Mail server", f"smtp://portal@127.0.0.1:{nothing}?tls=no")
        terminal.answers("Its password", odd)
        terminal.hears("That is no text in UTF-8")
        terminal.answers("Its password", "s3cret")
        terminal.answers("Keep it all the same?", odd)
        terminal.hears("That is no text in UTF-8")
    terminal.answers(
        "Keep it all the same?" if strictness == "surrogateescape" else "The operators' host", "\x03"
    )
    terminal.hears("Nothing was written.")
    assert terminal.ends() == 1 and "codec" not in terminal.said and "Traceback" not in terminal.said


VALUES = {
    "PLAIN": "plain",
    "EMPTY": "",
    "BLANKS": " a  b ",
    "DOUBLE": 'say "no"',
    "SHELL": "$HOME ${HOME} $(id) `id` $$ ~ * ; & | < > ( )",
    "BACKSLASHES": "\\n \\\\ \\$",
    "HASH": "a #x",
    "TAB": "a\tb",
    "LETTERS": "ü <x@y> €",
    "URL": "postgresql://a:b%2F@c/d?sslmode=verify-full&sslrootcert=/x",
}


def by_shell(target):
    names = " ".join(f'"${name}"' for name in VALUES)
    said = subprocess.run(
        ["sh", "-c", f'. "$1"; printf "%s\\0" {names}', "sh", target],
        check=True,
        capture_output=True,
        text=True,
    )
    return dict(zip(VALUES, said.stdout.split("\0"), strict=False))


def by_systemd(target):
    """By the very function that reads an EnvironmentFile=."""
    libraries = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))
    if not libraries:
        pytest.skip("there is no systemd")
    load = ctypes.CDLL(str(libraries[-1])).load_env_file
    load.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.POINTER(ctypes.c_char_p))]
    lines = ctypes.POINTER(ctypes.c_char_p)()
    assert load(None, os.fsencode(target), ctypes.byref(lines)) >= 0
    found = itertools.takewhile(bool, (lines[number] for number in itertools.count()))
    return dict(line.decode().split("=", 1) for line in found)


def by_compose(target):
    folder = target.parent
    described = {name: f"${{{name}}}" for name in VALUES}
    (folder / "compose.yaml").write_text(
        json.dumps({"services": {"a": {"image": "a", "environment": described}}})
    )
    said = subprocess.run(
        [
            Path(sys.executable).with_name("docker-compose"),
            "--env-file",
            target,
            "config",
            "--format",
            "json",
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(said.stdout)["services"]["a"]["environment"]
    return {name: value.replace("$$", "$") for name, value in told.items()}  # doubled, to be read again


@pytest.mark.parametrize("reads", [by_shell, by_systemd, by_compose], ids=["shell", "systemd", "compose"])
def test_what_reads_the_file_reads_what_was_meant(tmp_path, reads):
    target = tmp_path / "environment"
    assert not any(map(file.why_not, VALUES.values()))
    file.write(target, file.written("", VALUES))
    assert file.read(target.read_text()) == VALUES
    assert reads(target) == VALUES


@pytest.mark.parametrize("value", ["it's", "ends\\", "a\nb", "a\rb", "\x1b[A", "\udcff"], ids=ascii)
def test_what_they_would_read_differently_is_refused(value):
    assert file.why_not(value)


@pytest.mark.parametrize(
    "line",
    [
        'N="$HOME"',
        'N="`id`"',
        r'N="a\\b"',
        "N=$HOME",
        "N=a&b",
        "N=a#b",
        "N=a b",
        "N=a # remark",
        "N='a' # remark",
        "N='a'b",
        "N='a\\'",
        "N=~/a",
        "export N=a",
        "N=a\r",
        "N=a\nN=b",
    ],
    ids=ascii,
)
def test_a_line_that_they_would_read_differently_is_refused_with_what_would_do(line):
    with pytest.raises(ValueError, match=r"^line \d"):
        file.read(line)


# --- Names that nothing reads, and files of the other way ---
MISSPELT = {
    "GATEHOUSE_BASE_DOMAN": "GATEHOUSE_BASE_DOMAIN",
    "GATEHOUSE_SMTP_URI": "GATEHOUSE_SMTP_URL",
    "GATEHOUSE_ALARM_TO": "GATEHOUSE_ALARMS_TO",
    "GATEHOUS_TIME_ZONE": "GATEHOUSE_TIME_ZONE",
    "gatehouse_mail_from": "GATEHOUSE_MAIL_FROM",
    "MAIL_DOMAIN": "GATEHOUSE_MAIL_DOMAIN",
    "GATEHOUSE_DATABASE_URL": "DATABASE_URL",
    "DATABSE_URL": "DATABASE_URL",
    "GATEHOUSE_SMTP_URL_FIEL": "GATEHOUSE_SMTP_URL",
    "GATEHOUSE_WORKER_KEY_FLIE": "GATEHOUSE_WORKER_KEY",
    "GATEHOUSE_POSTGRES_HOTS": "GATEHOUSE_POSTGRES_HOST",
    "GATEHOUSE_BACKUP_PLACES": "GATEHOUSE_BACKUP_PLACE",
}
OF_OTHERS = [
    "OTHER",
    "PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "PGHOST",
    "LANG",
    "HTTPS_PROXY",
    "COMPOSE_PROJECT_NAME",
]


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_a_name_that_nothing_reads_is_said_with_the_one_that_is_meant(name, meant):
    assert variables.unknown([name, *OF_OTHERS, *settings.ENVIRONMENT_NAMES]) == {name: meant}


def test_one_that_is_like_no_other_is_said_too():
    assert variables.unknown(["GATEHOUSE_XYZZY"]) == {"GATEHOUSE_XYZZY": ""}


def test_a_script_with_a_misspelt_answer_is_refused_and_nothing_is_written(answers_of, tmp_path):
    target, given = tmp_path / "environment", answers_of(NAMES | {"GATEHOUSE_SMTP_URI": "smtp://secret@a"})
    said = refused(target, "--no-input", "--answers", given)
    assert not target.exists() and "secret" not in said
    assert f"{given}: Nothing reads GATEHOUSE_SMTP_URI: GATEHOUSE_SMTP_URL is meant?" in said
    # Who sits at a terminal is told before the first question.
    terminal = Terminal("setup", str(target), "--answers", str(given), **BARE)
    assert terminal.ends() == 1 and "GATEHOUSE_SMTP_URL is meant?" in terminal.said
    assert "The operators' host" not in terminal.said


def test_what_is_wrong_and_not_asked_for_is_told_before_the_first_question(tmp_path):
    given = tmp_path / "answers"
    given.write_text("GATEHOUSE_SMTP_PORT=x\n")
    terminal = Terminal("setup", str(tmp_path / "environment"), "--answers", str(given), **BARE)
    terminal.hears("GATEHOUSE_SMTP_PORT: 'x' is no whole number")
    assert terminal.ends() == 1 and "The operators' host" not in terminal.said


def test_a_file_with_a_misspelt_name_is_told_and_a_script_ends_with_a_status(made, tmp_path):
    target = tmp_path / "environment"
    target.write_text(before := f"{made[Way.UNITS]}GATEHOUSE_ALARM_TO=night@northwind.example\n")
    status, said = typed_in(b"", target)
    assert (status, target.read_text()) == (1, before)
    assert "Nothing reads GATEHOUSE_ALARM_TO: GATEHOUSE_ALARMS_TO is meant?" in said
    terminal = Terminal("setup", str(target), **BARE)
    terminal.hears("note: ")
    terminal.hears("GATEHOUSE_ALARMS_TO is meant?")
    terminal.answers("The operators' host", "\x03")
    assert terminal.ends() == 1


def test_what_the_other_way_alone_reads_is_told(answers_of, tmp_path):
    told = run(tmp_path / ".env", "--compose", "--answers", answers_of(NAMES | {"GATEHOUSE_BIND": "0.0.0.0"}))
    assert "GATEHOUSE_BIND is read by no container" in " ".join(each["seen"] for each in told["findings"])
    told = run(tmp_path / "e", "--answers", answers_of(NAMES | {"GATEHOUSE_POSTGRES_HOST": "db.example.com"}))
    assert "GATEHOUSE_POSTGRES_HOST is read by docker/compose.yaml alone" in " ".join(
        each["seen"] for each in told["findings"]
    )


@pytest.mark.parametrize("way", Way)
def test_a_file_of_the_other_way_is_left_alone_and_what_to_type_is_said(made, tmp_path, way):
    target, options = tmp_path / "settings", {Way.UNITS: [], Way.COMPOSE: ["--compose"]}
    (other,) = {*Way} - {way}
    target.write_text(before := made[way])
    for more in ([], ["--overwrite"]):
        said = refused(target, *options[other], "--no-input", *more)
        assert target.read_text() == before
        whose = {Way.UNITS: "systemd's units", Way.COMPOSE: "docker/compose.yaml"}[way]
        assert f"{target} has the settings of {whose}" in said and "--overwrite" not in said
    # As it says it works.
    (line,) = [
        words for words in re.findall(r"manage\.py setup (\S.*?)\.(?= |$)", said) if str(target) in words
    ]
    assert line.split() == [*options[way], str(target)]
    _, said = typed_in(b"", *line.split())
    assert "has the settings of" not in said and target.read_text() == before
    # At a terminal nothing is asked.
    terminal = Terminal("setup", str(target), *options[other], **BARE)
    assert terminal.ends() == 1 and "The operators' host" not in terminal.said


def test_all_that_compose_hands_on_is_known():
    read = set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", (ROOT / "docker/compose.yaml").read_text()))
    assert read | {"COMPOSE_PROFILES"} == variables.OF_COMPOSE


def test_each_name_of_ours_in_documents_and_docker_is_known():
    """Or somebody who types what stands there is told that nothing reads it."""
    files = [*ROOT.glob("docs/*.md"), ROOT / "README.md", *filter(Path.is_file, (ROOT / "docker").rglob("*"))]
    named = {
        name
        for file in files
        for name in re.findall(r"(?<![\w{])GATEHOUSE_[A-Z0-9_]*[A-Z0-9](?![\w…*])", file.read_text())
    }
    assert len(named) > 60
    assert set(variables.unknown(named)) <= MADE_UP


MADE_UP = {"GATEHOUSE_IMAGE_ROOT"}
