"""Signing in by OpenID Connect, against a real provider in a process of its own: who gets in, and who does not."""

import json
import logging
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import identity
from tenants.models import AuditEvent, Provider
from tenants.services import add_membership, remove_membership
from tests.accounts.openid.kit import ADMIN, CLIENT_SECRET, OWNER, START, callback, is_refused, with_an_app
from tests.cast import provider
from tests.tenants.kit import text

pytest_plugins = ["tests.accounts.openid.portal"]


# --- In ---
def test_people_sign_in_with_their_organization_and_are_signed_in_on_customers_hosts_too(
    northwinds, openid, way_in
):
    openid.knows(OWNER)
    visitor = way_in()
    answer = visitor.signs_in(OWNER, next_url="http://acme.portal.localhost/mailboxes/")
    assert (answer.status_code, answer["Location"]) == (302, "http://acme.portal.localhost/mailboxes/")
    assert answer.cookies["sessionid"]["domain"] == "portal.localhost"
    assert visitor.client.get("/customers/").status_code == 200
    assert visitor.client.get("/mailboxes/", headers={"host": "acme.portal.localhost"}).status_code == 200


def test_who_has_an_address_that_an_earlier_release_took_still_comes_in(northwinds, openid, way_in):
    kept = '"operator"@northwind.example'
    User.objects.filter(email=OWNER).update(email=kept)
    openid.knows(kept)
    visitor = way_in()
    visitor.signs_in(kept)
    assert visitor.is_signed_in


def test_a_customers_people_sign_in_with_their_providers_identity_provider(northwinds, openid, way_in):
    openid.knows(ADMIN)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    assert visitor.client.get("/mailboxes/", headers={"host": "acme.portal.localhost"}).status_code == 200


def test_a_customers_host_leads_to_the_base_host_and_back(northwinds, way_in):
    answer = way_in("acme").client.get(START, {"next": "/mailboxes/?q=x"})
    there = urlsplit(answer["Location"])
    assert (there.netloc, there.path) == ("portal.localhost", START)
    assert parse_qs(there.query) == {"next": ["http://acme.portal.localhost/mailboxes/?q=x"]}


def test_an_address_that_only_userinfo_tells_will_do(northwinds, openid, way_in):
    openid.knows(OWNER, address_in_userinfo_only=True)
    visitor = way_in()
    visitor.signs_in(OWNER)
    assert visitor.is_signed_in


def test_the_identity_provider_is_asked_with_state_nonce_pkce_and_the_address(northwinds, way_in):
    asked = parse_qs(urlsplit(way_in().authorization(OWNER)).query)
    assert asked["redirect_uri"] == [callback("northwind")]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["login_hint"] == [OWNER]
    assert {"state", "nonce", "code_challenge"} <= set(asked)


def test_a_sign_in_stands_in_the_audit_trail(northwinds, openid, way_in, cast):
    openid.knows(OWNER)
    way_in().signs_in(OWNER)
    event = AuditEvent.objects.filter(action="person.signed-in-by-identity-provider").get()
    assert (event.actor_id, event.provider_id) == (cast.owner.pk, provider("northwind").pk)


def test_nothing_but_the_subject_is_kept(northwinds, openid, way_in):
    openid.knows(OWNER, id_token={"department": "Payroll"})
    way_in().signs_in(OWNER)
    account = SocialAccount.objects.get()
    assert (account.user.email, account.provider, account.extra_data) == (OWNER, "northwind", {})


# --- Who is not let in ---
@pytest.mark.parametrize(
    "email", ["nobody@northwind.example", "stranger@nowhere.example", "mallory@globex.example"]
)
def test_who_is_unknown_or_of_a_foreign_domain_gets_one_answer(northwinds, openid, way_in, email):
    openid.knows(email)
    visitor = way_in()
    answer = visitor.signs_in(OWNER, there_as=email)
    assert is_refused(answer, visitor, "or your service provider for an invitation")
    assert not SocialAccount.objects.exists()


def test_who_has_lost_the_role_or_is_switched_off_gets_the_same_answer(northwinds, openid, way_in, cast):
    openid.knows(ADMIN)
    remove_membership(cast.admin.memberships.get(), by=SYSTEM)
    visitor = way_in()
    assert is_refused(visitor.signs_in(ADMIN), visitor, "or your service provider for an invitation")
    openid.knows(OWNER)
    User.objects.filter(email=OWNER).update(is_active=False)
    visitor = way_in()
    assert is_refused(visitor.signs_in(OWNER), visitor, "or your service provider for an invitation")


