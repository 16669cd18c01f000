"""Each wrong setting has its own id and a hint that says what to do."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from django.core.checks import run_checks
from kombu import Connection

from mailboxes.vault import PrivateKey
from portal.checks import databases, stores, variables, way
from portal.onebox import certificate, secrets

ROOT = Path(__file__).resolve().parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
LONG_KEY = "s3cret" * 9


@pytest.fixture
def right(settings, tmp_path):
    """Settings as a careful operator would choose them; each test spoils one."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    folder = tmp_path / "tls"
    certificate.ensure(tmp_path, base_domain="portal.example.com", mail_domain="gateway.example.com")
    settings.ENVIRONMENT_PROBLEMS = []
    settings.SECRET_KEY, settings.WORKER_KEY, settings.WORKER_PUBLIC_KEY = LONG_KEY, KEY, ""
    settings.HTTP_PORT, settings.SMTP_PORT, settings.SMTPS_PORT = 80, 25, 465
    settings.POP3_PORT, settings.POP3S_PORT = 110, 995
    settings.BASE_DOMAIN, settings.MAIL_DOMAIN = "portal.example.com", "gateway.example.com"
    settings.STORE_URL, settings.STORE_OTHER_URL = "file:///srv/gatehouse", ""
    settings.S3_ACCESS_KEY_ID, settings.S3_SECRET_ACCESS_KEY = "name", "s3cret"
    settings.S3_ENDPOINT, settings.S3_CA_FILE, settings.RECOVERY_PUBLIC_KEY = "", "", ""
    settings.STATE_DIR, settings.BIND, settings.HTTP_BIND = state_dir, "0.0.0.0", "127.0.0.1"
    settings.DEMO = settings.DEBUG = settings.BEHIND_PROXY = False
    settings.TLS_CERT_FILE, settings.TLS_KEY_FILE = folder / "cert.pem", folder / "key.pem"
    settings.DATABASE_CA_FILE = str(folder / "cert.pem")
    return settings


CHECKS = [
    variables.environment_is_readable,
    variables.django_has_a_secret_key,
    variables.backups_have_a_key,
    variables.workers_have_a_key,
    variables.ports_differ,
    variables.domains_are_names,
    stores.store_is_supported,
    stores.the_bucket_is_entered_with_keys,
    variables.shortcuts_stay_on_this_machine,
    variables.tls_files_are_readable,
    variables.identity_provider_authorities_are_readable,
    way.database_authorities_are_readable,
]


def told():
    messages = [message for check in CHECKS for message in check(None)]
    assert all(message.hint for message in messages)
    return messages


def found():
    return [message.id for message in told()]


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
        ("RECOVERY_PUBLIC_KEY", "AAAA", "E029"),
        ("RECOVERY_PUBLIC_KEY", "not base64!", "E029"),
        ("SMTP_PORT", 65536, "E005"),
        ("POP3_PORT", 25, "E006"),
        ("PUBLIC_SMTP_PORT", 65536, "E005"),
        ("PUBLIC_SMTP_PORT", 0, "E005"),
        ("PUBLIC_POP3S_PORT", 110, "E006"),
        ("BASE_DOMAIN", "localhost", "E007"),
        ("BASE_DOMAIN", "http://portal.example.com", "E007"),
        ("BASE_DOMAIN", "portal.example.com:8000", "E007"),
        ("BASE_DOMAIN", "Portal.example.com", "E007"),
        ("MAIL_DOMAIN", "gateway..example.com", "E007"),
        ("BASE_DOMAIN", "mta-sts.gateway.example.com", "E030"),
        ("STORE_URL", "s3://", "E008"),
        ("STORE_URL", "s3://Bucket/prefix", "E008"),
        ("STORE_URL", "s3://bucket/two//blanks", "E008"),
        ("STORE_OTHER_URL", "ftp://host/folder", "E008"),
        ("STORE_OTHER_URL", "file:///srv/gatehouse/", "E024"),
        ("STORE_OTHER_URL", "file:///srv/./gatehouse//within", "E024"),
        ("STORE_URL", "s3://bucket/mail/..", "E008"),
        ("STORE_URL", "file://relative/path", "E008"),
        ("STORE_URL", "/srv/gatehouse", "E008"),
        ("TLS_CERT_FILE", "/nowhere/cert.pem", "E013"),
        ("TLS_CERT_FILE", "/", "E013"),
        ("TLS_KEY_FILE", "/nowhere/key.pem", "E013"),
        ("TLS_KEY_FILE", None, "E014"),
        ("IDENTITY_PROVIDER_CA_FILE", "/nowhere/ca.pem", "E019"),
        ("DATABASE_CA_FILE", "/nowhere/ca.pem", "E038"),
        ("DATABASE_CA_FILE", __file__, "E038"),
    ],
)
def test_one_wrong_setting_is_one_complaint(right, name, value, expected):
    setattr(right, name, value)
    assert found() == [f"gatehouse.{expected}"]


