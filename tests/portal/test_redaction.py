"""Whatever becomes of a request, and whoever tells of it, no line of the log holds the secret of a link."""

import io
import json
import logging
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from django.db import connection
from django.http import HttpResponseRedirect
from django.utils._os import safe_join
from django.views.debug import get_default_exception_reporter_filter

from accounts.services import mail_reset_link
from portal import redaction
from portal.logs import JSONLine
from portal.redaction import redacted, redacted_address
from tenants import services
from tests.cast import present
from tests.tenants.kit import path_of
from tests.wall.routes import CONFS, PLACE, routes

ROOT = Path(__file__).resolve().parents[2]
SECRET = "dQw4w9WgXcQ-dQw4w9WgXcQ"
FETCHED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}


def _while_we_fail(client, path):
    with connection.cursor() as cursor:  # until the test is over
        cursor.execute("ALTER TABLE tenants_invitation RENAME TO invitations_elsewhere")
        cursor.execute("ALTER TABLE accounts_user RENAME TO people_elsewhere")
    return client.get(path)


def _misspelt(path):
    return path.replace("invitations", "invitation").replace("reset/key", "resetkey")


def _in_pieces(path, by):
    """None of them looks like a secret."""
    return path[0] + by.join(re.findall(r"[^/]{1,10}|/", path[1:]))


WAYS = {
    "misspelt": lambda client, path: client.get(f"{path}x/"),
    "misspelt by a blank": lambda client, path: client.get(f"{path[:-9]} {path[-9:]}x"),
    "wrapped before its secret": lambda client, path: client.get(
        path[:-60] + path[-60:].replace("/", "/ ", 1)
    ),
    "with a place misspelt": lambda client, path: client.get(
        path.replace("invitations", "invitation").replace("reset/key", "rese/tkey")
    ),
    "wrapped within its secret": lambda client, path: client.get(_in_pieces(_misspelt(path), " ")),
    "wrapped as quoted-printable": lambda client, path: client.get(_in_pieces(path, "=")),
    "with its signs quoted": lambda client, path: client.get(path.replace("/", "/=3D")),
    "percent-encoded twice": lambda client, path: client.get(
        _misspelt(path[:-42]) + "".join(f"%25{ord(char):x}" for char in path[-42:])
    ),
    "without its beginning": lambda client, path: client.get("/" + _in_pieces(path[4:], "/")),
    "in upper case": lambda client, path: client.get(path.upper()),
    "with dots": lambda client, path: client.get(path.rstrip("/").replace("/", "./") + "..."),
    "within another's address": lambda client, path: client.get(
        f"/accounts/login/http:{_in_pieces(path, '.')}"
    ),
    "misspelt by slashes": lambda client, path: client.get("/" + path[1:].replace("/", "//")),
    "fetched for another site": lambda client, path: client.get(path, headers=FETCHED),
    "with a NUL": lambda client, path: client.get(f"{path}?x=%00"),
    "too large": lambda client, path: client.post(path, CONTENT_LENGTH="9999999"),
    "without a token": lambda client, path: client.post(path),
    "by another method": lambda client, path: client.generic("PROPFIND", path),
    "at a misspelt host": lambda client, path: client.get(path, headers={"host": "portal.lokalhost"}),
    "while we fail": _while_we_fail,
}


@pytest.fixture
def log(request):
    """What our log really gets: the lines of the handlers that LOGGING has set up, as text or JSON."""
    as_json = getattr(request, "param", "text") == "json"
    written = io.StringIO()
    found = {*logging.getLogger().handlers, *logging.getLogger("django").handlers}
    handlers = [handler for handler in found if type(handler) is logging.StreamHandler]
    before = [(handler, handler.setStream(written), handler.formatter) for handler in handlers]
    for handler in handlers if as_json else ():
        handler.setFormatter(JSONLine())
    yield written
    for handler, stream, formatter in before:
        handler.setStream(stream)
        handler.setFormatter(formatter)


@pytest.fixture
def links(cast, northwind, mailoutbox):
    """The paths of mailed links by what they are for, and the secret of each."""
    services.invite(northwind, "newcomer@northwind.example", role="operator", by=cast.owner)
    invitation = path_of(mailoutbox[-1])
    mail_reset_link(cast.admin.email)
    reset = urlsplit(re.search(r"http\S+/password/reset/key/\S+", mailoutbox[-1].body)[0]).path
    return {
        "invitation": (invitation, invitation.split("/")[2]),
        "reset": (reset, reset.rstrip("/").split("-")[-1]),
    }