def test_a_rivals_identity_provider_signs_in_nobody_of_northwind(fabrikams, openid, way_in):
    openid.knows(OWNER)
    visitor = way_in()
    answer = visitor.signs_in("operator@fabrikam.example", there_as=OWNER)
    assert is_refused(answer, visitor, "or your service provider for an invitation")


def test_not_even_who_works_for_both(northwinds, fabrikams, openid, way_in, cast):
    """Fabrikam may say what it likes of them; Northwind's customers must not depend on that."""
    add_membership(cast.rival, provider=provider("northwind"), role="operator", by=SYSTEM)
    openid.knows(cast.rival.email)
    visitor = way_in()
    assert is_refused(
        visitor.signs_in(cast.rival.email), visitor, "or your service provider for an invitation"
    )


def test_platform_staff_sign_in_by_password(northwinds, openid, way_in, cast):
    User.objects.filter(email=OWNER).update(is_staff=True)
    openid.knows(OWNER)
    visitor = way_in()
    assert is_refused(visitor.signs_in(OWNER), visitor, "or your service provider for an invitation")


def test_without_a_gate_nobody_is_let_in(northwinds, openid, way_in, settings):
    openid.knows(OWNER)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(OWNER), OWNER)
    settings.SOCIAL_GATE = None
    assert is_refused(visitor.back(url), visitor, "or your service provider for an invitation")


@pytest.mark.parametrize("said", [False, None, "no", 0])
def test_an_address_that_is_not_confirmed_is_refused(northwinds, openid, way_in, said):
    openid.knows(OWNER, id_token={"email_verified": said})
    visitor = way_in()
    assert is_refused(visitor.signs_in(OWNER), visitor, "has not confirmed")


def test_an_address_of_which_nobody_says_that_it_is_confirmed_is_refused(northwinds, openid, way_in):
    openid.knows(OWNER, id_token_without=["email_verified"])
    visitor = way_in()
    assert is_refused(visitor.signs_in(OWNER), visitor, "has not confirmed")


def test_no_address_is_refused(northwinds, openid, way_in):
    openid.knows(OWNER, id_token={"email": "\x00@northwind.example"})
    visitor = way_in()
    assert is_refused(visitor.signs_in(OWNER), visitor, "has not confirmed")


# --- One account there ---
def test_the_account_used_first_is_the_only_one_until_an_owner_forgets_it(northwinds, openid, way_in, cast):
    openid.knows(ADMIN, sub="first")
    way_in().signs_in(ADMIN)
    openid.knows(ADMIN, sub="second")
    visitor = way_in()
    assert is_refused(visitor.signs_in(ADMIN), visitor, "with another account")
    identity.forget(northwinds, email=ADMIN, by=cast.owner)
    visitor.signs_in(ADMIN)
    assert visitor.is_signed_in


def test_an_account_there_is_one_person_here(northwinds, openid, way_in):
    openid.knows(ADMIN, sub="shared")
    way_in().signs_in(ADMIN)
    openid.knows(ADMIN)
    openid.knows("viewer@acme.example", sub="shared")
    visitor = way_in()
    assert is_refused(visitor.signs_in("viewer@acme.example"), visitor, "with another account")


def test_two_identity_providers_may_use_the_same_names(northwinds, fabrikams, openid, way_in):
    for email in (OWNER, "operator@fabrikam.example"):
        openid.knows(email, sub="one")
        visitor = way_in()
        visitor.signs_in(email)
        assert visitor.is_signed_in
        openid.knows(email)  # two people of one service can't share a name


# --- Beginning ---
def test_an_address_without_an_identity_provider_is_told_so_whether_or_not_somebody_has_it(
    northwinds, way_in
):
    answers = [way_in().start(email) for email in ("mallory@globex.example", "nobody@globex.example")]
    for answer in answers:
        assert answer.status_code == 200
        assert "Refresh" not in answer
        assert "No organization signs in here with addresses at “globex.example”" in text(answer)


def test_an_address_at_a_known_domain_leads_on_whether_or_not_somebody_has_it(northwinds, way_in):
    assert (
        way_in().authorization("nobody@northwind.example").startswith(northwinds.app.settings["server_url"])
    )


def test_switched_off_it_begins_nothing_and_ends_nothing(northwinds, openid, way_in, cast):
    openid.knows(OWNER)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(OWNER), OWNER)
    identity.switch(northwinds, active=False, by=cast.owner)
    assert is_refused(visitor.back(url), visitor, "or your service provider for an invitation")
    assert "No organization signs in here" in text(way_in().start(OWNER))
    identity.switch(northwinds, active=True, by=cast.owner)
    visitor.signs_in(OWNER)
    assert visitor.is_signed_in


