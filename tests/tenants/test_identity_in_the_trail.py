"""What those are told whose sign-in depends on a provider's identity provider."""

from dataclasses import replace

from accounts.actors import SYSTEM
from tenants import activity, identity
from tenants.models import Customer
from tenants.services import add_membership
from tenants.services.authority import limit_to
from tests.cast import customer, provider

pytest_plugins = ["tests.accounts.openid.portal"]

ADMIN = "admin@acme.example"


def told(trail):
    """Sentences and details about identity providers, the newest first."""
    entries = activity.read(trail, activity.Asked(kind="sign-in")).entries
    return [(entry.sentence, [detail.plain for detail in entry.details]) for entry in entries]


def told_at(place, user):
    return told(activity.activity_at(place, by=user))


def domains_told_at(place, user):
    return [detail for _, details in told_at(place, user) for detail in details if "domains" in detail]


def test_a_customer_whose_people_it_can_sign_in_is_told_and_with_its_own_domains_only(
    cast, openid, northwinds, acme, globex
):
    ((sentence, details),) = told_at(acme, cast.viewer)
    assert sentence == "Signing in by the identity provider “Northwind IT: OpenID Connect” was set up."
    assert f"Address of the identity provider: {openid.issuer}" in details
    assert domains_told_at(acme, cast.viewer) == ["Email domains: acme.example"]
    assert told_at(globex, cast.mallory) == []
    assert told_at(customer("initech"), cast.rival) == []


def test_it_is_told_when_it_is_switched_off_and_on(cast, northwinds, acme):
    identity.switch(northwinds, active=False, by=cast.owner)
    identity.switch(northwinds, active=True, by=cast.owner)
    on, off, _ = told_at(acme, cast.viewer)
    assert off[0].endswith("was switched off.")
    assert on[0].endswith("was switched on.")
    assert domains_told_at(acme, cast.viewer) == ["Email domains: acme.example"] * 3


def speaks_for(identity_provider, *domains, by):
    wanted = replace(identity.configuration_of(identity_provider, by=by), email_domains=domains)
    identity.change(identity_provider, wanted, client_secret="", by=by)


def test_a_change_is_told_to_who_comes_under_it_and_to_who_is_free_of_it(cast, northwinds, acme, globex):
    speaks_for(northwinds, "northwind.example", "globex.example", by=cast.owner)
    assert domains_told_at(globex, cast.mallory) == ["Email domains: globex.example"]
    assert domains_told_at(acme, cast.viewer) == ["Email domains: empty", "Email domains: acme.example"]


def test_what_concerns_one_person_is_told_where_that_person_works(cast, openid, northwinds, way_in, acme):
    globexs = add_membership(cast.admin, customer=customer("globex"), role="viewer", by=SYSTEM)
    Customer.objects.update(identity_provider_consent=True)
    openid.knows(ADMIN)
    way_in().signs_in(ADMIN)
    identity.forget(northwinds, email=ADMIN, by=cast.owner)
    wanted = [
        f"The account of {ADMIN} at the identity provider was forgotten.",
        f"{ADMIN} signed in by the identity provider.",
    ]
    for place, user in ((acme, cast.viewer), (globexs.customer, cast.mallory)):
        assert [sentence for sentence, _ in told_at(place, user)][:2] == wanted


def test_who_is_limited_to_some_customers_reads_no_domains_of_others(cast, northwinds, globex):
    membership = add_membership(cast.stranger, provider=provider("northwind"), role="operator", by=SYSTEM)
    assert "acme.example" in str(told(activity.activity_for(cast.stranger)))
    limit_to(membership, [globex])
    entries = told(activity.activity_for(cast.stranger))
    assert "was set up" in entries[-1][0]
    assert "acme.example" not in str(entries)
