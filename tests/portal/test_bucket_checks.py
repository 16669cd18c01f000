"""What a bucket is asked before the portal starts: a real one, by `manage.py check` as each start does it."""

import pytest
from django.core.checks import run_checks

from mailboxes.errors import StoreFull
from mailboxes.store import store
from portal.checks import stores
from tenants import starting
from tests import s3
from tests.portal import test_processes

start = test_processes.start

LIFECYCLE = "<LifecycleConfiguration>{}</LifecycleConfiguration>"
RULE = "<Rule><ID>{name}</ID><Filter>{filter}</Filter><Status>{status}</Status>{action}</Rule>"
ENDS_UPLOADS = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
EXPIRES = "<Expiration><Days>30</Days></Expiration>"
MOVES = "<Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>"


def found():
    messages = stores.buckets_are_fit(None, databases=["default"])
    assert all(message.hint for message in messages)
    return sorted(message.id.removeprefix("gatehouse.") for message in messages)


def rule(action, *, of="", name="a rule", status="Enabled"):
    return RULE.format(name=name, filter=of or "<Prefix></Prefix>", status=status, action=action)


@pytest.fixture
def with_rules(s3_server, s3_store, s3_gate):
    """The bucket says that it has these lifecycle rules: not every server has them all."""

    def have(*rules):
        s3_gate.says("200 OK", LIFECYCLE.format("".join(rules)), to="?lifecycle", whole=True)

    return have


def test_a_bucket_that_only_ends_uploads_is_fit_and_nothing_of_the_question_stays(
    s3_server, s3_store, with_rules
):
    with_rules(rule(ENDS_UPLOADS))
    assert found() == []
    assert s3.objects(s3_server, s3_store) == set()
    assert stores.buckets_are_fit(None) == [], "it is asked with the database, and not by every command"


def test_a_bucket_without_rules_keeps_parts_of_uploads(s3_store):
    assert found() == ["W004"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule(EXPIRES)], ["E026"]),
        ([rule(MOVES)], ["E026"]),
        ([rule(EXPIRES, of="<Prefix>mail/</Prefix>")], ["E026"]),
        ([rule(EXPIRES, of="<Prefix>ma</Prefix>")], ["E026"]),
        (
            [
                rule(
                    EXPIRES,
                    of="<And><Prefix>mail/</Prefix><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan></And>",
                )
            ],
            ["E026"],
        ),
        ([rule(EXPIRES, of="<Prefix>mail/some-customer</Prefix>")], ["E026"]),
        ([rule(EXPIRES), rule(MOVES)], ["E026", "E026"]),
        ([rule(EXPIRES, status="Disabled")], []),
        ([rule(EXPIRES, of="<Prefix>other/</Prefix>")], []),
        ([rule(EXPIRES, of="<Tag><Key>temporary</Key><Value>yes</Value></Tag>")], []),
    ],
)
def test_a_rule_by_which_waiting_mail_would_go_is_refused(with_rules, rules, expected):
    with_rules(rule(ENDS_UPLOADS), *rules)
    assert found() == expected


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_a_bucket_that_keeps_what_is_deleted_is_refused(s3_server, s3_store, status):
    body = f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"
    assert s3_server.ask("PUT", f"/{s3_store}?versioning", body).ok
    assert "E025" in found()


def test_a_bucket_that_does_not_tell_is_a_warning(s3_gate):
    s3_gate.says("403 Forbidden", "AccessDenied", to="?")
    assert found() == ["W003", "W003"]


def test_a_server_that_writes_over_what_is_there_is_a_warning(s3_gate):
    s3_gate.forgets("if-none-match")
    assert found() == ["W004", "W006"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("S3_SECRET_ACCESS_KEY", "another", "E023"),
        ("S3_ENDPOINT", "http://127.0.0.1:9", "E022"),
    ],
)
def test_a_bucket_that_can_not_be_used_is_told_from_one_that_is_away(
    s3_store, settings, name, value, expected
):
    setattr(settings, name, value)
    assert expected in found()


