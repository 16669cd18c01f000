"""Senders read our policy of TLS (RFC 8461) on its own host, where there is nothing else."""

import hashlib
import re

import pytest
from django.test import Client

POLICY = "/.well-known/mta-sts.txt"
HOST = "mta-sts.gateway.localhost"


def at(host, path=POLICY, method="get", **headers):
    return getattr(Client(headers={"host": host, **headers}), method)(path)


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [("none", 86_400), ("testing", 86_400), ("enforce", 1_209_600)],
)
def test_the_policy_names_the_gateway_and_the_mode_that_was_set(settings, mode, seconds):
    settings.MTA_STS = mode
    answer = at(HOST)
    assert answer.status_code == 200 and answer["Content-Type"] == "text/plain"
    assert answer["Cache-Control"] == "no-store"
    expected = f"version: STSv1\r\nmode: {mode}\r\nmx: gateway.localhost\r\nmax_age: {seconds}\r\n"
    assert answer.content.decode() == expected


def test_what_changes_the_policy_changes_its_id(settings):
    from portal.gates.mta_sts import policy_id

    settings.MTA_STS = "testing"
    first = policy_id()
    assert first == hashlib.sha256(at(HOST).content).hexdigest()[:20]
    settings.MTA_STS = "enforce"
    second = policy_id()
    settings.MAIL_DOMAIN = "mx.example.com"
    assert len({first, second, policy_id()}) == 3
    assert all(re.fullmatch("[A-Za-z0-9]{1,32}", each) for each in (first, second))


@pytest.mark.parametrize("host", [HOST, f"{HOST}:443", f"{HOST.upper()}."])
def test_it_is_answered_at_once_where_everything_else_leads_to_https(settings, host):
    settings.SECURE_SSL_REDIRECT = True
    assert at(host).status_code == 200
    assert at(host, method="head").status_code == 200


@pytest.mark.parametrize("path", ["/", "/accounts/login/", f"{POLICY}/", "/.well-known/", "/static/x.css"])
def test_nothing_else_is_there(path):
    answer = at(HOST, path)
    assert (answer.status_code, answer.content) == (404, b"Not Found")
    assert "Set-Cookie" not in answer


def test_it_is_only_read():
    assert at(HOST, method="post").status_code == at(HOST, method="delete").status_code == 405


@pytest.mark.parametrize(
    "host",
    [
        "gateway.localhost",
        "mta-sts.portal.example",
        "mta-sts.gateway.localhost.evil.example",
        "a.mta-sts.gateway.localhost",
        "xmta-sts.gateway.localhost",
    ],
)
def test_no_other_host_has_it(db, host):
    assert at(host).status_code == 404
    assert at(HOST.replace("mta-sts", "www"), **{"x-forwarded-host": HOST}).status_code == 404


@pytest.mark.parametrize("host", ["portal.localhost", "acme.portal.localhost", "mta-sts.portal.localhost"])
def test_on_the_portals_hosts_it_is_a_path_like_any_that_leads_nowhere(cast, host):
    answer = at(host)
    assert answer.status_code == 404 and b"STSv1" not in answer.content