def test_a_service_that_does_not_answer_breaks_no_page(northwinds, way_in):
    northwinds.app.settings["server_url"] = "http://127.0.0.1:9"
    northwinds.app.save()
    assert "does not work at present" in text(way_in().start(OWNER))


def test_a_service_whose_answer_can_not_be_read_breaks_no_page(northwinds, openid, way_in):
    northwinds.app.settings["server_url"] = f"{openid.issuer}/crooked"
    northwinds.app.save()
    openid.knows(OWNER)
    visitor = way_in()
    assert is_refused(visitor.signs_in(OWNER), visitor, "does not work at present", 502)


def test_a_client_secret_that_can_no_longer_be_read_breaks_no_page(northwinds, openid, way_in, settings):
    openid.knows(OWNER)
    visitor = way_in()
    northwinds.app.settings["sealed_secret"] = "of another SECRET_KEY"
    northwinds.app.save()
    assert is_refused(visitor.signs_in(OWNER), visitor, "does not work at present", 502)


@pytest.mark.parametrize("target", ["http://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_there_never_leads_to_a_stranger(northwinds, openid, way_in, target):
    openid.knows(OWNER)
    assert way_in().signs_in(OWNER, next_url=target)["Location"] == "/"


@pytest.mark.parametrize("target", ["account_logout", "nowhere"])
def test_who_is_signed_in_is_led_to_no_page_by_a_name_that_we_have_for_it(cast, client_for, target):
    answer = client_for(cast.admin, host=None).get(START, {"next": target})
    assert (answer.status_code, answer["Location"]) == (302, target)


@pytest.mark.parametrize(
    ("named", "words"), [("", ""), ("their own", ""), ("https://evil.example", "does not work at present")]
)
def test_an_answer_that_names_another_service_is_refused(northwinds, openid, way_in, named, words):
    openid.knows(OWNER)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(OWNER), OWNER)
    issuer = {"": "", "their own": openid.issuer}.get(named, named)
    answer = visitor.back(f"{url}&{urlencode({'iss': issuer})}" if issuer else url)
    assert visitor.is_signed_in is (not words)
    assert words in text(answer)


def test_beginning_is_limited_as_other_sign_ins_are(northwinds, way_in, settings):
    settings.ACCOUNT_RATE_LIMITS = {"sign_in": "2/m/ip"}
    assert [way_in().start(OWNER).status_code for _ in range(3)] == [200, 200, 429]


# --- The second factor ---
def test_who_has_a_second_factor_here_is_asked_for_it(northwinds, openid, way_in, cast):
    with_an_app(cast.admin)
    openid.knows(ADMIN)
    visitor = way_in()
    answer = visitor.signs_in(ADMIN)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not visitor.is_signed_in
    assert not AuditEvent.objects.filter(action="person.signed-in-by-identity-provider").exists()


def test_unless_the_identity_provider_says_that_it_asked_for_one(northwinds, openid, way_in, cast):
    with_an_app(cast.owner)
    openid.knows(OWNER, id_token={"amr": ["pwd", "mfa"]})
    visitor = way_in()
    visitor.signs_in(OWNER)
    assert visitor.is_signed_in


def test_who_has_none_must_set_one_up_where_the_provider_requires_it(northwinds, openid, way_in):
    Provider.objects.filter(slug="northwind").update(require_second_factor=True)
    openid.knows(OWNER)
    visitor = way_in()
    visitor.signs_in(OWNER)
    assert visitor.client.get("/customers/")["Location"] == "/settings/security/"


# --- Secrets ---
def test_neither_database_nor_logs_hold_what_was_exchanged(northwinds, openid, way_in, caplog, cast):
    with_an_app(cast.admin)
    openid.knows(ADMIN)
    caplog.set_level(logging.DEBUG)
    visitor = way_in()
    url = openid.signs_in(visitor.authorization(ADMIN), ADMIN)
    code = parse_qs(urlsplit(url).query)["code"][0]
    visitor.back(url)
    stored = [session.get_decoded() for session in Session.objects.all()]
    held = json.dumps(stored) + json.dumps(list(AuditEvent.objects.values()), default=str)
    held += json.dumps(list(northwinds.app.__class__.objects.values()), default=str)
    for secret in (CLIENT_SECRET, code):
        assert secret not in held
        assert secret not in caplog.text.replace(url, "")
    assert "eyJ" not in held  # how every token begins
