"""`manage.py doctor`: what is wrong with an installation, in words; against a real name server, gateway, web server and
mail server.
"""

import base64
import html
import json
import os
import ssl
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import trustme
from aiosmtpd.smtp import AuthResult
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.db import ProgrammingError, connection
from django.utils import timezone

from portal.doctor.examination import Level, Outside, examine, parts, ports, zone
from portal.gates.mta_sts import policy_id
from portal.management.commands.doctor import Command
from tenants import answering, last_backup
from tenants.models import WorkerAnswer
from tests.accounts.openid.names import NameServer
from tests.accounts.post import MailServer
from tests.cast import LOST
from tests.gateway.kit import gateway_running

ROOT = Path(__file__).resolve().parents[2]
BASE, MAIL = "portal.gatehouse.test", "mx.gatehouse.test"
PASSWORD = "pass-that-nobody-sees"


@pytest.fixture(autouse=True)
def of_others(settings):
    """An installation, and not the demo, of which less is expected (tests/onebox/test_supervisor.py)."""
    settings.BASE_DOMAIN, settings.MAIL_DOMAIN = BASE, MAIL


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.file = folder / "ca.pem"
    return authority


@pytest.fixture
def trusted(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))  # in the place of the public authorities
    return authority


@pytest.fixture
def names(settings):
    server = NameServer()
    settings.DNS_SERVER = server.address
    settings.BASE_DOMAIN, settings.MAIL_DOMAIN, settings.MTA_STS = BASE, MAIL, "enforce"
    settings.ALLOWED_HOSTS = [f".{BASE}", f"mta-sts.{MAIL}"]
    here = ["127.0.0.1"]
    server.zone = {
        (BASE, "A"): here,
        (f"*.{BASE}", "A"): here,
        (MAIL, "A"): here,
        (f"mta-sts.{MAIL}", "A"): here,
        (MAIL, "MX"): [f"10 {MAIL}."],
        ("gatehouse.test", "CAA"): ['0 issue "letsencrypt.org; validationmethods=http-01"'],
        (f"_mta-sts.{MAIL}", "TXT"): [f'"v=STSv1; id={policy_id()};"'],
        (f"_smtp._tls.{MAIL}", "TXT"): ['"v=TLSRPTv1; rua=mailto:tls@northwind.example"'],
    }
    yield server
    server.stop()


def pair(authority, folder, *hosts, **options):
    """Certificate and key, as files."""
    leaf = authority.issue_cert(*hosts, **options)
    files = folder / "cert.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(str(files[0]))
    leaf.private_key_pem.write_to_path(str(files[1]))
    return files


@contextmanager
def gateway_with(files, settings):
    """A gateway that serves this pair; where it is to be found."""
    settings.TLS_CERT_FILE, settings.TLS_KEY_FILE = map(str, files)
    certificates = SimpleNamespace(
        cert_file=files[0], key_file=files[1], client_context=ssl.create_default_context()
    )
    with gateway_running(certificates) as clients:
        yield Outside(smtp_port=clients.ports.smtp, pop3s_port=clients.ports.pop3s)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_words):
        pass


@pytest.fixture
def web(authority, tmp_path):
    """The portal behind TLS; its port."""
    folder = tmp_path / "web"
    folder.mkdir()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair(authority, folder, BASE, f"mta-sts.{MAIL}"))
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def seen(outside=None):
    return zone.Seen(zone.Names(), outside or Outside())


def levels(found):
    return {(finding.id, finding.level.name) for finding in found if finding.level > Level.OK}


@contextmanager
def mail_server(authority, tmp_path, settings, quoted=lambda user, password: password, **options):
    """One that asks for a password, and says which was wrong."""

    def judge(_server, _session, _envelope, _mechanism, data):
        user, password = data.login.decode(), data.password.decode()
        if password == PASSWORD:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 Not {quoted(user, password)}")

    folder = tmp_path / "mail-server"
    folder.mkdir()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair(authority, folder, "127.0.0.1"))
    options = {"tls_context": context, "require_starttls": True, "authenticator": judge, **options}
    with MailServer().serving(auth_required=True, **options) as server:
        settings.EMAIL_BACKEND = parts.SMTP_BACKEND
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = True, False
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "portal", PASSWORD
        yield server