@pytest.mark.parametrize("typed", ["s3cret", 100 * "s3cret"], ids=["short", "long"])
@pytest.mark.parametrize("name", ["TLS_CERT_FILE", "TLS_KEY_FILE", "IDENTITY_PROVIDER_CA_FILE", "S3_CA_FILE"])
def test_what_was_typed_where_a_file_should_be_named_is_told_without_it(right, name, typed):
    """It may be the key."""
    right.STORE_URL = "s3://bucket/prefix"
    setattr(right, name, typed)
    [message] = told()
    assert "s3cret" not in f"{message.msg} {message.hint}"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("S3_ACCESS_KEY_ID", "", "E021"),
        ("S3_SECRET_ACCESS_KEY", "", "E021"),
        ("S3_CA_FILE", "/nowhere/ca.pem", "E027"),
        ("S3_ENDPOINT", "http://s3.example:8333", "W005"),
    ],
)
def test_what_a_bucket_needs_is_asked_for_where_the_store_is_one(right, name, value, expected):
    setattr(right, name, value)
    assert found() == []
    right.STORE_URL = "s3://bucket/prefix"
    assert found() == [f"gatehouse.{expected}"]


@pytest.mark.parametrize(
    ("name_server", "number", "redis", "smtp", "folder", "endpoint"),
    [
        ("ns.example:53", "many", "http://localhost", "ftp://mail.example", 300 * "x", "s3.example:8333"),
        (
            "192.0.2.53",
            "0",
            "redis:///3",
            "smtp://mail.example/x",
            "~none-is-called-so",
            "https://:s3cret@s3.example",
        ),
        ("[2001:db8::53]:65536", "-1", "redis://localhost/three", "smtp:mail.example", 300 * "x", "https://"),
    ],
)
def test_each_variable_that_makes_no_sense_is_named(name_server, number, redis, smtp, folder, endpoint):
    wrong = {
        "DATABASE_URL": "mysql://localhost/x",
        "DEBUG": "perhaps",
        "GATEHOUSE_DNS_SERVER": name_server,
        "GATEHOUSE_IDP_NETWORKS": "10.0.0.0/8, 10.0.0.1/8",
        "GATEHOUSE_LOG_FORMAT": "xml",
        "GATEHOUSE_MTA_STS": "enforced",
        "GATEHOUSE_STATIC_DIR": folder,
        "GATEHOUSE_POP3_PER_NETWORK": number,
        "GATEHOUSE_S3_ENDPOINT": endpoint,
        "GATEHOUSE_S3_TIMEOUT": "0",
        "GATEHOUSE_SMTP_URL": smtp,
        "GATEHOUSE_WEB_PROCESSES": "0",
        "PGSSLMODE": "verify_full",
        "REDIS_URL": redis,
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


SECRETS = (
    *("SECRET_KEY", "SECRET_KEY_FALLBACKS", "GATEHOUSE_WORKER_KEY"),
    *("DATABASE_URL", "REDIS_URL", "GATEHOUSE_SMTP_URL"),
    *("GATEHOUSE_S3_ACCESS_KEY_ID", "GATEHOUSE_S3_SECRET_ACCESS_KEY"),
    *("GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID", "GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY"),
)


def test_each_secret_may_stand_in_a_file_of_its_own(tmp_path):
    written = {
        "SECRET_KEY": "s3cret ",
        "SECRET_KEY_FALLBACKS": "older oldest",
        "GATEHOUSE_WORKER_KEY": KEY,
        "DATABASE_URL": "postgresql://gatehouse:pass@db.example/gatehouse",
        "REDIS_URL": "redis://:pass@redis.example/3",
        "GATEHOUSE_SMTP_URL": "smtp://portal:pass@mail.example:587",
        "GATEHOUSE_S3_ACCESS_KEY_ID": "who",
        "GATEHOUSE_S3_SECRET_ACCESS_KEY": "secret",
        "GATEHOUSE_BACKUP_S3_ACCESS_KEY_ID": "elsewhere",
        "GATEHOUSE_BACKUP_S3_SECRET_ACCESS_KEY": "another",
    }
    named = {}
    for name, value in written.items():
        (tmp_path / name).write_text(f"{value}\n")
        named[f"{name}_FILE"] = str(tmp_path / name)
    told = _settings_told(
        named,
        "s.SECRET_KEY, s.SECRET_KEY_FALLBACKS, s.WORKER_KEY, s.DATABASES['default']['PASSWORD'],"
        "s.REDIS_URL, s.EMAIL_HOST_PASSWORD, s.S3_ACCESS_KEY_ID, s.S3_SECRET_ACCESS_KEY,"
        "s.BACKUP_S3_ACCESS_KEY_ID, s.BACKUP_S3_SECRET_ACCESS_KEY, s.ENVIRONMENT_PROBLEMS",
    )
    assert told == [
        *("s3cret", ["older", "oldest"], KEY, "pass", "redis://:pass@redis.example/3", "pass"),
        *("who", "secret", "elsewhere", "another"),
        [],
    ]


@pytest.mark.parametrize(
    ("url", "host", "port", "wants"),
    [
        ("postgresql://u:p@one.example/x", "one.example", "", None),
        ("postgresql://u:p@one.example,two.example/x", "one.example,two.example", "5432,5432", "read-write"),
        ("postgresql://u:a,b@one.example:5433,[::1]/x", "one.example,::1", "5433,5432", "read-write"),
        ("postgresql://u:p@%2Frun%2Fone,%2Frun%2Ftwo/x", "/run/one,/run/two", "5432,5432", "read-write"),
        ("postgresql://u:p@one,two/x?target_session_attrs=primary", "one,two", "5432,5432", "primary"),
    ],
    ids=["one", "two", "with ports", "sockets", "another wish"],
)
def test_a_database_may_have_several_hosts_of_which_that_is_meant_which_takes_writes(url, host, port, wants):
    [found, problems] = _settings_told(
        {"DATABASE_URL": url}, "s.DATABASES['default'], s.ENVIRONMENT_PROBLEMS"
    )
    assert (found["HOST"], str(found["PORT"]), found["NAME"]) == (host, port, "x")
    assert found["OPTIONS"].get("target_session_attrs") == wants
    assert problems == []


@pytest.mark.parametrize("hosts", ["one,", ",two", "one:5432,two:nonsense"])
def test_hosts_that_make_no_sense_are_told(hosts):
    [problems] = _settings_told({"DATABASE_URL": f"postgresql://u:p@{hosts}/x"}, "s.ENVIRONMENT_PROBLEMS")
    assert [problem[0] for problem in problems] == ["DATABASE_URL"]


@pytest.mark.parametrize(
    ("behind", "says"),
    [
        ("sslmode=verify-full&sslrootcert=%2Fca.pem&connect_timeout=3", ""),
        ("sslmode=verify_full", "its sslmode is none that there is"),
        ("sslmode=", "an option without a value"),
        ("sslmode=verify-full&sslrootcert", "an option without a value"),
        ("sslmode=verify-full&sslmode=disable", "an option stands twice"),
        ("sslmode=verify-full&service=other", "stands service: a file that nobody looks into"),
        (
            "assume_role=gatehouse_app",
            "stands assume_role: what is run in the database could leave that role",
        ),
        ("ssl_mode=verify-full", "an option that PostgreSQL's clients don't know"),
        ("sslmode=verify-full&sslrootcert=/ca&pem=", "an option that PostgreSQL's clients don't know"),
    ],
)
def test_what_would_have_a_database_reached_otherwise_than_somebody_thinks_is_told(behind, says):
    """Some of it would be left out in silence, and the server be spoken to without TLS."""
    for hosts in ("one.example", "one.example,two.example"):
        url = f"postgresql://u:s3cret@{hosts}/x?{behind}"
        problems, found = _settings_told(
            {"DATABASE_URL": url}, "s.ENVIRONMENT_PROBLEMS, s.DATABASES['default']"
        )
        assert [variable for variable, _, _ in problems] == (["DATABASE_URL"] if says else [])
        assert not says or (says in problems[0][1] and "s3cret" not in str(problems))
        assert bool(says) or found["OPTIONS"]["sslrootcert"] == "/ca.pem"


@pytest.mark.parametrize("mode", ["", " ", "verify-full "])
def test_a_mode_of_tls_that_libpq_would_not_read_as_one_is_told(mode):
    [problems] = _settings_told({"PGSSLMODE": mode}, "s.ENVIRONMENT_PROBLEMS")
    assert [variable for variable, _, _ in problems] == ["PGSSLMODE"]


def test_the_file_of_authorities_is_that_of_the_url_or_of_the_environment():
    url = "postgresql://u:p@db.example/x"
    for behind, of_environment, is_it in (("", "/a", "/a"), ("?sslrootcert=/b", "/a", "/b"), ("", " ", "")):
        given = {"DATABASE_URL": url + behind, "PGSSLROOTCERT": of_environment}
        assert _settings_told(given, "s.DATABASE_CA_FILE") == [is_it]


def test_a_secrets_file_that_is_missing_or_not_needed_is_told(tmp_path):
    (tmp_path / "both").write_text("one")
    (tmp_path / "empty").write_text("\n")
    wrong = {
        "DATABASE_URL_FILE": str(tmp_path / "empty"),
        "REDIS_URL_FILE": "redis://:s3cret@redis.example/3",
        "GATEHOUSE_WORKER_KEY": KEY,
        "GATEHOUSE_WORKER_KEY_FILE": str(tmp_path / "both"),
    }
    [problems] = _settings_told(wrong, "s.ENVIRONMENT_PROBLEMS")
    assert {variable: what for variable, what, _hint in problems} == {
        "DATABASE_URL_FILE": "its file is of no use: it is empty.",
        "REDIS_URL_FILE": "its file is of no use: No such file or directory.",
        "GATEHOUSE_WORKER_KEY_FILE": "GATEHOUSE_WORKER_KEY is set, too.",
    }


@pytest.mark.parametrize(
    "password",
    ["s3c/ret", "/s3cret", "12/s3cret", "s3cret#", "12#s3cret", "12?s3cret", "a@b/s3cret", "[s3cret"],
)
def test_a_url_whose_password_is_not_written_as_in_urls_is_told_without_it(password):
    """It would pass for a host, and the rest for a path, which logs show."""
    urls = {
        "DATABASE_URL": f"postgresql://127.0.0.1:{password}@host.example:5432/x",
        "GATEHOUSE_SMTP_URL": f"smtp://user:{password}@host.example:587",
        "REDIS_URL": f"redis://:{password}@host.example:6379/3",
    }
    problems, *used = _settings_told(urls, "s.ENVIRONMENT_PROBLEMS, s.DATABASE_URL, s.CELERY_BROKER_URL")
    assert sorted(problem[0] for problem in problems) == sorted(urls)
    assert "s3c" not in str([problems, used])


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("redis://:s3cret@host:6379/3", True),
        ("rediss://user:s3cret@host?ssl_ca_certs=/ca.pem", True),
        ("unix:///run/redis.sock?db=1", True),
        ("redis://host:6379/3?password=s3cret", False),
        ("redis://host:6379?password=", False),
        ("unix:///run/redis.sock?password=s3cret", False),
        ("redis://host/3?db=1", False),
        ("rediss://host?ssl_ca_certs=/ca.pem&password=s3cret", False),
        ("rediss://host?ssl_cert_reqs=none&ssl_cert_reqs=required", False),
    ],
)
def test_the_url_of_a_redis_is_one_that_tasks_and_caches_both_understand(url, is_one):
    """Kombu fails at most of what it does not know behind the `?`, and ignores a password there."""
    problems, broker = _settings_told({"REDIS_URL": url}, "s.ENVIRONMENT_PROBLEMS, s.CELERY_BROKER_URL")
    assert [problem[0] for problem in problems] == ([] if is_one else ["REDIS_URL"])
    assert "s3cret" not in str(problems) and Connection(broker).transport_cls.startswith("redis")


