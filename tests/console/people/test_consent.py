"""A customer's people come by the provider's identity provider only as long as the customer consents."""

from dataclasses import replace

from tenants import identity
from tenants.models import AuditEvent, Provider
from tests.accounts.openid.kit import ADMIN, is_refused, with_an_app
from tests.cast import customer
from tests.pages import presses, read, text_of
from tests.tenants.kit import text

pytest_plugins = ["tests.accounts.openid.portal"]


def test_a_customers_people_come_by_it_only_with_the_customers_consent(
    northwinds, openid, way_in, cast, client_for
):
    openid.knows(ADMIN)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    client = client_for(cast.admin)
    for button, status in (("Allow it no longer", 302), ("Allow it", 200)):
        assert presses(client.get("/people/"), button)["Location"] == "/people/"
        answer = visitor.client.get("/mailboxes/", headers={"host": "acme.portal.localhost"})
        assert answer.status_code == status or not visitor.is_signed_in
        if status == 302:
            again = way_in()
            assert is_refused(again.signs_in(ADMIN), again, "or to allow “Sign-in by the provider”")
    told = AuditEvent.objects.filter(
        action__startswith="identity-provider.consent", customer_id=customer("acme").pk
    )
    assert sorted(told.values_list("action", flat=True)) == [
        "identity-provider.consent-given",
        "identity-provider.consent-given",
        "identity-provider.consent-withdrawn",
    ]


def test_what_was_consented_to_is_what_was_shown(northwinds, openid, cast, client_for):
    openids = identity.configuration_of(northwinds, by=cast.owner)
    people = presses(client_for(cast.admin).get("/people/"), "Allow it no longer").client.get("/people/")
    assert openid.issuer in text_of(read(people))
    for more in ({"client_id": "another"}, {"issuer": "https://elsewhere.example"}):
        changed = replace(openids, **more)
        identity.change(northwinds, changed, client_secret="x", by=cast.owner)
        answer = presses(people, "Allow it").client.get("/people/")
        assert "has changed its identity provider since this page was shown" in text_of(read(answer))
        assert not customer("acme").identity_provider_consent
        people = answer
    assert "https://elsewhere.example" in text_of(read(people))
    presses(people, "Allow it")
    assert customer("acme").identity_provider_consent


def test_one_that_is_switched_off_is_said_to_be_and_can_only_be_refused(northwinds, cast, client_for):
    off = "It is switched off at present: nobody signs in with it."
    admin = client_for(cast.admin)
    assert off not in text_of(read(admin.get("/people/")))
    identity.switch(northwinds, active=False, by=cast.owner)
    people = admin.get("/people/")
    assert off in text_of(read(people))
    people = presses(people, "Allow it no longer").client.get("/people/")
    assert not customer("acme").identity_provider_consent
    assert off in text_of(read(people))
    assert 'name="consent"' not in people.content.decode()


def test_nobody_of_the_provider_consents_in_the_customers_place(northwinds, cast, client_for):
    client = client_for(cast.owner)
    assert 'name="consent"' not in client.get("/people/").content.decode()
    assert client.post("/people/identity-provider/", {"consent": "off"}).status_code == 403
    assert client_for(cast.viewer).post("/people/identity-provider/", {"consent": "off"}).status_code == 403
    assert customer("acme").identity_provider_consent


def test_what_is_done_in_such_a_session_is_marked_as_vouched_for(
    northwinds, openid, way_in, client_for, cast
):
    openid.knows(ADMIN)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    acme = {"host": "acme.portal.localhost"}
    invited = {"email": "new@acme.example", "role": "viewer"}
    assert visitor.client.post("/people/invite/", invited, headers=acme).status_code == 302
    client_for(cast.admin).post("/people/invite/", invited | {"email": "own@acme.example"})
    done = AuditEvent.objects.filter(
        action__in=["invitation.created", "person.signed-in-by-identity-provider"]
    )
    vouched = dict(done.values_list("target_name", "vouched_by"))
    assert vouched["new@acme.example"] == vouched[ADMIN] == "Northwind IT"
    assert vouched["own@acme.example"] == ""
    assert "vouched for by Northwind IT" in text(visitor.client.get("/activity/", headers=acme))


def test_at_a_customer_it_replaces_no_factor_whatever_it_says(northwinds, openid, way_in, cast):
    openid.knows(ADMIN, id_token={"amr": ["mfa"]})
    Provider.objects.update(require_second_factor=True)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    answer = visitor.client.get("/mailboxes/", headers={"host": "acme.portal.localhost"})
    assert answer["Location"] == "/settings/security/"
    with_an_app(cast.admin)
    visitor = way_in()
    assert visitor.signs_in(ADMIN)["Location"].startswith("/accounts/2fa/authenticate/")
    assert not visitor.is_signed_in