# --- The whole ---
def test_an_installation_in_order_has_no_errors_and_all_its_records(
    db, names, trusted, web, tmp_path, settings
):
    answering.note_answer()
    told = StringIO()
    with (
        gateway_with(pair(trusted, tmp_path, MAIL), settings) as outside,
        mail_server(trusted, tmp_path, settings) as mail,
    ):
        ways = {"smtp_port": outside.smtp_port, "pop3s_port": outside.pop3s_port, "https_port": web}
        call_command("doctor", "--json", stdout=told, **ways)
        words = StringIO()
        call_command("doctor", stdout=words, **ways)
        assert mail.taken == []
    found = json.loads(told.getvalue())
    assert found["ok"] is True
    assert "alarms" in {each["id"] for each in found["findings"] if each["level"] == "warning"}
    fine = {each["id"] for each in found["findings"] if each["level"] == "ok"}
    assert fine >= {
        *("database.rights", "clock", "workers", "store", "mail-out"),
        *("dns.mx", "dns.caa", "dns.mta-sts", "dns.tls-rpt"),
        *(
            "smtp.reached",
            "smtp.certificate",
            "pop3s.reached",
            "pop3s.certificate",
            "https",
            "mta-sts.policy",
        ),
    }
    missing = [record["line"] for record in found["records"] if not record["is_there"]]
    assert [line.split()[:6] for line in missing] == [
        [f"{BASE}.", "3600", "IN", "CAA", "0", "issue"],  # the parent's holds for these two
        [f"{MAIL}.", "3600", "IN", "CAA", "0", "issue"],
        [";", f"_25._tcp.{MAIL}.", "3600", "IN", "TLSA", "3"],
    ]
    assert f'_mta-sts.{MAIL}. 3600 IN TXT "v=STSv1; id={policy_id()};"  ; is there' in words.getvalue()
    assert list(settings.STORE_ROOT.iterdir()) == [], "nothing is left in the store"


