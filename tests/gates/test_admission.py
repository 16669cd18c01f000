"""A session that an identity provider has opened, and what ends it: asked again with every request."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import identity
from tenants.services import add_membership
from tests.accounts.factors import is_signed_in, sign_in
from tests.cast import provider

pytest_plugins = ["tests.accounts.openid.portal"]

ADMIN = "admin@acme.example"
LOGIN = "/accounts/login/"


@pytest.fixture
def by_organization(northwinds, openid, way_in):
    """The browser of Acme's admin, who has come by Northwind's identity provider."""
    openid.knows(ADMIN)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    return visitor.client


def goes_to(client, host):
    return client.get("/mailboxes/", headers={"host": f"{host}.portal.localhost"})


def is_led_to_the_sign_in(answer):
    return answer.status_code == 302 and answer["Location"].startswith(LOGIN)


def test_who_gets_a_role_at_another_provider_signs_in_anew_and_by_password(by_organization, cast):
    """Northwind's service may say what it likes of them; Fabrikam's customers must not depend on that."""
    assert goes_to(by_organization, "acme").status_code == 200
    add_membership(cast.admin, provider=provider("fabrikam"), role="operator", by=SYSTEM)
    assert is_led_to_the_sign_in(goes_to(by_organization, "initech"))
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))
    assert "Sign in with your password" in by_organization.get(LOGIN).content.decode()
    sign_in(by_organization, ADMIN)
    assert goes_to(by_organization, "initech").status_code == 200
    assert goes_to(by_organization, "acme").status_code == 200


@pytest.mark.parametrize(
    "ends",
    [
        lambda service, by: identity.switch(service, active=False, by=by),
        lambda service, by: User.objects.filter(email=ADMIN).update(is_staff=True),
        lambda service, by: type(service).objects.update(email_domains=["northwind.example"]),
        lambda service, by: service.delete(),
    ],
    ids=["switched off", "platform staff now", "another domain", "gone"],
)
def test_whom_it_may_no_longer_sign_in_is_signed_out_and_others_are_not(
    by_organization, northwinds, cast, client_for, ends
):
    by_password = client_for()
    sign_in(by_password, ADMIN)
    ends(northwinds, cast.owner)
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))
    assert not is_signed_in(by_organization)
    assert goes_to(by_password, "acme").status_code == 200


def test_what_was_sent_meanwhile_is_not_done(by_organization, northwinds, cast):
    identity.switch(northwinds, active=False, by=cast.owner)
    assert is_led_to_the_sign_in(by_organization.post("/settings/", {"language": "de"}))
    assert User.objects.get(email=ADMIN).language != "de"


def test_switched_on_again_it_opens_no_session_of_before(by_organization, northwinds, cast):
    identity.switch(northwinds, active=False, by=cast.owner)
    goes_to(by_organization, "acme")
    identity.switch(northwinds, active=True, by=cast.owner)
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))


def test_of_a_session_by_password_nothing_is_asked(northwinds, client_for):
    client = client_for()
    sign_in(client, ADMIN)
    with CaptureQueriesContext(connection) as asked:
        goes_to(client, "acme")
    assert not [query for query in asked.captured_queries if "identityprovider" in query["sql"]]
