"""Every page forbids inline scripts and styles, and has none."""

from html.parser import HTMLParser

import pytest

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
