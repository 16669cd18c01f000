"""Hosts and who may pass: strangers get one and the same 404, and no schema outlives its request."""

import pytest
from django.db import DatabaseError, connection
from django.test import Client

from accounts.actors import SYSTEM
from tenants import branding
from tenants.models import AuditEvent
from tenants.services import remove_membership
from tests.cast import PASSWORD
from tests.gates.probe_urls import search_path

STRANGERS = ["mallory", "rival", "staff", "stranger"]
PAGES = ["/", "/mailboxes/", "/mailboxes/new/", "/settings/", "/accounts/login/", "/no/such/page/"]
ALIKE = [
    (who, page)
    for who in ("mallory", None)
    for page in (*PAGES, "/accounts/logout/", "/accounts/organization/")
]
DOORS = [(None, "/accounts/login/")]


@pytest.fixture
def probe(settings):
    settings.ROOT_URLCONF = settings.PUBLIC_SCHEMA_URLCONF = "tests.gates.probe_urls"


def at(host, **options):
    return Client(headers={"host": host}, **options)


def without_token(response):
    """The page but for what differs by request: the form's CSRF token."""
    lines = response.content.decode().splitlines()
    # The menu leads back to the page that was asked for, whatever there is.
    return "\n".join(line for line in lines if "csrf" not in line.lower() and "/settings/?next=" not in line)


# --- Strangers ---
@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize("method", ["get", "post"])
def test_strangers_find_nothing_on_any_page_alike(cast, client_for, who, method):
    client = client_for(getattr(cast, who))
    answers = [getattr(client, method)(page) for page in PAGES]
    assert {answer.status_code for answer in answers} == {404}
    assert len({without_token(answer) for answer in answers}) == 1
    assert "Acme" not in answers[0].content.decode()


@pytest.mark.parametrize(("who", "page"), [one for one in ALIKE if one not in DOORS])
def test_a_customer_that_exists_looks_like_one_that_does_not(cast, northwind, client_for, who, page):
    """But for its door, which says to who has not signed in whose it is."""
    branding.set_branding(northwind, colour="#0d6b5f", by=cast.owner)
    user = getattr(cast, who) if who else None
    here, nowhere = (client_for(user, host=host).get(page) for host in ("acme", "nowhere"))
    assert (here.status_code, without_token(here)) == (nowhere.status_code, without_token(nowhere))
    assert sorted(here.headers) == sorted(nowhere.headers)
    there = here.get("Location", "").replace("acme", "nowhere")
    assert there == nowhere.get("Location", "")


def test_strangers_may_still_sign_out(cast, client_for):
    client = client_for(cast.mallory)
    page = client.get("/accounts/logout/")
    assert page.status_code != 404
    assert "Acme" not in page.content.decode()
    client.post("/accounts/logout/")
    assert "_auth_user_id" not in client.session


def test_who_loses_the_role_is_a_stranger_at_the_next_request(cast, client_for):
    client = client_for(cast.admin)
    assert client.get("/mailboxes/").status_code == 200
    remove_membership(cast.admin.memberships.get(), by=SYSTEM)
    assert client.get("/mailboxes/").status_code == 404


@pytest.mark.parametrize("who", ["owner", "auditor", "admin", "viewer"])
def test_those_with_a_role_come_in(cast, client_for, who):
    assert client_for(getattr(cast, who)).get("/mailboxes/").status_code == 200


def test_the_anonymous_are_asked_to_sign_in(client_for, acme):
    answer = client_for().get("/mailboxes/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    assert "Acme" in client_for().get("/accounts/login/").content.decode()


# --- Hosts ---
@pytest.mark.parametrize("host", ["nowhere.portal.localhost", "a.acme.portal.localhost"])
def test_on_unknown_hosts_the_anonymous_are_asked_to_sign_in_and_then_find_nothing(cast, host):
    client = at(host)
    assert client.get("/mailboxes/")["Location"] == "/accounts/login/?next=/mailboxes/"
    answer = client.post("/accounts/login/", {"login": cast.owner.email, "password": PASSWORD})
    assert answer.status_code == 302
    assert client.get("/mailboxes/").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "portal.localhost.evil.example", "portal_localhost", "x y"])
