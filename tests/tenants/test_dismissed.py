"""Platform staff who are dismissed while their act waits in line: it is not done."""

from threading import Thread

import pytest
from allauth.socialaccount.models import SocialApp
from django.contrib.auth.models import Permission
from django.db import connection, transaction

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import identity, services
from tenants.access import STAFF_PERMISSIONS
from tenants.models import AuditEvent, Customer, IdentityProvider, Provider
from tenants.services.authority import lock_all
from tests.cast import customer, provider
from tests.locks import until_they_wait
from tests.tenants.kit import at_once

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def clerk(cast):
    """Staff who may do all that staff may, and is no superuser."""
    clerk = cast.stranger
    User.objects.filter(pk=clerk.pk).update(is_staff=True)
    codes = [named.partition(".")[2] for named in STAFF_PERMISSIONS.values() if named]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return User.objects.get(pk=clerk.pk)


def come_to_nothing(clerk, acts, *, hold, dismiss):
    """All acts wait for what is held; then the clerk is dismissed."""
    came_to = []
    acting = Thread(target=lambda: came_to.extend(at_once(*acts)))
    with transaction.atomic(), connection.cursor() as cursor:
        hold()
        acting.start()
        until_they_wait(cursor, len(acts), or_ended=lambda: not acting.is_alive())
        dismiss()
    acting.join(60)
    assert came_to == ["not-allowed"] * len(acts)
    assert not AuditEvent.objects.filter(actor_id=clerk.pk).exists()


def test_who_was_dismissed_while_others_decided_about_the_place_decides_nothing_there(cast, clerk):
    northwind, acme = provider("northwind"), customer("acme")
    tailspin = services.create_provider("tailspin", "Tailspin", by=SYSTEM)
    auditing, viewing = cast.auditor.memberships.get(), cast.viewer.memberships.get()

    def dismiss():
        assert at_once(lambda: services.change_person(clerk, is_staff=False, by=cast.staff)) == ["done"]

    come_to_nothing(
        clerk,
        [
            lambda: services.add_membership(cast.rival, role="viewer", customer=acme, by=clerk),
            lambda: services.change_role(auditing, role="operator", by=clerk),
            lambda: services.remove_membership(viewing, by=clerk),
            lambda: services.rename_provider(northwind, name="Another", by=clerk),
            lambda: services.edit_customer(acme, name="Another", by=clerk),
            lambda: services.invite_first_owner(tailspin, "ada@tailspin.example", by=clerk),
        ],
        hold=lambda: lock_all([northwind, acme, tailspin]),
        dismiss=dismiss,
    )


def test_who_is_being_dismissed_begins_nothing(cast, clerk):
    northwind, acme = provider("northwind"), customer("acme")
    app = SocialApp.objects.create(
        provider="openid_connect", provider_id="northwind", name="Northwind", client_id="x"
    )
    service = IdentityProvider.objects.create(provider=northwind, app=app, kind="oidc")
    come_to_nothing(
        clerk,
        [
            lambda: services.create_provider("tailspin", "Tailspin", by=clerk),
            lambda: services.found_provider("relecloud", "Relecloud", owner_email="x@y.example", by=clerk),
            lambda: services.create_customer("lamna", "Lamna", provider=northwind, by=clerk),
            lambda: services.create_member("ada@acme.example", role="viewer", customer=acme, by=clerk),
            lambda: identity.end_dispute(service, by=clerk),
        ],
        hold=lambda: User.objects.select_for_update().get(pk=clerk.pk),
        dismiss=lambda: User.objects.filter(pk=clerk.pk).update(is_staff=False),
    )
    assert not Provider.objects.filter(slug__in=["tailspin", "relecloud"]).exists()
    assert not Customer.objects.filter(slug="lamna").exists()
    assert IdentityProvider.objects.get().active
