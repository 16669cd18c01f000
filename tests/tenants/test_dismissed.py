"""Who is dismissed while their act waits in line, platform staff or people of a place: it is not done."""

from threading import Thread

import pytest
from allauth.socialaccount.models import SocialApp
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.models import User
from mailboxes import services as mailboxes
from mailboxes.models import Job, Mailbox, MailboxKey
from mailboxes.services import jobs
from tenants import identity, services
from tenants.access import STAFF_PERMISSIONS
from tenants.identity.configuring import DOMAINS_LOCK
from tenants.models import AuditEvent, Customer, IdentityProvider, Membership, Provider
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


SERVICE = identity.Configuration(
    "oidc", "https://id.northwind.example", "", "gatehouse", ("northwind.example",)
)
OTHER_SERVICE = identity.Configuration("oidc", "https://id.else.example", "", "else", ("northwind.example",))


@pytest.fixture
def service(cast, acme, northwind):
    """The provider's owner is here the customer's administrator too, who may consent."""
    services.add_membership(cast.owner, role="admin", customer=acme, by=SYSTEM)
    identity.set_up(northwind, SERVICE, client_secret="x", by=SYSTEM)
    Customer.objects.filter(pk=acme.pk).set_consent(given=True)
    return IdentityProvider.objects.select_related("provider", "app").get()


def lose_all_roles(person):
    taking = Thread(target=lambda: at_once(lambda: Membership.objects.filter(user=person.pk).delete()))
    taking.start()
    taking.join(60)
    assert not taking.is_alive()


def test_who_lost_the_role_while_others_had_the_mailbox_does_nothing_to_it(cast, acme, make_mailbox):
    owner = cast.owner
    box, old, gone = (make_mailbox(name).mailbox for name in ("Box", "Old", "Gone"))
    for suspended in (old, gone):
        mailboxes.suspend_mailbox(acme, suspended, by=SYSTEM)
    deletion = mailboxes.start_deletion(acme, gone, by=SYSTEM)

    def hold():
        with tenant_context(acme):
            list(Mailbox.objects.select_for_update())
            list(Job.objects.select_for_update())

    def rows():
        with tenant_context(acme):
            return [list(kind.objects.order_by("pk").values()) for kind in (Mailbox, MailboxKey, Job)]

    with tenant_context(acme):
        jobs.close(deletion, Job.State.FAILED, "store-failed")
    before = rows()
    come_to_nothing(
        owner,
        [
            lambda: mailboxes.start_deletion(acme, old, by=owner),
            lambda: mailboxes.reset_password(acme, box, by=owner, locked_mail="keep"),
            lambda: mailboxes.suspend_mailbox(acme, box, by=owner),
            lambda: mailboxes.activate_mailbox(acme, old, by=owner),
            lambda: mailboxes.edit_mailbox(acme, box, by=owner, name="Else"),
            lambda: mailboxes.delete_locked_mail(acme, box, by=owner),
            lambda: mailboxes.unlock(acme, box, "x", by=owner),
            lambda: mailboxes.retry(acme, deletion, by=owner),
        ],
        hold=hold,
        dismiss=lambda: lose_all_roles(owner),
    )
    assert rows() == before


def test_who_was_switched_off_while_others_claimed_domains_changes_no_sign_in(cast, acme, service):
    owner, northwind = cast.owner, service.provider

    def hold():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DOMAINS_LOCK])
        lock_all([northwind])
        IdentityProvider.objects.select_for_update(of=("self",)).get()

    come_to_nothing(
        owner,
        [
            lambda: identity.set_up(northwind, SERVICE, client_secret="x", by=owner),
            lambda: identity.change(service, SERVICE, client_secret="y", by=owner),
            lambda: identity.switch(service, active=True, by=owner),
            lambda: identity.switch(service, active=False, by=owner),
            lambda: services.set_security_policy(northwind, require_second_factor=False, by=owner),
            lambda: services.consent_to_identity_provider(
                acme, given=True, service=service.service, by=owner
            ),
        ],
        hold=hold,
        dismiss=lambda: User.objects.filter(pk=owner.pk).update(is_active=False),
    )


def test_who_lost_the_role_while_others_had_the_customer_decides_nothing_for_it(cast, acme, service):
    owner = cast.owner
    loss = identity.consents_lost(service, OTHER_SERVICE, by=owner).loss
    come_to_nothing(
        owner,
        [
            lambda: identity.change(service, OTHER_SERVICE, client_secret="y", loss_accepted=loss, by=owner),
            lambda: services.consent_to_identity_provider(acme, given=False, by=owner),
        ],
        hold=lambda: lock_all([acme]),
        dismiss=lambda: lose_all_roles(owner),
    )
    assert Customer.objects.get(pk=acme.pk).identity_provider_consent
