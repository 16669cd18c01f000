"""What the services refuse of an identity provider, whoever asks, and whose domains it may speak for."""

from threading import Thread

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection, transaction

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from tenants import identity
from tenants.errors import NotAllowed
from tenants.identity import errors as identity_errors
from tenants.models import AuditEvent, Customer, IdentityProvider
from tenants.services import add_membership
from tests.cast import customer, provider
from tests.locks import until_they_wait
from tests.tenants.kit import at_once

pytest_plugins = ["tests.accounts.openid.portal"]


def wanted(openid, *domains, **more):
    from tests.accounts.openid.portal import configuration

    return configuration(openid, *(domains or ("northwind.example",)), **more)


def test_the_services_ask_for_the_right_themselves(northwinds, cast, openid):
    for act in (
        lambda: identity.set_up(provider("northwind"), wanted(openid), client_secret="x", by=cast.auditor),
        lambda: identity.change(northwinds, wanted(openid), client_secret="", by=cast.auditor),
        lambda: identity.switch(northwinds, active=False, by=cast.rival),
        lambda: identity.switch(northwinds, active=True, by=cast.rival),
        lambda: identity.forget(northwinds, email="admin@acme.example", by=cast.rival),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_a_provider_has_one(northwinds, cast, openid):
    with pytest.raises(identity_errors.AlreadySetUp):
        identity.set_up(provider("northwind"), wanted(openid), client_secret="x", by=cast.owner)


@pytest.mark.parametrize("more", [{"issuer": "https://evil.example"}, {"client_id": "another"}])
def test_another_address_or_client_needs_the_secret_again_and_forgets_accounts_and_consents(
    northwinds, cast, openid, way_in, more
):
    openid.knows("admin@acme.example")
    way_in().signs_in("admin@acme.example")
    other = wanted(openid, **more)
    accepted = {"loss_accepted": identity.consents_lost(northwinds, other, by=cast.owner).loss}
    with pytest.raises(identity_errors.SecretNeeded):
        identity.change(northwinds, other, client_secret="", **accepted, by=cast.owner)
    assert SocialAccount.objects.exists() and customer("acme").identity_provider_consent
    identity.change(northwinds, other, client_secret="x", **accepted, by=cast.owner)
    assert not SocialAccount.objects.exists()
    assert not customer("acme").identity_provider_consent
    told = AuditEvent.objects.filter(action="identity-provider.consent-withdrawn")
    assert customer("acme").pk in told.values_list("customer_id", flat=True)


def test_a_loss_is_accepted_of_these_customers_and_not_of_so_many(northwinds, cast, openid):
    other = wanted(openid, client_id="another")
    accepted = identity.consents_lost(northwinds, other, by=cast.owner)
    Customer.objects.filter(slug="acme").update(identity_provider_consent=False)
    Customer.objects.filter(slug="globex").update(identity_provider_consent=True)
    with pytest.raises(identity_errors.OtherConsentsLost) as refused:
        identity.change(northwinds, other, client_secret="x", loss_accepted=accepted.loss, by=cast.owner)
    by_now = refused.value.details["consents"]
    assert by_now.customers == accepted.customers == 1
    assert customer("globex").identity_provider_consent
    identity.change(northwinds, other, client_secret="x", loss_accepted=by_now.loss, by=cast.owner)
    assert not customer("globex").identity_provider_consent


@pytest.mark.usefixtures("committed_db")
def test_a_consent_that_is_being_given_meanwhile_is_asked_about_first(northwinds, cast, openid):
    other, outcomes = wanted(openid, client_id="another"), []
    accepted = identity.consents_lost(northwinds, other, by=cast.owner).loss
    saving = Thread(
        target=lambda: outcomes.extend(
            at_once(
                lambda: identity.change(
                    northwinds, other, client_secret="x", loss_accepted=accepted, by=cast.owner
                )
            )
        )
    )
    with transaction.atomic(), connection.cursor() as cursor:
        IdentityProvider.objects.select_for_update().get(pk=northwinds.pk)  # as who consents does
        Customer.objects.filter(slug="globex").update(identity_provider_consent=True)
        saving.start()
        until_they_wait(cursor, 1, or_ended=lambda: not saving.is_alive())
    saving.join(timeout=60)
    assert outcomes == ["other-consents-lost"]
    assert customer("acme").identity_provider_consent and customer("globex").identity_provider_consent


def test_a_change_says_in_the_trail_what_holds_now(northwinds, cast, openid):
    identity.change(northwinds, wanted(openid, "acme.example"), client_secret="", by=cast.owner)
    event = AuditEvent.objects.filter(action="identity-provider.changed", customer_id=None).get()
    assert event.data["email_domains"] == ["acme.example"]
    assert event.data["client_secret_changed"] is False


def test_saving_what_is_saved_says_nothing(northwinds, cast):
    saved = identity.configuration_of(northwinds, by=cast.owner)
    identity.change(northwinds, saved, client_secret="", by=cast.owner)
    assert not AuditEvent.objects.filter(action="identity-provider.changed").exists()


@pytest.mark.parametrize(
    "domain", ["", "northwind", "north wind.example", "*.example", "x\x00.example", "-.example"]
)
def test_what_is_no_domain_is_refused(cast, openid, playground, domain):
    with pytest.raises(identity_errors.InvalidDomain):
        identity.set_up(provider("northwind"), wanted(openid, domain), client_secret="x", by=cast.owner)


@pytest.mark.parametrize(
    "domain", ["microsoft.example", "fabrikam.example", "gatehouse.example", "thwind.example"]
)
def test_a_domain_needs_somebody_of_ours_there(cast, openid, playground, domain):
    with pytest.raises(identity_errors.NobodyThere):
        identity.set_up(provider("northwind"), wanted(openid, domain), client_secret="x", by=cast.owner)


def test_who_can_not_sign_in_proves_no_domain(cast, openid, playground, settings):
    settings.DATABASE_IS_EMBEDDED = False
    asked = provider("northwind"), wanted(openid, "acme.example")
    User.objects.filter(email__endswith="@acme.example").update(is_demo=True)
    with pytest.raises(identity_errors.NobodyThere):
        identity.set_up(*asked, client_secret="x", by=cast.owner)
    User.objects.filter(email=cast.viewer.email).update(is_demo=False)
    identity.set_up(*asked, client_secret="x", by=cast.owner)


def test_who_works_for_two_proves_no_domain(cast, openid, playground):
    add_membership(cast.owner, provider=provider("fabrikam"), role="auditor", by=SYSTEM)
    with pytest.raises(identity_errors.NobodyThere):
        identity.set_up(
            provider("fabrikam"), wanted(openid, "northwind.example"), client_secret="x", by=cast.rival
        )


def test_a_domain_belongs_to_one_provider_while_it_is_switched_on(northwinds, cast, openid):
    theirs, _ = create_person("temp@northwind.example", by=SYSTEM)
    add_membership(theirs, provider=provider("fabrikam"), role="operator", by=SYSTEM)
    claim = wanted(openid, "northwind.example")
    with pytest.raises(identity_errors.DomainTaken):
        identity.set_up(provider("fabrikam"), claim, client_secret="x", by=cast.rival)
    identity.switch(northwinds, active=False, by=cast.owner)
    identity.set_up(provider("fabrikam"), claim, client_secret="x", by=cast.rival)
    with pytest.raises(identity_errors.DomainTaken):
        identity.switch(northwinds, active=True, by=cast.owner)


def test_it_can_be_switched_off_when_its_domains_are_no_longer_proved(northwinds, cast):
    cast.admin.memberships.all().delete()
    cast.viewer.memberships.all().delete()
    identity.switch(northwinds, active=False, by=cast.owner)
    northwinds.refresh_from_db()
    assert not northwinds.active
