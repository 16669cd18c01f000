"""Each wrong setting has its own id and a hint that says what to do."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailboxes.vault import PrivateKey
from portal.checks import databases, variables
from portal.onebox import certificate, secrets

ROOT = Path(__file__).resolve().parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def right(settings, tmp_path):
    """Settings as a careful operator would choose them; each test spoils one."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    folder = tmp_path / "tls"
    certificate.ensure(tmp_path, base_domain="portal.example.com", mail_domain="gateway.example.com")
    settings.ENVIRONMENT_PROBLEMS = []
    settings.SECRET_KEY, settings.WORKER_KEY, settings.WORKER_PUBLIC_KEY = "s3cret", KEY, ""
    settings.HTTP_PORT, settings.SMTP_PORT, settings.SMTPS_PORT = 80, 25, 465
    settings.POP3_PORT, settings.POP3S_PORT = 110, 995
    settings.BASE_DOMAIN, settings.MAIL_DOMAIN = "portal.example.com", "gateway.example.com"
    settings.STORE_URL = "file:///srv/gatehouse"
    settings.STATE_DIR, settings.BIND = state_dir, "0.0.0.0"
    settings.DEMO = settings.DEBUG = False
    settings.TLS_CERT_FILE, settings.TLS_KEY_FILE = folder / "cert.pem", folder / "key.pem"
    return settings


CHECKS = [
    variables.environment_is_readable,
    variables.django_has_a_secret_key,
    variables.workers_have_a_key,
    variables.ports_differ,
    variables.domains_are_names,
    variables.store_is_supported,
    variables.shortcuts_stay_on_this_machine,
    variables.tls_files_are_readable,
    variables.identity_provider_authorities_are_readable,
]


def found():
    messages = [message for check in CHECKS for message in check(None)]
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


def test_right_settings_have_nothing_to_complain_about(right):
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ENVIRONMENT_PROBLEMS", [("DATABASE_URL", "is no URL.", "Write postgresql://…")], "E001"),
        ("SECRET_KEY", "", "E002"),
        ("WORKER_KEY", "", "E003"),
        ("WORKER_KEY", "not base64!", "E004"),
        ("WORKER_KEY", base64.b64encode(bytes(31)).decode(), "E004"),
        ("WORKER_PUBLIC_KEY", "not base64!", "E018"),
        ("WORKER_PUBLIC_KEY", base64.b64encode(bytes(1216)).decode(), "E018"),
        ("SMTP_PORT", 65536, "E005"),
        ("POP3_PORT", 25, "E006"),
        ("BASE_DOMAIN", "localhost", "E007"),
        ("BASE_DOMAIN", "http://portal.example.com", "E007"),
        ("BASE_DOMAIN", "portal.example.com:8000", "E007"),
        ("BASE_DOMAIN", "Portal.example.com", "E007"),
        ("MAIL_DOMAIN", "gateway..example.com", "E007"),
        ("STORE_URL", "s3://bucket/prefix", "E008"),
        ("STORE_URL", "file://relative/path", "E008"),
        ("STORE_URL", "/srv/gatehouse", "E008"),
        ("TLS_CERT_FILE", "/nowhere/cert.pem", "E013"),
        ("TLS_KEY_FILE", "/nowhere/key.pem", "E013"),
        ("TLS_KEY_FILE", None, "E014"),
        ("IDENTITY_PROVIDER_CA_FILE", "/nowhere/ca.pem", "E019"),
    ],
)
def test_one_wrong_setting_is_one_complaint(right, name, value, expected):
    setattr(right, name, value)
    assert found() == [f"gatehouse.{expected}"]


@pytest.mark.parametrize(
    ("name_server", "number"),
    [("ns.example:53", "many"), ("192.0.2.53", "0"), ("[2001:db8::53]:65536", "-1")],
)
def test_each_variable_that_makes_no_sense_is_named(name_server, number):
    wrong = {
        "DATABASE_URL": "mysql://localhost/x",
        "DEBUG": "perhaps",
        "GATEHOUSE_DNS_SERVER": name_server,
        "GATEHOUSE_IDP_NETWORKS": "10.0.0.0/8, 10.0.0.1/8",
        "GATEHOUSE_POP3_PER_NETWORK": number,
        "GATEHOUSE_SMTP_URL": "ftp://mail.example",
        "REDIS_URL": "http://localhost",
    }
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from portal.settings import env; print(*(wrong[0] for wrong in env.problems))",
        ],
        cwd=ROOT,
        env={**os.environ, **wrong},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert sorted(told.split()) == sorted(wrong)


def test_no_certificate_at_all_is_a_warning(right):
    right.TLS_CERT_FILE = right.TLS_KEY_FILE = None
    assert found() == ["gatehouse.W001"]


def test_ports_to_be_chosen_may_be_the_same(right):
    right.SMTP_PORT = right.POP3_PORT = 0
    assert found() == []


@pytest.mark.parametrize(
    "key", [secrets.new_worker_key(), KEY, KEY.rstrip("=")], ids=["new", "padded", "bare"]
)
def test_both_alphabets_of_base64_are_understood(right, key):
    right.WORKER_KEY = key
    assert found() == []


def test_without_the_private_half_the_public_one_will_do(right):
    right.WORKER_PUBLIC_KEY = base64.b64encode(PrivateKey.from_text(KEY).public).decode()
    assert found() == []
    right.WORKER_KEY = ""
    assert found() == []


def generated_secrets(settings):
    settings.SECRET_KEY = json.loads(secrets.ensure(settings.STATE_DIR).read_text())["SECRET_KEY"]


def self_signed_certificate(settings):
    folder = certificate.ensure(settings.STATE_DIR, base_domain="a.example", mail_domain="b.example").parent
    settings.TLS_CERT_FILE, settings.TLS_KEY_FILE = folder / "cert.pem", folder / "key.pem"


def public_password(settings):
    settings.DEMO = True


def debug_pages(settings):
    settings.DEBUG = True


@pytest.mark.parametrize(
    ("take", "expected"),
    [
        (public_password, "E009"),
        (generated_secrets, "E010"),
        (self_signed_certificate, "E011"),
        (debug_pages, "E012"),
    ],
)
def test_shortcuts_of_the_demo_are_refused_as_soon_as_others_can_reach_it(right, take, expected):
    take(right)
    assert found() == [f"gatehouse.{expected}"]

    right.BIND = "127.0.0.1"
    assert found() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_key_that_may_not_be_read_is_found(right):
    right.TLS_KEY_FILE.chmod(0)
    assert found() == ["gatehouse.E013"]


def test_redis_is_asked_with_the_databases_and_only_then(settings, tmp_path):
    assert databases.redis_answers(None, databases=["default"]) == []

    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"
    assert [message.id for message in databases.redis_answers(None, databases=["default"])] == [
        "gatehouse.E017"
    ]
    assert databases.redis_answers(None) == []
