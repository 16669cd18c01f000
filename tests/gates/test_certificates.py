"""`/tls-ask`: for which hosts a web server in front may get certificates."""

import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.gates import certificates

FROM_OUTSIDE = {"x-forwarded-for": "198.51.100.1", "x-forwarded-proto": "https"}


@pytest.fixture
def ask(acme, settings):
    """Caddy's question, from the proxy itself if nobody says otherwise."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    client = Client(headers={"host": "127.0.0.1:8000"})

    def ask(name, peer="127.0.0.1", **details):
        return client.get("/tls-ask", {"domain": name}, REMOTE_ADDR=peer, **details)

    return ask


@pytest.mark.parametrize(
    "name",
    [
        "portal.localhost",
        "gateway.localhost",
        "mta-sts.gateway.localhost",
        "acme.portal.localhost",
        "globex.portal.localhost",
    ],
)
def test_hosts_that_we_serve_get_a_certificate(ask, name):
    assert ask(name).status_code == 200
    assert ask(f"{name.upper()}.").status_code == 200, "in every spelling"


@pytest.mark.parametrize(
    "name",
    [
        "nowhere.portal.localhost",
        "www.acme.portal.localhost",
        "portal.localhost.evil.example",
        "evil-portal.localhost",
        "mta-sts.evil.example",
        "www.gateway.localhost",
        "acme.portal.example",
        "127.0.0.1",
        f"{'a' * 300}.portal.localhost",
        "",
    ],
)
def test_nobody_elses_host_gets_one(ask, name):
    assert ask(name).status_code == 404


def test_a_customer_that_goes_gets_none_any_more(ask, acme):
    acme.domains.all().delete()
    assert ask("acme.portal.localhost").status_code == 404


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "172.18.0.5", "fd00::5"])
def test_our_proxy_asks_from_this_machine_or_from_its_private_network(ask, peer):
    assert ask("acme.portal.localhost", peer).status_code == 200


def looks_like_no_page(answer, client_for):
    elsewhere = client_for(host=None).get("/no-such-page")
    return answer.status_code == elsewhere.status_code != 200 and answer.content == elsewhere.content


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"]
)
def test_who_asks_through_the_proxy_finds_no_such_page(ask, client_for, header):
    asked = ask("acme.portal.localhost", headers={"host": "portal.localhost", header: "198.51.100.1"})
    assert looks_like_no_page(asked, client_for) or asked["Location"].endswith(
        "/accounts/login/?next=/tls-ask%3Fdomain%3Dacme.portal.localhost"
    )


@pytest.mark.parametrize("peer", ["198.51.100.1", "2001:db8::1", "100.64.0.1", "no address"])
def test_nobody_else_is_answered(ask, peer):
    assert ask("acme.portal.localhost", peer).status_code != 200
    assert ask("nowhere.portal.localhost", peer).status_code != 404


def test_without_a_proxy_nobody_is_answered(ask, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    assert ask("acme.portal.localhost").status_code == ask("nowhere.portal.localhost").status_code == 302


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("acme.portal.localhost", 1),
        ("nowhere.portal.localhost", 1),
        ("portal.localhost", 0),
        ("evil.example", 0),
    ],
)
def test_a_name_costs_one_query_at_most(ask, name, queries):
    with CaptureQueriesContext(connection) as asked:
        ask(name)
    assert len([query for query in asked if not query["sql"].startswith("SET ")]) == queries


@pytest.fixture
def flooded(ask, monkeypatch):
    """Asks for as many strange names as are looked up, and more do not come."""
    monkeypatch.setattr(certificates, "EACH_SECOND", 0.0)
    for number in range(certificates.AT_ONCE):
        assert ask(f"no-{number}.portal.localhost").status_code == 404
    return ask


def test_of_strange_names_so_many_are_looked_up_and_known_ones_use_none_of_them(
    ask, acme, request, monkeypatch, caplog
):
    for _ in range(certificates.AT_ONCE + 1):
        assert ask("acme.portal.localhost").status_code == 200
    request.getfixturevalue("flooded")
    with CaptureQueriesContext(connection) as asked:
        assert {ask(f"nor-{number}.portal.localhost").status_code for number in range(3)} == {429}
    assert len(asked) == 1, "the names of all customers"
    assert caplog.text.count("more strange names") == 1
    monkeypatch.setattr(certificates, "EACH_SECOND", 1e9)
    assert ask("nowhere.portal.localhost").status_code == 404


def test_a_flood_of_strange_names_keeps_no_customers_host_from_its_certificate(flooded):
    for number in range(20):
        assert flooded(f"nor-{number}.portal.localhost").status_code == 429
        assert flooded("acme.portal.localhost").status_code == 200
        assert flooded("portal.localhost").status_code == 200


def test_in_a_flood_customers_that_come_and_go_are_noticed_soon(flooded, acme, monkeypatch):
    assert flooded("acme.portal.localhost").status_code == 200
    assert flooded("new.portal.localhost").status_code == 429
    acme.domains.update(domain="new.portal.localhost")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + certificates.NEWS_SECONDS)
    assert flooded("acme.portal.localhost").status_code == 429
    assert flooded("new.portal.localhost").status_code == 200
