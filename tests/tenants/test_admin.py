"""The administration: through the services, and without a way to lose mail or see a key."""

import uuid

import pytest

from tenants import directory
from tenants.models import AuditEvent, Customer, DirectoryEntry, Membership, Provider

KEY = b"\xde\xad\xbe\xef" * 8


@pytest.fixture
def admin(cast, client_for):
    return client_for(cast.staff, host=None)


def last_event():
    return AuditEvent.objects.order_by("pk").last()


def test_a_provider_is_added_and_renamed_with_its_audit_lines(admin, cast):
    admin.post("/admin/tenants/provider/add/", {"slug": "tailspin", "name": "Tailspin"})
    tailspin = Provider.objects.get(slug="tailspin")
    assert (last_event().action, last_event().actor_email) == ("provider.created", cast.staff.email)
    admin.post(f"/admin/tenants/provider/{tailspin.pk}/change/", {"name": "Tailspin Toys"})
    assert Provider.objects.get(slug="tailspin").name == "Tailspin Toys"
    assert last_event().action == "provider.renamed"


def test_a_customer_gets_its_schema_and_host(admin, cast, client_for):
    provider = Provider.objects.get(slug="northwind")
    answer = admin.post(
        "/admin/tenants/customer/add/", {"slug": "umbrella", "name": "Umbrella", "provider": provider.pk}
    )
    assert answer.status_code == 302
    assert last_event().action == "customer.created"
    assert client_for(cast.owner, host="umbrella").get("/mailboxes/").status_code == 200


@pytest.mark.parametrize("slug", ["www", "acme", "A B"])
def test_a_short_name_that_can_not_be_is_said_beside_its_field(admin, cast, slug):
    provider = Provider.objects.get(slug="northwind")
    before = Customer.objects.count()
    answer = admin.post("/admin/tenants/customer/add/", {"slug": slug, "name": "X", "provider": provider.pk})
    assert answer.status_code == 200
    assert "slug" in answer.context["adminform"].form.errors
    assert Customer.objects.count() == before


def test_a_customers_limits_are_changed_and_recorded(admin, acme):
    url = f"/admin/tenants/customer/{acme.pk}/change/"
    wrong = admin.post(url, {"name": "Acme", "allowed_networks": '["nonsense"]'})
    assert "allowed_networks" in wrong.context["adminform"].form.errors
    right = {"name": "Acme Ltd", "allowed_networks": '["192.0.2.0/24"]', "mailbox_quota_octets": "5000000000"}
    assert admin.post(url, right | inline_of_nothing()).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.allowed_networks, acme.mailbox_quota_octets, acme.slug) == (
        "Acme Ltd",
        ["192.0.2.0/24"],
        5_000_000_000,
        "acme",
    )
    assert last_event().data == {
        "name": "Acme Ltd",
        "allowed_networks": ["192.0.2.0/24"],
        "mailbox_quota_octets": 5_000_000_000,
    }


def inline_of_nothing():
    return {"domains-TOTAL_FORMS": "0", "domains-INITIAL_FORMS": "0"}


def test_a_role_is_given_changed_and_taken(admin, cast, acme):
    place = {"user": cast.stranger.pk, "customer": acme.pk, "provider": ""}
    assert admin.post("/admin/tenants/membership/add/", place | {"role": "viewer"}).status_code == 302
    membership = Membership.objects.get(user=cast.stranger)
    assert last_event().action == "membership.added"
    url = f"/admin/tenants/membership/{membership.pk}/"
    assert admin.post(f"{url}change/", {"role": "admin"}).status_code == 302
    assert last_event().data == {"role": "admin", "before": "viewer"}
    assert admin.post(f"{url}delete/", {"post": "yes"}).status_code == 302
    assert last_event().action == "membership.removed"
    assert not Membership.objects.filter(user=cast.stranger)


def test_removing_several_roles_records_each(admin, cast):
    chosen = list(Membership.objects.filter(user__in=[cast.admin, cast.viewer]).values_list("pk", flat=True))
    admin.post(
        "/admin/tenants/membership/",
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )
    assert AuditEvent.objects.filter(action="membership.removed").count() == 2


def test_a_role_that_does_not_exist_there_is_said_beside_its_field(admin, cast, acme):
    membership = cast.admin.memberships.get()
    answer = admin.post(f"/admin/tenants/membership/{membership.pk}/change/", {"role": "owner"})
    assert "role" in answer.context["adminform"].form.errors
    nowhere = {"user": cast.stranger.pk, "provider": "", "customer": "", "role": "admin"}
    assert admin.post("/admin/tenants/membership/add/", nowhere).status_code == 200
    assert not Membership.objects.filter(user=cast.stranger)


def test_the_directory_shows_no_key_and_takes_no_change(admin, acme):
    directory.publish(
        address="mbx-1@gateway.localhost",
        customer=acme,
        mailbox_id=uuid.uuid4(),
        status="active",
        public_key=KEY,
        generation=1,
    )
    entry = DirectoryEntry.objects.get()
    page = admin.get(f"/admin/tenants/directoryentry/{entry.pk}/change/")
    assert page.status_code == 200
    assert "mbx-1@gateway.localhost" in page.content.decode()
    assert "xde" not in page.content.decode()
    assert "public_key" not in page.content.decode()


@pytest.mark.parametrize("model", ["directoryentry", "auditevent", "domain", "spareschema"])
def test_what_the_services_write_is_to_look_at_only(admin, acme, model):
    assert admin.get(f"/admin/tenants/{model}/").status_code == 200
    assert admin.get(f"/admin/tenants/{model}/add/").status_code == 403


@pytest.mark.parametrize("model", ["customer", "provider"])
def test_nobody_deletes_a_customer_or_provider_here(admin, acme, model):
    pk = acme.pk if model == "customer" else acme.provider_id
    assert admin.post(f"/admin/tenants/{model}/{pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("model", ["customer", "provider", "membership", "auditevent"])
def test_the_lists_can_be_searched(admin, cast, model):
    assert admin.get(f"/admin/tenants/{model}/", {"q": "acme"}).status_code == 200


def test_an_audit_event_can_be_read_but_not_changed(admin, acme):
    event = last_event()
    assert admin.get(f"/admin/tenants/auditevent/{event.pk}/change/").status_code == 200
    assert admin.post(f"/admin/tenants/auditevent/{event.pk}/change/", {"action": "x"}).status_code == 403
    assert admin.post(f"/admin/tenants/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403


def test_others_have_no_administration(cast, client_for):
    assert client_for(cast.owner, host=None).get("/admin/tenants/customer/").status_code != 200