def _parts(secret):
    return (secret[at : at + 8] for at in range(len(secret) - 7))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["invitation", "reset"])
@pytest.mark.parametrize("log", ["text", "json"], indirect=True)
def test_a_link_is_never_logged(links, client_for, log, kind, way):
    path, secret = links[kind]
    client = client_for(None, host=None, enforce_csrf_checks=True, raise_request_exception=False)
    assert WAYS[way](client, path).status_code >= 400
    lines = log.getvalue()
    assert "[hidden]" in lines
    # No part of it either, however it was written.
    letters = re.sub(r"[^a-z0-9_-]", "", unquote(unquote(lines)).lower())
    assert not [part for part in _parts(secret.lower()) if part in letters]


REFUSED = {
    "what one may not do": (lambda client: client.get("/mailboxes/new/"), "not-allowed"),
    "what translators may": (
        lambda client: client.get("/rosetta/files/project/", headers={"host": "portal.localhost"}),
        "PermissionDenied",
    ),
    "what is not there": (lambda client: client.get("/nowhere/"), "Not Found"),
    "a NUL": (lambda client: client.get("/mailboxes/?q=%00"), "a NUL in path"),
    "too many fields": (
        lambda client: client.post("/settings/", {str(name): "" for name in range(1001)}),
        "DATA_UPLOAD_MAX_NUMBER_FIELDS",
    ),
    "a form in pieces": (
        lambda client: client.post("/settings/", b"x", content_type="multipart/form-data; boundary="),
        "Invalid boundary",
    ),
    "no column": (lambda client: _staffs(client, "/admin/accounts/user/?password__x=1"), "password__x"),
    "no field": (lambda client: _staffs(client, "/admin/accounts/user/?_to_field=password"), "password"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_a_line_and_what_fails_has_its_traceback(cast, client_for, log, what):
    client = client_for(cast.viewer, raise_request_exception=False)
    act, why = REFUSED[what]
    answer = act(client)
    assert answer.status_code in (400, 403, 404)
    (line,) = log.getvalue().splitlines()
    assert why in line
    assert answer.wsgi_request.path in line
    assert _while_we_fail(client, "/mailboxes/").status_code == 500
    assert "Traceback" in log.getvalue()


@pytest.mark.parametrize("log", ["json"], indirect=True)
def test_a_line_of_json_says_what_where_and_with_which_traceback(cast, client_for, log):
    client = client_for(cast.viewer, raise_request_exception=False)
    assert client.get("/no/such/page/").status_code == 404
    assert _while_we_fail(client, "/mailboxes/").status_code == 500
    refused, *_, failed = map(json.loads, log.getvalue().splitlines())
    assert refused.keys() == {"time", "level", "logger", "schema", "message"}
    assert (refused["level"], refused["logger"]) == ("WARNING", "django.request")
    assert "/no/such/page/" in refused["message"]
    assert datetime.fromisoformat(refused["time"]).tzinfo
    assert failed["exception"].startswith("Traceback")


def _staffs(client, path):
    client.force_login(present().staff)
    return client.get(path, headers={"host": "portal.localhost"})


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (lambda *_way, **_names: HttpResponseRedirect("foo:bar"), "Unsafe redirect"),
        (lambda *_way, **_names: safe_join("/store", "../elsewhere"), "SuspiciousFileOperation"),
    ],
)
def test_a_fault_of_ours_that_looks_like_a_bad_request_has_its_page_and_its_traceback(
    cast, client_for, log, monkeypatch, fault, why
):
    monkeypatch.setattr("portal.console.own.settings.redirect", fault)
    assert client_for(cast.viewer).post("/settings/", {"name": "Ada"}).status_code == 400
    line, *way = log.getvalue().splitlines()
    assert 'Bad Request at "/settings/"' in line
    assert "Traceback" in way[0]
    assert "portal/console/own/settings.py" in log.getvalue()
    assert why in log.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "Not Found: {}",
        "Error handling request GET {}",
        "no page answers late at '{}'\n  File x",
        '127.0.0.1 "GET {} HTTP/1.1" 404 7 "http://portal.localhost:8000{}" "curl/8"',
        '"GET http://portal.localhost:8000{} HTTP/1.1" 404 7',
    ],
)
@pytest.mark.parametrize(
    "address",
    [
        f"/invitations/{SECRET}",
        f"/invitations/{SECRET}/?x=1",
        f"/accounts/login/?next=%2Finvitations%2F{SECRET}%2F",
        f"/accounts/password/reset/key/1a-{SECRET}/",
        f"/accounts/vouch/?for={SECRET}",
        f"/accounts/arrive/?word={SECRET}",
        f"/accounts/oidc/northwind/login/callback/?state=1&code={SECRET}",
    ],
)
def test_whoever_writes_the_line(line, address):
    told = redacted(line.replace("{}", address))
    assert SECRET not in told
    assert told.count("[hidden]") == line.count("{}")
    if "HTTP/1.1" in line:
        assert "HTTP/1.1" in told and " 404 7" in told  # what else it says stays