def _settings_told(environment, names):
    """What `portal.settings` makes of variables, in a process of its own."""
    script = f"import json; from portal import settings as s; print(json.dumps([{names}]))"
    clean = {name: value for name, value in os.environ.items() if name not in SECRETS}
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**clean, **environment},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(process.stdout)


def test_for_deployments_django_has_nothing_to_add(tmp_path):
    """Neither an error nor a warning; and browsers may not keep the domain on their list unless that was asked for."""
    certificate.ensure(tmp_path, base_domain="portal.example.com", mail_domain="gateway.example.com")
    environment = {
        "SECRET_KEY": "".join(map(chr, range(35, 100))),
        "GATEHOUSE_WORKER_KEY": KEY,
        "GATEHOUSE_BASE_DOMAIN": "portal.example.com",
        "GATEHOUSE_STATE_DIR": str(tmp_path / "state"),
        "GATEHOUSE_TLS_CERT_FILE": str(tmp_path / "tls" / "cert.pem"),
        "GATEHOUSE_TLS_KEY_FILE": str(tmp_path / "tls" / "key.pem"),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    told = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    names = "s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS, s.SECURE_HSTS_PRELOAD"
    assert _settings_told(environment, names) == [31_536_000, True, False]
    assert _settings_told(environment | {"GATEHOUSE_HSTS_PRELOAD": "1"}, names) == [31_536_000, True, True]


def test_who_is_given_no_certificate_has_nothing_to_complain_about(right):
    """As a backup, while the gateway runs with one."""
    right.TLS_CERT_FILE = right.TLS_KEY_FILE = None
    assert found() == []
    assert not [message for message in run_checks() if message.id == "gatehouse.W001"]


def test_a_certificate_that_should_have_been_renewed_is_a_warning(right):
    end = datetime.now(UTC) + timedelta(days=3)
    leaf = trustme.CA().issue_cert("mx.example.com", not_before=end - timedelta(days=90), not_after=end)
    leaf.cert_chain_pems[0].write_to_path(str(right.TLS_CERT_FILE))
    assert found() == ["gatehouse.W007"]


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


def short_key(settings):
    settings.SECRET_KEY = LONG_KEY[:49]


def monotonous_key(settings):
    settings.SECRET_KEY = "x" * 72


def debug_pages(settings):
    settings.DEBUG = True


@pytest.mark.parametrize(
    ("take", "expected"),
    [
        (public_password, "E009"),
        (generated_secrets, "E010"),
        (self_signed_certificate, "E011"),
        (debug_pages, "E012"),
        (short_key, "E036"),
        (monotonous_key, "E036"),
    ],
)
def test_shortcuts_of_the_demo_are_refused_as_soon_as_others_can_reach_it(right, take, expected):
    take(right)
    assert found() == [f"gatehouse.{expected}"]

    right.BIND = "127.0.0.1"
    assert found() == []

    of_the_web = [f"gatehouse.{expected}"] if expected != "E011" else []
    right.HTTP_BIND = "0.0.0.0"
    assert found() == of_the_web

    right.HTTP_BIND, right.BEHIND_PROXY = "127.0.0.1", True
    assert found() == of_the_web


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
