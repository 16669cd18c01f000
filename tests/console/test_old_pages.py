"""A page that was opened earlier takes nothing back that somebody else decided since: only what is changed on it counts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django_tenants.utils import tenant_context

from accounts.models import User
from mailboxes.models import Mailbox
from tenants import identity, services
from tenants.models import AuditEvent, Branding, Customer, IdentityProvider, Membership, Provider
from tenants.services.authority import limit_to, lock
from tests.accounts.openid.kit import CLIENT_SECRET, PAGE
from tests.cast import customer, provider
from tests.locks import until_they_wait
from tests.pages import presses, read, text_of

pytest_plugins = ["tests.accounts.openid.portal"]

SECONDS = 60


@dataclass(frozen=True)
class Page:
    """A page, what is decided since it was opened, what somebody changes on it, and how things are in the end."""

    path: Callable[[Any], str]
    decided: Callable[[Any], Any]
    ends: Callable[[Any], Any]
    right: Any
    changes: dict[str, Any] = field(default_factory=dict)
    host: str | None = None
    who: str = "staff"
    button: str = "Save changes"
    begins: Callable[[Any], Any] = lambda cast: None


def moved_and_switched_off(cast):
    others, _ = Group.objects.get_or_create(name="others")
    User.objects.filter(pk=cast.auditor.pk).update(
        is_active=False, email="moved@northwind.example", language="de"
    )
    cast.auditor.groups.set([others])


def person(cast):
    now = User.objects.get(pk=cast.auditor.pk)
    groups = sorted(now.groups.values_list("name", flat=True))
    return now.name, now.email, now.language, now.is_active, groups


def another_role(of, role):
    def act(cast):
        membership = getattr(cast, of).memberships.get()
        lock(membership.provider or membership.customer)
        Membership.objects.filter(pk=membership.pk).update(role=role)

    return act


def role_of(who):
    return lambda cast: getattr(cast, who).memberships.get().role


def customers_of_the_auditor(cast):
    return sorted(one.slug for one in cast.auditor.memberships.get().customers.all())


def limits_the_auditor(*slugs):
    return lambda cast: limit_to(
        cast.auditor.memberships.get(), list(Customer.objects.filter(slug__in=slugs))
    )


def mailbox():
    with tenant_context(customer("acme")):
        return Mailbox.objects.get()


def suspends(cast):
    with tenant_context(customer("acme")):
        Mailbox.objects.update(status="suspended", suspension_reason="Moving house")


def state_of_the_mailbox(cast):
    now = mailbox()
    return now.name, now.description, now.status, now.suspension_reason


def member(who):
    return lambda cast: getattr(cast, who).memberships.get().pk


PAGES = {
    "person": Page(
        lambda cast: f"/admin/accounts/user/{cast.auditor.pk}/change/",
        moved_and_switched_off,
        person,
        ("Another Name", "moved@northwind.example", "de", False, ["others"]),
        {"name": "Another Name"},
    ),
    "role": Page(
        lambda cast: f"/admin/tenants/membership/{member('admin')(cast)}/change/",
        another_role("admin", "viewer"),
        role_of("admin"),
        "viewer",
    ),
    "provider": Page(
        lambda cast: f"/admin/tenants/provider/{provider('northwind').pk}/change/",
        lambda cast: Provider.objects.filter(slug="northwind").update(name="Northwind Ltd"),
        lambda cast: provider("northwind").name,
        "Northwind Ltd",
    ),
    "customer": Page(
        lambda cast: f"/admin/tenants/customer/{customer('acme').pk}/change/",
        lambda cast: Customer.objects.filter(slug="acme").update(
            allowed_networks=["192.0.2.0/24"], mailbox_quota_octets=5
        ),
        lambda cast: (
            customer("acme").name,
            customer("acme").allowed_networks,
            customer("acme").mailbox_quota_octets,
        ),
        ("Acme Ltd", ["192.0.2.0/24"], 5),
        {"name": "Acme Ltd"},
    ),
    "customer, as its provider has it": Page(
        lambda cast: "/customers/acme/edit/",
        lambda cast: Customer.objects.filter(slug="acme").update(
            waiting_quota_octets=5, tags=["new"], language="de"
        ),
        lambda cast: (
            customer("acme").name,
            customer("acme").waiting_quota_octets,
            customer("acme").tags,
            customer("acme").language,
        ),
        ("Acme Ltd", 5, ["new"], "de"),
        {"name": "Acme Ltd"},
        who="owner",
    ),
    "mailbox": Page(
        lambda cast: f"/mailboxes/{mailbox().pk}/edit/",
        suspends,
        state_of_the_mailbox,
        ("Journal", "Of head office", "suspended", "Moving house"),
        {"description": "Of head office"},
        host="acme",
        who="admin",
    ),
    "member's role": Page(
        lambda cast: f"/people/{member('viewer')(cast)}/",
        another_role("viewer", "admin"),
        role_of("viewer"),
        "admin",
        host="acme",
        who="admin",
    ),
    "branding": Page(
        lambda cast: "/branding/",
        lambda cast: Branding.objects.create(provider=provider("northwind"), key="k", colour="#0d6b5f"),
        lambda cast: Branding.objects.values_list("name", "colour").get(),
        ("Else", "#0d6b5f"),
        {"name": "Else"},
        who="owner",
    ),
    "own settings": Page(
        lambda cast: "/settings/",
        lambda cast: User.objects.filter(pk=cast.viewer.pk).update(language="de", name="Vera"),
        lambda cast: User.objects.values_list("name", "language", "theme").get(pk=cast.viewer.pk),
        ("Vera", "de", "dark"),
        {"theme": "dark"},
        who="viewer",
        button="OK",
    ),
}


@pytest.fixture
def opened(cast, client_for, make_mailbox):
    """The page as it was opened before anything was decided."""

    def act(name):
        page = PAGES[name]
        if name == "mailbox":
            make_mailbox("Journal")
        return client_for(getattr(cast, page.who), host=page.host).get(page.path(cast))

    return act


@pytest.mark.parametrize("name", PAGES)
def test_an_old_page_takes_nothing_back_that_was_decided_since(opened, cast, name):
    page, shown = PAGES[name], opened(name)
    with transaction.atomic():
        page.decided(cast)
    assert presses(shown, page.button, **page.changes).status_code == 302
    assert page.ends(cast) == page.right


@pytest.mark.parametrize("name", ["person", "role", "provider", "customer", "mailbox"])
def test_nor_what_is_being_decided_while_it_waits(committed_db, opened, cast, name):
    page, shown = PAGES[name], opened(name)

    def press():
        try:
            return presses(shown, page.button, **page.changes).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic(), connection.cursor() as cursor:
            page.decided(cast)
            waiting = threads.submit(press)
            until_they_wait(cursor, 1, or_ended=waiting.done)
        assert waiting.result(SECONDS) == 302
    assert page.ends(cast) == page.right


def test_what_both_have_changed_is_as_the_last_of_them_said(cast, client_for, make_mailbox):
    made = make_mailbox("Journal")
    shown = client_for(cast.admin).get(f"/mailboxes/{made.mailbox.pk}/edit/")
    suspends(cast)
    presses(shown, "Save changes", status="suspended", reason="Of this page")
    assert state_of_the_mailbox(cast)[2:] == ("suspended", "Of this page")


def test_a_page_that_is_shown_again_still_knows_what_it_showed_first(cast, client_for, make_mailbox):
    made = make_mailbox("Journal")
    shown = client_for(cast.admin).get(f"/mailboxes/{made.mailbox.pk}/edit/")
    suspends(cast)
    again = presses(shown, "Save changes", name="two\nlines", description="Of head office")
    assert again.status_code == 200
    presses(again, "Save changes", name="Journal")
    assert state_of_the_mailbox(cast) == ("Journal", "Of head office", "suspended", "Moving house")


def test_a_link_that_has_chosen_a_status_counts_as_somebody_who_did(cast, client_for, make_mailbox):
    made = make_mailbox("Journal")
    shown = client_for(cast.admin).get(f"/mailboxes/{made.mailbox.pk}/edit/?status=suspended")
    presses(shown, "Save changes")
    assert state_of_the_mailbox(cast)[2] == "suspended"


def test_of_groups_only_those_are_given_and_taken_that_were_touched(cast, client_for):
    translators, others, more = (
        Group.objects.get_or_create(name=name)[0] for name in ("translators", "others", "more")
    )
    cast.auditor.groups.set([translators, others])
    shown = client_for(cast.staff, host=None).get(f"/admin/accounts/user/{cast.auditor.pk}/change/")
    cast.auditor.groups.set([translators])
    presses(shown, "Save changes", groups=[str(others.pk), str(more.pk)])
    assert list(cast.auditor.groups.all()) == [more]


def test_of_the_customers_of_an_operator_only_those_are_given_and_taken_that_were_touched(
    cast, client_for, northwind
):
    shop = Customer.objects.create(slug="shop", name="Shop", schema_name="shop", provider=northwind)
    limits_the_auditor("acme", "globex")(cast)
    shown = client_for(cast.owner, host=None).get(f"/team/{member('auditor')(cast)}/?provider=northwind")
    limits_the_auditor("globex")(cast)
    another_role("auditor", "operator")(cast)
    acme, globex = customer("acme"), customer("globex")
    ticked = [str(one.pk) for one in (acme, globex, shop)]
    assert presses(shown, "Save changes", customers=ticked).status_code == 302
    assert customers_of_the_auditor(cast) == ["globex", "shop"]
    assert role_of("auditor")(cast) == "operator"


def test_an_old_page_of_an_identity_provider_brings_no_domain_and_no_service_back(
    northwinds, cast, client_for
):
    client = client_for(cast.owner, host=None)
    shown = client.get(PAGE)
    now = identity.configuration_of(northwinds, by=cast.owner)
    since = identity.Configuration(**vars(now) | {"email_domains": ("northwind.example",)})
    identity.change(northwinds, since, client_secret="", by=cast.owner)
    assert presses(shown, "Save the settings", client_secret="another").status_code == 302
    assert IdentityProvider.objects.get().email_domains == ["northwind.example"]
    asked = identity.consents_lost(
        northwinds, other := identity.Configuration(**vars(since) | {"client_id": "new"}), by=cast.owner
    )
    identity.change(northwinds, other, client_secret=CLIENT_SECRET, loss_accepted=asked.loss, by=cast.owner)
    assert presses(shown, "Save the settings", client_secret="another").status_code == 302
    assert IdentityProvider.objects.get().app.client_id == "new"


def test_a_page_for_a_first_identity_provider_does_not_replace_one_that_was_set_up_since(
    typed, cast, client_for
):
    client = client_for(cast.owner, host=None)
    shown = client.get(PAGE)
    client.post(PAGE, typed)
    before = AuditEvent.objects.count()
    answer = presses(shown, "Save the settings", **typed | {"client_id": "another"})
    assert "has been set up meanwhile" in text_of(read(answer))
    assert AuditEvent.objects.count() == before


def test_who_sends_a_form_without_what_its_page_showed_means_all_of_it(cast, client_for, make_mailbox):
    made = make_mailbox("Journal")
    suspends(cast)
    whole = {"name": "Journal", "description": "", "status": "active", "reason": ""}
    client_for(cast.admin).post(f"/mailboxes/{made.mailbox.pk}/edit/", whole)
    assert state_of_the_mailbox(cast)[2] == "active"


def test_verbs_change_what_is_named_and_nothing_else(cast, northwind, acme):
    services.change_member(northwind, cast.auditor.memberships.get().pk, customers=[acme], by=cast.owner)
    services.change_member(northwind, cast.auditor.memberships.get().pk, role="operator", by=cast.owner)
    assert customers_of_the_auditor(cast) == ["acme"]
    services.edit_customer(acme, mailbox_quota_octets=5, by=cast.staff)
    services.edit_customer(acme, name="Acme Ltd", by=cast.staff)
    now = customer("acme")
    assert (now.name, now.mailbox_quota_octets) == ("Acme Ltd", 5)
    for verb in (
        lambda: services.edit_customer(acme, slug="x", by=cast.staff),
        lambda: services.change_person(cast.viewer, password="x", by=cast.staff),
    ):
        with pytest.raises(TypeError):
            verb()