@pytest.mark.parametrize(
    "line",
    [
        "Not Found: /invitations/",
        "Not Found: /people/invitations/7/again/",
        "Not Found: /accounts/password/reset/key/done/",
        "Not Found: /accounts/arrive/",
        '"GET /invitations/ HTTP/1.1" 404 7',
        "Forbidden: /mailboxes/?q=a",
    ],
)
def test_what_is_no_secret_is_told(line):
    assert redacted(line) == line


def test_what_can_hold_no_secret_is_told_although_nobody_may_look_there():
    """Who looks for a fault reads what was asked for."""
    for line in (
        "Not Found: /wp-login.php",
        "Not Found: /mailboxs/new/",
        "Not Found: /mailboxes/0b0e6b5c-6d5a-4b57-9f0c-2f1d6a9d7c11/reset-password/",
        "Not Found: /settings/security/recovery/",
        "Forbidden (Origin checking failed - http://evil.example does not match any trusted origins.): /mailboxes/new/",
        "Not Found: /static/portal/a-sheet-that-was-never-collected.css",
    ):
        assert redacted_address(line) == line
    assert (
        redacted_address("Not Found: /mailboxes/jobs/7/of-a-name-so-long/")
        == "Not Found: /mailboxes/jobs/7/[hidden]"
    )


# Texts in addresses that open nothing.
NO_SECRETS = {"openid_connect_callback", "admin:", "rosetta", "customer"}  # short names


@pytest.mark.parametrize("host", CONFS)
def test_every_text_in_an_address_is_hidden_or_known_to_open_nothing(host):
    told = [
        route.name
        for route in routes(host)
        if any(not re.match(r"<(int|uuid):", place) for place in PLACE.findall(str(route.address)))
        and not route.name.startswith(tuple(NO_SECRETS))
        and SECRET in redacted(route.filled(*[SECRET] * len(route.places)))
    ]
    assert told == [], "Hide it in portal/redaction.py, or say here that it opens nothing"


# --- Processes with logs of their own ---
def test_a_workers_lines_go_the_same_way():
    script = """
import logging
import django
from billiard.util import get_logger
from portal.celery import app

django.setup()
app.log.setup("INFO", redirect_stdouts=True)
loggers = (get_logger(), *map(logging.getLogger, ("celery.task", "celery.app.trace")))
for logger in loggers:
    logger.error("Not Found: /invitations/%s/", "SECRET")
print("Not Found: /invitations/SECRET/")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.count("/invitations/[hidden]") == 4, done.stderr
    assert "SECRET" not in done.stderr + done.stdout


def test_urls_that_cant_be_read_make_no_line_an_exception(settings):
    """Whose message would be the line as it was."""
    settings.ROOT_URLCONF = "no.such.module"
    redaction._our_words.cache_clear()

    assert redacted_address(f"Not Found: /acounts/{SECRET}") == "Not Found: /[hidden]"


def test_debug_pages_show_no_password_that_stands_in_a_url(settings):
    settings.DATABASE_URL = settings.CELERY_BROKER_URL = settings.REDIS_URL = "redis://:canary@host/0"
    settings.CACHES = {"default": {"LOCATION": settings.REDIS_URL}}
    shown = get_default_exception_reporter_filter().get_safe_settings()
    assert "REDIS_URL" in shown and "canary" not in str(shown)