def test_hosts_that_are_not_ours_are_not_found(db, host):
    answer = at(host).get("/accounts/login/")
    assert answer.status_code == 404
    assert answer.content == b"Not Found"


@pytest.mark.parametrize(
    "host",
    [
        "ACME.portal.localhost",
        "acme.portal.localhost.",
        "acme.portal.localhost:8000",
        "Acme.Portal.Localhost:1",
    ],
)
def test_a_host_is_known_in_every_spelling(cast, host):
    client = at(host)
    client.force_login(cast.admin)
    assert client.get("/mailboxes/").status_code == 200


def test_a_forwarded_host_is_not_believed(cast, client_for):
    answer = client_for(cast.mallory, host="globex").get(
        "/mailboxes/", headers={"x-forwarded-host": "acme.portal.localhost"}
    )
    assert answer.status_code == 200
    assert "Acme" not in answer.content.decode()


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_loopback_names_lead_to_the_base_host(db, host):
    answer = at(host).get("//evil.example/a b?x=1&y=%20")
    assert answer.status_code == 302
    assert answer["Location"].startswith("http://portal.localhost:8000/")
    assert answer["Location"].endswith("?x=1&y=%20")


def test_loopback_names_take_no_forms(db):
    assert at("localhost:8000").post("/accounts/login/").status_code == 404


# --- Files ---
STYLES = "/static/portal/tokens.css"


@pytest.mark.parametrize("host", ["portal.localhost", "acme.portal.localhost", "nowhere.portal.localhost"])
def test_a_pages_files_need_no_database(host):
    """Without a fixture that allows it, a query fails. Error pages keep their face when PostgreSQL is away."""
    answer = at(host).get(STYLES)
    assert (answer.status_code, answer["Content-Type"]) == (200, 'text/css; charset="utf-8"')
    assert "Content-Security-Policy" in answer


def test_where_there_is_no_page_there_is_no_file_either():
    assert at("portal.example").get(STYLES).status_code == 404


# --- The schema ---
def test_a_page_runs_in_its_customers_schema_and_leaves_it(cast, client_for, probe):
    assert client_for(cast.admin).get("/schema/").content == b"c_acme, public"
    assert client_for(cast.mallory, host="globex").get("/schema/").content == b"c_globex, public"
    assert (connection.schema_name, search_path()) == ("public", "public")


@pytest.mark.parametrize(("page", "error"), [("/crash/", RuntimeError), ("/broken/", DatabaseError)])
def test_a_page_that_fails_leaves_no_schema_behind(committed_db, cast, client_for, probe, page, error):
    with pytest.raises(error):
        client_for(cast.admin).get(page)
    assert (connection.schema_name, search_path()) == ("public", "public")
    assert client_for(cast.admin, raise_request_exception=False).get(page).status_code == 500
    assert (connection.schema_name, search_path()) == ("public", "public")


def test_a_page_that_strays_into_a_schema_leaves_nobody_there(cast, client_for, probe):
    assert client_for(cast.owner, host=None).get("/stray/").content == b"c_acme, public"
    assert (connection.schema_name, search_path()) == ("public", "public")


def test_the_anonymous_stay_in_public(client_for, acme, probe):
    answer = client_for().get("/schema/")
    assert answer.status_code == 302
    assert connection.schema_name == "public"


def test_what_is_streamed_comes_from_the_customers_schema(cast, client_for, probe):
    answer = client_for(cast.admin).get("/stream/")
    chunks = iter(answer.streaming_content)
    assert connection.schema_name == "public"
    assert next(chunks) == b"c_acme, public"
    assert connection.schema_name == "public"
    assert list(chunks) == [b"c_acme, public"]


# --- The trail ---
def test_the_trail_shows_where_a_request_came_from(cast, client_for, probe):
    client_for(cast.admin).get("/act/", REMOTE_ADDR="192.0.2.9", headers={"x-forwarded-for": "198.51.100.1"})
    assert AuditEvent.objects.get(action="probe.acted").origin == "192.0.2.9"


def test_behind_our_proxy_it_is_the_address_that_the_proxy_saw(cast, client_for, probe, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    client_for(cast.admin).get(
        "/act/", REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "203.0.113.66, 198.51.100.1"}
    )
    assert AuditEvent.objects.get(action="probe.acted").origin == "198.51.100.1"