def test_where_nothing_works_everything_is_named_and_no_secret_told(names, tmp_path):
    secrets = {
        "SECRET_KEY": "secret-of-django",
        "DATABASE_URL": "postgresql://u:secret-of-postgres@127.0.0.1:1/x",
        "REDIS_URL": "redis://:secret-of-redis@127.0.0.1:1/0",
        "GATEHOUSE_SMTP_URL": "smtp://u:secret-of-mail@127.0.0.1:1",
        "GATEHOUSE_WORKER_KEY": "secret-of-workers",
    }
    names.zone = {("elsewhere.test", "A"): ["192.0.2.1"]}
    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--address", "127.0.0.1", "--json"]
        + ["--smtp-port", "1", "--pop3s-port", "1", "--https-port", "1"],
        cwd=ROOT,
        env=os.environ
        | secrets
        | {"GATEHOUSE_BASE_DOMAIN": BASE, "GATEHOUSE_MAIL_DOMAIN": MAIL, "GATEHOUSE_MTA_STS": "testing"}
        | {"GATEHOUSE_DNS_SERVER": names.address, "GATEHOUSE_STATE_DIR": str(tmp_path / "none")}
        | {"GATEHOUSE_ALARM_TO": "secret-of-nobody"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1 and ended.stderr.startswith("CommandError: ")
    found = json.loads(ended.stdout)
    wrong = {each["id"] for each in found["findings"] if each["level"] == "error"}
    assert wrong == {
        *("gatehouse.E004", "gatehouse.E016", "gatehouse.E017", "store", "mail-out"),
        *("dns.base-domain", "dns.wildcard", "dns.mail-domain", "dns.mta-sts"),
        *("smtp.reached", "pop3s.reached", "https", "mta-sts.policy"),
    }
    assert all(each["advice"] for each in found["findings"] if each["level"] == "error")
    assert "secret-of" not in ended.stdout + ended.stderr
    (told,) = [each["seen"] for each in found["findings"] if each["id"] == "variables"]
    assert told == "Nothing reads GATEHOUSE_ALARM_TO: GATEHOUSE_ALARMS_TO is meant?"


def test_a_variable_that_nothing_reads_is_told(db, names, monkeypatch):
    monkeypatch.setenv("GATEHOUSE_ALARM_TO", "night@northwind.example")
    monkeypatch.setenv("MAIL_DOMAIN", "of.somebody.else.example")
    outside = Outside(smtp_port=1, pop3s_port=1, https_port=1)
    found = [finding for finding in examine(outside)[0] if finding.id == "variables"]
    assert [finding.level for finding in found] == [Level.WARNING]
    assert "GATEHOUSE_ALARMS_TO is meant?" in found[0].seen


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--address", "portal"),
        ("--authority", "nobody"),
        ("--reports-to", "me"),
        ("--mail-to", "me"),
        ("--smtp-port", "0"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(option, value):
    with pytest.raises(CommandError, match=f"argument {option}: '{value}' is no "):
        call_command("doctor", option, value)


# --- DNS ---
@pytest.mark.parametrize(
    ("spoiled", "records", "expected"),
    [
        ((BASE, "A"), None, ("dns.base-domain", "ERROR")),
        ((f"*.{BASE}", "A"), None, ("dns.wildcard", "ERROR")),
        ((f"*.{BASE}", "A"), ["192.0.2.9"], ("dns.wildcard", "ERROR")),
        ((MAIL, "A"), ["198.51.100.1"], ("dns.mail-domain", "ERROR")),
        ((MAIL, "MX"), None, ("dns.mx", "WARNING")),
        ((MAIL, "MX"), ["0 ."], ("dns.mx", "ERROR")),
        ((MAIL, "MX"), [f"10 {MAIL}.", "20 mail.example."], ("dns.mx", "ERROR")),
        (("gatehouse.test", "CAA"), None, ("dns.caa", "ADVICE")),
        (("gatehouse.test", "CAA"), ['0 issue ";"'], ("dns.caa", "ERROR")),
        ((BASE, "CAA"), ['0 issue "pki.example"'], ("dns.caa", "ERROR")),
        ((f"_mta-sts.{MAIL}", "TXT"), None, ("dns.mta-sts", "ERROR")),
        ((f"_mta-sts.{MAIL}", "TXT"), ['"v=STSv1; id=20260101;"'], ("dns.mta-sts", "ERROR")),
        ((f"_smtp._tls.{MAIL}", "TXT"), ['"v=spf1 -all"'], ("dns.tls-rpt", "WARNING")),
        ((f"_25._tcp.{MAIL}", "TLSA"), ["3 1 1 " + 32 * "ab"], ("dns.tlsa", "ERROR")),
    ],
)
def test_a_record_that_is_wrong_is_named(names, authority, tmp_path, spoiled, records, expected):
    names.verified = True
    certificate = ssl.PEM_cert_to_DER_cert(pair(authority, tmp_path, MAIL)[0].read_text())
    outside = Outside(addresses=["127.0.0.1"])
    before = levels(zone.findings(seen(outside), certificate))
    assert before == {(f"dns.{host}", "WARNING") for host in ("base-domain", "wildcard", "mail-domain")}
    names.zone.pop(spoiled, None)
    if records:
        names.zone[spoiled] = records
    assert expected in levels(zone.findings(seen(outside), certificate)) - before


def test_the_line_to_copy_is_that_of_the_gateways_key_and_makes_the_finding_go_away(
    names, authority, tmp_path
):
    names.verified = True
    certificate = ssl.PEM_cert_to_DER_cert(pair(authority, tmp_path, MAIL)[0].read_text())
    (record,) = [each for each in zone.wanted(seen(), certificate) if each.type == "TLSA"]
    assert record.optional and record.line.startswith("; ")
    names.zone[record.name, "TLSA"] = [record.value]
    assert not [finding for finding in levels(zone.findings(seen(), certificate)) if finding[0] == "dns.tlsa"]
    (record,) = [each for each in zone.wanted(seen(), certificate) if each.type == "TLSA"]
    assert record.is_there and not record.optional
    names.verified = False
    assert ("dns.tlsa", "WARNING") in levels(zone.findings(seen(), certificate))


def test_the_records_wanted_name_whats_given(names):
    outside = Outside(
        addresses=["203.0.113.5", "2001:db8::5"], authorities=["pki.example"], reports_to="tls@msp.example"
    )
    names.zone = {("elsewhere.test", "A"): ["192.0.2.1"]}
    lines = [record.line for record in zone.wanted(seen(outside), None)]
    assert lines == [
        f"{BASE}. 3600 IN A 203.0.113.5",
        f"{BASE}. 3600 IN AAAA 2001:db8::5",
        f"*.{BASE}. 3600 IN A 203.0.113.5",
        f"*.{BASE}. 3600 IN AAAA 2001:db8::5",
        f"{MAIL}. 3600 IN A 203.0.113.5",
        f"{MAIL}. 3600 IN AAAA 2001:db8::5",
        f"{MAIL}. 3600 IN MX 10 {MAIL}.",
        f'{BASE}. 3600 IN CAA 0 issue "pki.example"',
        f'{MAIL}. 3600 IN CAA 0 issue "pki.example"',
        f"mta-sts.{MAIL}. 3600 IN A 203.0.113.5",
        f"mta-sts.{MAIL}. 3600 IN AAAA 2001:db8::5",
        f'_mta-sts.{MAIL}. 3600 IN TXT "v=STSv1; id={policy_id()};"',
        f'_smtp._tls.{MAIL}. 3600 IN TXT "v=TLSRPTv1; rua=mailto:tls@msp.example"',
    ]


@pytest.mark.parametrize(
    "text",
    [r'"v=TLSRPTv1; rua=mailto:a\"b@x" "\200 rest"', '"v=TLSRPTv1; rua=https://x/' + 200 * "y" + '" "z"'],
)
def test_a_record_that_is_there_is_given_back_as_it_is(names, text):
    names.zone[f"_smtp._tls.{MAIL}", "TXT"] = [text]
    (record,) = [each for each in zone.wanted(seen(), None) if each.name.startswith("_smtp")]
    assert record.is_there and record.value == text
    (record,) = [
        each
        for each in zone.wanted(seen(Outside(reports_to='"a;b"@msp.example')), None)
        if each.name.startswith("_smtp")
    ]
    assert record.value == '"v=TLSRPTv1; rua=mailto:%22a%3Bb%22@msp.example"' and not record.is_there


def test_a_domain_that_is_none_stops_nothing(names, settings):
    settings.BASE_DOMAIN, settings.MAIL_DOMAIN = "portal..example", 64 * "x" + ".example"
    outside = Outside(addresses=["127.0.0.1"], smtp_port=1, pop3s_port=1, https_port=1)
    assert ("dns.server", "ERROR") in levels(zone.findings(seen(outside), None))
    assert not any(record.is_there for record in zone.wanted(seen(outside), None))
    assert levels([*ports.gateway(seen(outside))[0], *ports.portal(seen(outside))]) == {
        (name, "ERROR") for name in ("smtp.reached", "pop3s.reached", "https")
    }


def test_that_the_gateway_has_no_certificate_is_told(db, settings):
    settings.TLS_CERT_FILE = settings.TLS_KEY_FILE = None
    assert ("gatehouse.W001", "WARNING") in levels(parts.checks())


def test_the_ports_that_it_tries_are_those_of_the_world(names, settings):
    settings.PUBLIC_SMTP_PORT, settings.PUBLIC_POP3S_PORT = 1, 2
    options = Command().create_parser("manage.py", "doctor").parse_args([])
    assert (options.smtp_port, options.pop3s_port) == (1, 2)
    found, _ = ports.gateway(seen(Outside(addresses=["127.0.0.1"])))
    told = {each.id: each.seen for each in found}
    assert "127.0.0.1:1: " in told["smtp.reached"] and "127.0.0.1:2: " in told["pop3s.reached"]


def test_name_servers_that_say_nothing_are_waited_for_once(names, settings, monkeypatch):
    monkeypatch.setattr(zone, "LOOK_UP_SECONDS", 0.3)
    settings.DNS_SERVER = "127.0.0.1:9"
    began = datetime.now(UTC)
    assert levels(zone.findings(seen(), None)) == {("dns.server", "ERROR")}
    assert datetime.now(UTC) - began < timedelta(seconds=3)


# --- Ports and certificates ---
def test_a_certificate_that_senders_refuse_is_told_with_its_names(names, trusted, tmp_path, settings):
    with gateway_with(pair(trusted, tmp_path, "mail.elsewhere.test"), settings) as outside:
        found, _ = ports.gateway(seen(outside))
        assert levels(found) == {("smtp.certificate", "ERROR"), ("pop3s.certificate", "ERROR")}
        (told, _) = (finding.seen for finding in found if finding.level == Level.ERROR)
        assert "mail.elsewhere.test" in told and "not trusted" in told and "mx.gatehouse.test" in told
        settings.MTA_STS = "none"
        assert ("smtp.certificate", "WARNING") in levels(ports.gateway(seen(outside))[0])


def test_a_certificate_of_an_authority_that_nobody_knows_is_told(names, tmp_path, settings, trusted):
    with gateway_with(pair(trustme.CA(), tmp_path, MAIL), settings) as outside:
        found, certificate = ports.gateway(seen(outside))
    assert levels(found) == {("smtp.certificate", "ERROR"), ("pop3s.certificate", "ERROR")}
    assert certificate == ssl.PEM_cert_to_DER_cert((tmp_path / "cert.pem").read_text())


def test_a_certificate_that_ends_soon_or_is_not_the_files_is_told(names, trusted, tmp_path, settings):
    ending = datetime.now(UTC) + timedelta(days=2)
    with gateway_with(pair(trusted, tmp_path, MAIL, not_after=ending), settings) as outside:
        (tmp_path / "other").mkdir()
        settings.TLS_CERT_FILE = str(pair(trusted, tmp_path / "other", MAIL)[0])
        found, _ = ports.gateway(seen(outside))
    told = [finding.seen for finding in found if finding.id == "smtp.certificate"]
    assert [
        f"{ending:%Y-%m-%d}" in told[0],
        "which is soon" in told[0],
        "another certificate" in told[1],
    ] == [True] * 3


def test_what_is_no_mail_server_is_told(names, trusted, web, settings):
    with MailServer().serving() as plain:  # without TLS
        found, _ = ports.gateway(seen(Outside(smtp_port=plain.port, pop3s_port=1)))
    assert levels(found) == {("smtp.reached", "ERROR"), ("pop3s.reached", "ERROR")}
    assert "begins no TLS" in found[0].seen and "refused" in found[1].seen


def test_another_policy_than_the_settings_have_is_told(names, trusted, web, settings):
    outside = Outside(https_port=web)
    assert levels(ports.policy_is_served(seen(outside)) + ports.portal(seen(outside))) == set()
    other = NameServer(of_all="127.0.0.1")
    try:
        settings.DNS_SERVER, settings.MAIL_DOMAIN = other.address, "mx.msp.example"
        (found,) = ports.policy_is_served(seen(outside))  # no certificate for that name
    finally:
        other.stop()
    assert (found.id, found.level) == ("mta-sts.policy", Level.ERROR) and "certificate" in found.seen


# --- Services ---
def test_a_store_that_cannot_be_written_is_told(settings):
    assert levels(parts.store_works()) == set()
    settings.STORE_ROOT.rmdir()
    settings.STORE_ROOT.write_text("no folder")
    assert levels(parts.store_works()) == {("store", "ERROR")}


def test_mail_out_is_tried_as_far_as_the_sign_in_and_sent_only_when_asked(trusted, tmp_path, settings):
    with mail_server(trusted, tmp_path, settings) as server:
        assert levels(parts.mail_out("")) == set() and server.taken == []
        assert levels(parts.mail_out("me@msp.example")) == set()
        assert server.taken == ["me@msp.example"]
        server.unknown = {"me@msp.example"}
        (refused,) = parts.mail_out("me@msp.example")
        assert refused.level == Level.ERROR and "No such mailbox here" in refused.seen


@pytest.mark.parametrize(
    ("to", "has_server", "level", "says"),
    [
        ([], True, "WARNING", "GATEHOUSE_ALARMS_TO is not set"),
        (["night@msp.example"], False, "WARNING", "no mail server"),
        (["night@msp.example"], True, "OK", "told to night@msp.example"),
    ],
)
def test_who_hears_of_a_backup_that_fails_is_told(settings, to, has_server, level, says):
    settings.ALARMS_TO = to
    if has_server:
        settings.EMAIL_BACKEND = parts.SMTP_BACKEND
    (found,) = parts.alarms()
    assert (found.id, found.level.name) == ("alarms", level)
    assert says in found.seen and bool(found.advice) == (level == "WARNING")


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "quoted",
    [
        lambda user, password: password,
        lambda user, password: base64_of(password),
        lambda user, password: base64_of(f"\0{user}\0{password}"),
        lambda user, password: quote(password, safe=""),
        lambda user, password: f"'{password}'",
        lambda user, password: json.dumps(password),
        lambda user, password: html.escape(password),
        lambda user, password: "x" * 270 + password,  # where a line of ours ends
    ],
    ids=["as it is", "LOGIN", "PLAIN", "URL", "within marks", "JSON", "XML", "cut"],
)
def test_a_password_that_the_mail_server_quotes_is_not_told(db, trusted, tmp_path, settings, quoted):
    password = """wro'ng\\ &% "and-secret"""
    with mail_server(trusted, tmp_path, settings, quoted):
        settings.EMAIL_HOST_PASSWORD = password
        (refused,) = parts.mail_out("")
    assert refused.level == Level.ERROR and "5.7.8 Not " in refused.seen
    assert "[secret]" in refused.seen or "x" * 250 in refused.seen
    for part in ("wro", base64_of(password), base64_of(f"\0portal\0{password}")):
        assert part not in refused.seen


def test_whatever_is_found_tells_no_secret_of_the_settings(db, names, settings):
    settings.BACKUP_S3_SECRET_ACCESS_KEY = settings.BACKUP_S3_ACCESS_KEY_ID = "of-backups-and-secret"
    settings.STORE_ROOT = settings.STORE_ROOT / "of-backups-and-secret"
    settings.STORE_URL = settings.STORE_ROOT.as_uri()
    found, _ = examine(Outside(smtp_port=1, pop3s_port=1, https_port=1))
    assert "[secret]" in str(found) and "of-backups-and-secret" not in str(found)


@pytest.mark.parametrize("way", [[], ["--json"]])
def test_what_others_say_moves_no_cursor_and_begins_no_line(names, db, way):
    """In DNS anybody may write what a terminal obeys."""
    said = r"v=TLSRPTv1; rua=mailto:x\027]0;owned\007\027[2J\010OK  all: is well\226\128\174"
    names.zone[f"_smtp._tls.{MAIL}", "TXT"] = [f'"{said}"']
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", *way, stdout=out)
    assert "owned" in out.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in out.getvalue())
    assert "\nOK  all" not in out.getvalue()


