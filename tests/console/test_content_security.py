"""Every page forbids inline scripts and styles, and has none; every answer says how browsers are to guard us."""

from html.parser import HTMLParser
from io import BytesIO

import pytest
from django.test import Client

from portal.gates.bodies import FIRST_MARK, MARKS_MAX

BASE = ["/customers/", "/settings/", "/accounts/logout/", "/accounts/inactive/", "/no/such/page/"]
CUSTOMER = ["/mailboxes/", "/mailboxes/new/", "/settings/", "/accounts/logout/", "/no/such/page/"]
ADMIN = [
    "/admin/",
    "/admin/accounts/user/",
    "/admin/tenants/provider/add/",
    "/admin/tenants/customer/",
    "/admin/tenants/auditevent/",
    "/rosetta/files/project/",
]
PAGES = [
    *(("owner", None, path) for path in BASE),
    *(("owner", "acme", path) for path in CUSTOMER),
    *(("staff", None, path) for path in ADMIN),
    (None, None, "/accounts/login/"),
    (None, "acme", "/accounts/login/"),
    ("mallory", "acme", "/mailboxes/"),
]


class Inline(HTMLParser):
    """Collects what a strict Content-Security-Policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        data = names.get("type") == "application/json"
        if tag == "style" or (tag == "script" and "src" not in names and not data):
            self.found.append(f"<{tag}>")
        self.found += [f"<{tag} {name}>" for name in names if name == "style" or name.startswith("on")]
        self.found += [
            f"<{tag} {value}>" for value in names.values() if (value or "").startswith("javascript:")
        ]


def inline(page):
    parser = Inline()
    parser.feed(page)
    return parser.found


def is_strict(policy):
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";") if rule.strip())
    return (
        rules["default-src"] == rules["script-src"] == rules["style-src"] == "'self'"
        and rules["object-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
        and "unsafe" not in policy
    )


@pytest.mark.parametrize(("who", "host", "path"), PAGES)
def test_pages_are_strict_and_keep_to_it(cast, client_for, who, host, path):
    answer = client_for(getattr(cast, who) if who else None, host=host).get(path)
    assert answer.status_code in (200, 404)
    assert "<!DOCTYPE html>" in answer.content.decode()[:200]
    assert is_strict(answer["Content-Security-Policy"])
    assert inline(answer.content.decode()) == []


def test_the_password_page_too(cast, client_for):
    answer = client_for(cast.admin).post("/mailboxes/new/", {"name": "Journal", "description": ""})
    assert 'id="generated-password"' in answer.content.decode()
    assert is_strict(answer["Content-Security-Policy"])
    assert inline(answer.content.decode()) == []


@pytest.mark.parametrize(
    "page",
    ["<script>1</script>", "<p style='x'>", "<style>", "<a onclick='x'>", "<a href='javascript:x'>"],
)
def test_the_search_finds_what_it_searches(page):
    assert inline(page)


# --- What is answered before any page ---
FORM = "application/x-www-form-urlencoded"
HALF = {"CONTENT_LENGTH": "9", "wsgi.input": BytesIO(b"x=1")}
BEFORE_PAGES = {
    "a NUL": (400, "get", "/accounts/login/?x=%00", {}),
    "a tower": (400, "get", "/accounts/login/", {"query_params": {"x": "a" + FIRST_MARK * (MARKS_MAX + 1)}}),
    "other letters": (
        400,
        "post",
        "/accounts/login/",
        {"data": "x=1", "content_type": f"{FORM}; charset=utf-7"},
    ),
    "half a form": (
        400,
        "post",
        "/accounts/login/",
        {"data": "x=1", "content_type": FORM, **HALF},
    ),
    "two sessions": (400, "get", "/accounts/login/", {"HTTP_COOKIE": "sessionid=1; sessionid=2"}),
    "no length": (411, "post", "/accounts/login/", {"HTTP_TRANSFER_ENCODING": "chunked"}),
    "too large": (413, "post", "/accounts/login/", {"CONTENT_LENGTH": "9999999"}),
    "another site": (403, "get", "/accounts/login/", {"HTTP_SEC_FETCH_SITE": "cross-site"}),
    "health": (200, "get", "/healthz", {}),
    "health elsewhere": (200, "get", "/healthz", {"HTTP_HOST": "192.0.2.7"}),
    "readiness": (200, "get", "/readyz", {}),
    "a form for health": (405, "post", "/healthz", {}),
    "another's host": (404, "get", "/", {"HTTP_HOST": "portal.example"}),
    "no host": (404, "get", "/", {"HTTP_HOST": "x y"}),
    "localhost": (302, "get", "/", {"HTTP_HOST": "localhost"}),
    "a file": (200, "get", "/static/portal/tokens.css", {}),
}


@pytest.fixture
def in_use(settings):
    """As it is behind a proxy with HTTPS."""
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    return Client(headers={"host": "portal.localhost"})


@pytest.mark.parametrize("what", BEFORE_PAGES)
def test_what_is_answered_before_any_page_says_how_browsers_are_to_guard_us_too(db, in_use, what):
    status, method, path, details = BEFORE_PAGES[what]
    answer = getattr(in_use, method)(path, secure=True, **details)
    assert answer.status_code == status
    assert is_strict(answer["Content-Security-Policy"])
    assert answer["Strict-Transport-Security"].startswith("max-age=31536000")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert (
        answer.get("Content-Type", "").startswith("application/json") or "charset" in answer["Content-Type"]
    )


def test_only_hosts_of_ours_lead_to_https_and_no_probe(db, in_use):
    assert in_use.get("/accounts/login/")["Location"] == "https://portal.localhost/accounts/login/"
    assert in_use.get("/healthz", HTTP_HOST="192.0.2.7").status_code == 200
    assert in_use.get("/readyz").status_code == 200
    for host in ("portal.example", "192.0.2.7", "x y"):
        assert in_use.get("/accounts/login/", HTTP_HOST=host).status_code == 404
