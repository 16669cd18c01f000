"""What an identity provider states of who comes: for us, for now, by itself, of its own people; else nobody is signed in."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount

from tests.accounts.openid.kit import OWNER, callback, is_refused
from tests.tenants.kit import text

pytest_plugins = ["tests.accounts.openid.portal"]

TENANT = "9f2c5a1e-7d1b-4c0a-8a55-0d6d5c1f3b7a"


# --- Statements that can't be believed ---
@pytest.mark.parametrize(
    "said",
    [
        {"id_token": {"aud": "another-client"}},
        {"id_token": {"aud": ["gatehouse", "another-client"], "azp": "another-client"}},
        {"id_token": {"nonce": "of-another-sign-in"}},
        {"id_token_without": ["nonce"]},
        {"id_token": {"iss": "https://evil.example"}},
        {"age": 90},
        {"id_token_without": ["exp"]},
        {"id_token": {"sub": ""}},
        {"id_token": {"sub": "x" * 300}},
        {"id_token": {"sub": "nul\x00"}},
        {"id_token": {"sub": 7}},
        {"address_in_userinfo_only": True, "userinfo": {"sub": "somebody-else"}},
    ],
    ids=lambda said: json.dumps(said)[:60],
)
def test_a_statement_that_is_not_for_us_now_is_refused(northwinds, openid, way_in, said):
    openid.knows(OWNER, **said)
    visitor = way_in()
    answer = visitor.signs_in(OWNER)
    assert answer.status_code in (403, 502)
    assert "does not work at present" in text(answer)
    assert not visitor.is_signed_in
    assert not SocialAccount.objects.exists()


def test_a_little_difference_of_the_clocks_is_borne(northwinds, openid, way_in):
    openid.knows(OWNER, age=20)
    visitor = way_in()
    visitor.signs_in(OWNER)
    assert visitor.is_signed_in


def test_a_statement_signed_by_somebody_else_is_refused(northwinds, openid, way_in, tmp_path):
    """The address of the keys is taken from the configuration; here a second provider has keys of its own."""
    from tests.accounts.openid.kit import OpenIDProvider

    openid.knows(OWNER)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(OWNER), OWNER)
    other = OpenIDProvider(tmp_path / "other")
    try:
        northwinds.app.refresh_from_db()
        northwinds.app.settings["server_url"] = other.issuer
        northwinds.app.save()
        assert is_refused(visitor.back(url), visitor, "does not work at present", 502)
    finally:
        other.stop()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"id_token": {"aud": "another-client"}}, "'InvalidAudienceError'"),
        ({"age": 90}, "'ExpiredSignatureError'"),
        ({"id_token": {"nonce": "of-another-sign-in"}}, "'it answers another sign-in'"),
    ],
    ids=["audience", "age", "nonce"],
)
def test_the_log_says_why_whatever_language_the_visitor_reads(northwinds, openid, way_in, caplog, said, why):
    openid.knows(OWNER, **said)
    visitor = way_in()
    visitor.client.cookies["django_language"] = "de"
    visitor.signs_in(OWNER)
    assert f"bad-token why={why}" in caplog.text


def test_a_service_forges_no_line_of_the_log(northwinds, way_in, caplog):
    northwinds.app.settings["server_url"] += "/forging"
    northwinds.app.save()
    way_in().start(OWNER)
    assert "calls itself\\nERROR all is lost" in caplog.text
    assert "\nERROR" not in caplog.text


def test_a_sign_in_that_another_browser_began_is_refused(northwinds, openid, way_in):
    openid.knows(OWNER)
    url = openid.signs_in(way_in().authorization(OWNER), OWNER)
    visitor = way_in()
    assert is_refused(visitor.back(url), visitor, "was not begun in this browser")


def test_a_sign_in_works_once(northwinds, openid, way_in):
    openid.knows(OWNER)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(OWNER), OWNER)
    visitor.back(url)
    visitor.client.logout()
    assert is_refused(visitor.back(url), visitor, "was not begun in this browser")


def test_a_code_of_one_identity_provider_is_none_at_another(northwinds, fabrikams, openid, way_in):
    openid.knows(OWNER)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(OWNER), OWNER).replace("northwind/login", "fabrikam/login")
    assert is_refused(visitor.back(url), visitor, "was not begun in this browser")


def test_who_leaves_there_is_told_so_here(northwinds, way_in):
    visitor = way_in()
    state = parse_qs(urlsplit(visitor.authorization(OWNER)).query)["state"][0]
    back = callback("northwind") + "?" + urlencode({"error": "access_denied", "state": state})
    assert is_refused(visitor.back(back), visitor, "You left your organization")


@pytest.mark.parametrize("slug", ["northwind", "fabrikam", "nowhere"])
@pytest.mark.parametrize("query", ["", "?code=x&state=y", "?error=server_error"])
def test_the_callback_tells_nobody_which_providers_have_one(northwinds, way_in, slug, query):
    visitor = way_in()
    assert is_refused(visitor.back(callback(slug) + query), visitor, "was not begun in this browser")


def test_the_name_of_the_protocol_is_no_provider(northwinds, fabrikams, way_in):
    visitor = way_in()
    assert is_refused(visitor.back(callback("openid_connect")), visitor, "was not begun in this browser")


def test_the_callback_answers_at_the_base_host_only(northwinds, way_in):
    assert way_in("acme").back(callback("northwind")).status_code == 404


# --- Entra ID's way of saying things, by the same process ---
@pytest.fixture
def entra(northwinds, openid):
    northwinds.app.settings["tenant"] = TENANT
    northwinds.app.save()
    return northwinds


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"tid": TENANT}, ""),
        ({"tid": TENANT, "xms_edov": True, "amr": ["mfa"]}, ""),
        ({"tid": TENANT, "xms_edov": False}, "has not confirmed"),
        ({"tid": TENANT, "xms_edov": "0"}, "has not confirmed"),
        ({"tid": TENANT, "email_verified": False}, "has not confirmed"),
        ({"tid": TENANT, "idp": "https://sts.windows.net/another/"}, "has not confirmed"),
        ({"tid": TENANT.replace("9", "8")}, "does not work at present"),
        ({}, "does not work at present"),
    ],
    ids=lambda value: json.dumps(value)[:70] if isinstance(value, dict) else "",
)
def test_a_directory_speaks_for_its_own_members_and_not_for_guests(entra, openid, way_in, claims, words):
    without = [] if "email_verified" in claims else ["email_verified"]
    openid.knows("operator@northwind.example", id_token=claims, id_token_without=without)
    visitor = way_in()
    answer = visitor.signs_in("operator@northwind.example")
    assert visitor.is_signed_in is (not words)
    assert words in text(answer)