def test_a_mail_server_whose_certificate_is_not_trusted_is_told(tmp_path, settings):
    with mail_server(trustme.CA(), tmp_path, settings):
        (refused,) = parts.mail_out("")
    assert refused.level == Level.ERROR and "certificate" in refused.seen


def test_mail_that_becomes_files_is_told(settings):
    settings.EMAIL_BACKEND = "portal.onebox.mail_files.EmailBackend"
    assert levels(parts.mail_out("")) == {("mail-out", "WARNING")}


def test_workers_that_are_silent_are_told(db):
    WorkerAnswer.objects.all().delete()
    assert levels(parts.workers()) == {("workers", "ERROR")}
    answering.note_answer()
    assert levels(parts.workers()) == set()
    WorkerAnswer.objects.update(at=timezone.now() - timedelta(minutes=5))
    assert levels(parts.workers()) == {("workers", "ERROR")}


@pytest.mark.parametrize(
    ("hours", "level", "says"),
    [(25, "OK", "25 h old"), (27, "WARNING", "27 h old"), (None, "WARNING", "No backup")],
)
def test_the_age_of_the_last_backup_that_ended_well_is_told(db, hours, level, says):
    if hours is not None:
        assert last_backup.note("2026-11-29", timezone.now() - timedelta(days=9))
        assert last_backup.note("2026-11-30", timezone.now() - timedelta(hours=hours, minutes=1))
    (found,) = parts.backups()
    assert (found.id, found.level.name) == ("backups", level)
    assert says in found.seen and bool(found.advice) == (level == "WARNING")


