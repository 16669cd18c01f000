"""Confirming that it is you: what changes a second factor asks once more, for password, code or the organization."""

from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest

from accounts import second_factor
from tenants.models import Provider
from tests.accounts.factors import (
    ACTIVATE,
    ADD_PASSKEY,
    CONFIRM,
    CONFIRM_BY_CODE,
    GENERATE,
    REMOVE_APP,
    SECURITY,
    asked_to_confirm,
    confirms,
    sign_in,
)
from tests.accounts.openid.kit import START
from tests.cast import PASSWORD

pytest_plugins = ["tests.accounts.openid.portal"]

HOSTS = pytest.mark.parametrize("host", [None, "acme"])


@HOSTS
@pytest.mark.parametrize("path", [ACTIVATE, ADD_PASSKEY, GENERATE])
def test_sensitive_pages_ask_for_the_password_once_more(cast, client_for, host, path):
    user = cast.admin if host else cast.owner
    client = client_for(host=host)
    sign_in(client, user.email)
    asked = client.get(path)["Location"]
    assert asked == asked_to_confirm(path)
    assert "Confirm that it is you" in client.get(asked).content.decode()
    assert client.post(CONFIRM, {"password": "wrong-password-here", "next": path}).status_code == 200
    assert client.get(path).status_code == 302
    assert confirms(client, next=path)["Location"] == path
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("by", [CONFIRM, CONFIRM_BY_CODE])
def test_what_was_sent_before_confirming_is_done_afterwards(with_app, cast, client_for, clock, by):
    client = client_for(cast.admin)
    asked = client.post(REMOVE_APP)["Location"]
    assert second_factor.has_second_factor(cast.admin)
    given = {CONFIRM: {"password": PASSWORD}, CONFIRM_BY_CODE: {"code": clock.code(with_app)}}[by]
    client.post(by, given | {"next": unquote(asked.partition("next=")[2])})
    assert not second_factor.has_second_factor(cast.admin)


def test_a_code_confirms_too(with_app, cast, client_for, clock):
    client = client_for(cast.admin)
    page = client.get(asked_to_confirm(GENERATE)).content.decode()
    assert asked_to_confirm(GENERATE).replace(CONFIRM, CONFIRM_BY_CODE) in page
    assert "This code is wrong" in client.post(CONFIRM_BY_CODE, {"code": "1"}).content.decode()
    given = {"code": clock.code(with_app), "next": GENERATE}
    assert client.post(CONFIRM_BY_CODE, given)["Location"] == GENERATE
    assert client.get(GENERATE).status_code == 200


@pytest.fixture
def by_organization(northwinds, openid, way_in, cast):
    """The browser of Acme's admin, who has no password here and was signed in by Northwind's identity provider."""
    cast.admin.set_unusable_password()
    cast.admin.save()
    openid.knows(cast.admin.email)
    visitor = way_in()
    visitor.signs_in(cast.admin.email)
    return visitor


def some_minutes_later(client):
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 301
    session.save()


@HOSTS
@pytest.mark.parametrize("path", [ACTIVATE, ADD_PASSKEY])
def test_who_has_no_password_confirms_by_signing_in_with_the_organization_once_more(
    by_organization, cast, host, path
):
    client = by_organization.client
    if host:
        client.defaults["HTTP_HOST"] = f"{host}.portal.localhost"
    assert client.get(path).status_code == 200
    some_minutes_later(client)
    for asked in (client.get(path), client.post(path, {"code": "1"})):
        assert asked["Location"] == f"{START}?{urlencode({'next': path})}"
    client.defaults["HTTP_HOST"] = "portal.localhost"
    page = client.get(f"{START}?next={path}")
    assert "to confirm that it is you" in page.content.decode()
    there = by_organization.authorization(cast.admin.email, path)
    assert parse_qs(urlsplit(there).query)["prompt"] == ["login"]
    answer = by_organization.back(by_organization.openid.signs_in(there, cast.admin.email))
    assert answer["Location"] == path
    assert client.get(path).status_code == 200


def test_a_session_there_that_asks_nothing_confirms_nothing(by_organization, cast):
    """A day-old session at the organization: signed out and in again here, nobody has shown that they are there."""
    client, openid = by_organization.client, by_organization.openid
    openid.knows(cast.admin.email, asked_ago=3600)
    client.post("/accounts/logout/")
    by_organization.signs_in(cast.admin.email)
    assert by_organization.is_signed_in
    assert client.get(ADD_PASSKEY)["Location"].startswith(START)
    there = by_organization.authorization(cast.admin.email, ADD_PASSKEY)
    assert parse_qs(urlsplit(there).query)["max_age"] == ["0"]
    answer = by_organization.back(openid.signs_in(there, cast.admin.email))
    assert "did not ask you to sign in once more" in answer.content.decode()
    assert client.get(ADD_PASSKEY)["Location"].startswith(START)


def test_that_works_where_a_second_factor_is_required_and_nothing_else_is_open(by_organization, cast):
    Provider.objects.filter(slug="northwind").update(require_second_factor=True)
    client = by_organization.client
    some_minutes_later(client)
    assert client.get("/settings/sessions/")["Location"] == SECURITY
    assert client.get(ADD_PASSKEY)["Location"].startswith(START)
    assert by_organization.signs_in(cast.admin.email, next_url=ADD_PASSKEY)["Location"] == ADD_PASSKEY
    assert client.get(ADD_PASSKEY).status_code == 200