def test_a_bucket_that_is_not_there_is_told(s3_gate):
    """By other servers than the tests' own, which makes it."""
    s3_gate.says("404 Not Found", "NoSuchBucket")
    assert "E023" in found()


PAGE = "<!doctype html><p>Welcome & hello"


@pytest.mark.parametrize(
    ("status", "code", "to", "expected"),
    [
        ("503 Service Unavailable", "ServiceUnavailable", "", ["E022"]),
        ("503 Service Unavailable", "<html>", "", ["E022"]),
        ("429 Too Many Requests", "SlowDown", "", ["E022"]),
        ("500 Internal Server Error", "InternalError", "", ["E022"]),
        ("503 Service Unavailable", "SlowDown", "?versioning", ["E022"]),
        ("507 Insufficient Storage", "XMinioStorageFull", "PUT", ["E035", "W004"]),
        ("403 Forbidden", "QuotaExceeded", "PUT", ["E035", "W004"]),
        ("403 Forbidden", "AccessDenied", "PUT", ["E023", "W004"]),
        ("404 Not Found", "NoSuchBucket", "PUT", ["E023", "W004"]),
        ("501 Not Implemented", "NotImplemented", "?lifecycle", ["W003"]),
        ("500 Internal Server Error", "Unknown", "?lifecycle", ["W003"]),
    ],
)
def test_a_server_that_is_away_or_full_is_told_from_one_that_refuses(s3_gate, status, code, to, expected):
    s3_gate.says(status, code, to=to)
    assert found() == expected


@pytest.mark.parametrize(
    ("to", "expected"),
    [("", ["E034", "W006"]), ("GET /", ["E034"]), ("?versioning", ["E034"]), ("?lifecycle", ["E034"])],
)
def test_a_page_in_the_place_of_a_bucket_is_told(s3_gate, to, expected):
    s3_gate.says("200 OK", PAGE, to=to, whole=True)
    assert found() == expected


def test_what_was_found_before_the_server_went_away_stays_found(s3_server, s3_store, s3_gate):
    body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert s3_server.ask("PUT", f"/{s3_store}?versioning", body).ok
    s3_gate.says("503 Service Unavailable", "SlowDown", to="?lifecycle")
    assert found() == ["E022", "E025"]


def test_from_a_bucket_that_was_full_at_the_start_is_collected_and_mail_is_put_off(committed_db, s3_gate):
    s3_gate.says("507 Insufficient Storage", "XMinioStorageFull", to="PUT")
    starting.refuse_unsafe_setup()
    assert store().folders() == []
    draft = store().draft(f"{'a' * 32}/{'b' * 32}/cc/mail")
    draft.write(b"sealed")
    with pytest.raises(StoreFull):
        draft.keep()


@pytest.mark.parametrize(
    "status",
    ["307 Temporary Redirect\r\nLocation: http://other.example/\x1b[2J", "301 Moved Permanently"],
    ids=["with where to", "without"],
)
def test_a_server_that_sends_us_elsewhere_is_refused(db, s3_gate, status):
    """The store's client goes there, and would believe that another server removes mail."""
    s3_gate.says(status, "PermanentRedirect")
    (said,) = [message for message in run_checks(databases=["default"]) if message.id == "gatehouse.E023"]
    assert ("other.example" if "Location" in status else "PermanentRedirect") in said.msg
    assert said.msg.isprintable()


def test_no_secret_is_in_what_is_said(db, s3_store, settings):
    settings.S3_SECRET_ACCESS_KEY = "s3cret-canary"
    said = str([(m.msg, m.hint) for m in run_checks(databases=["default"])])
    assert "E023" in str(run_checks(databases=["default"]))
    assert "canary" not in said


def test_a_gateway_refuses_a_bucket_that_keeps_mail(
    db,
    start,
    s3_server,
    s3_store,
    settings,
):
    body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    s3_server.ask("PUT", f"/{s3_store}?versioning", body)
    process = start("gateway", **s3.variables(settings.STORE_URL, s3_server.endpoint))
    assert process.wait(test_processes.SECONDS) != 0
    assert "gatehouse.E025" in process.log.read_text()