def test_a_backup_by_a_role_that_may_only_read_is_noted_nowhere_and_is_one_all_the_same(db):
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    assert last_backup.note("2026-11-30", timezone.now()) is False
    assert last_backup.known() is None


def test_a_backup_that_can_not_be_noted_for_another_reason_says_so(db):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_lastbackup RENAME TO tenants_elsewhere")
    with pytest.raises(ProgrammingError):
        last_backup.note("2026-11-30", timezone.now())


@pytest.mark.parametrize(("seconds", "level"), [(-5, "WARNING"), (-3600, "ERROR"), (3600, "ERROR")])
def test_clocks_that_are_apart_are_told(db, seconds, level):
    assert levels(parts.clock()) == set()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            f"$$ SELECT pg_catalog.clock_timestamp() + interval '{seconds} s' $$"
        )
        cursor.execute("SET LOCAL search_path TO public, pg_catalog")
        assert levels(parts.clock()) == {("clock", level)}
        cursor.execute("SET LOCAL search_path TO public")


@pytest.mark.parametrize("how", LOST.values(), ids=list(LOST))
def test_a_schema_that_is_gone_is_told(acme, how):
    with connection.cursor() as cursor:
        cursor.execute(how)
    (found,) = parts.database()
    assert found.id == "database.customers" and "no schema c_acme" in found.seen
    assert "--customer SLUG" in found.advice


def test_a_schema_whose_customer_is_gone_is_told(acme):
    with connection.cursor() as cursor:
        cursor.execute("ALTER SCHEMA c_acme RENAME TO c_kept; CREATE SCHEMA c_empty")
    assert ["schema c_kept is named and filled" in found.seen for found in parts.database()] == [False, True]
