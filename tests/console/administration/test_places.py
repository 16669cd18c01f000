"""Providers, customers and identity providers at /admin/: through the services, and without a way to lose mail."""

import pytest
from allauth.socialaccount.models import SocialApp
from django.core.management import call_command
from lxml import html

from accounts.models import User
from tenants.models import (
    AuditEvent,
    Customer,
    IdentityProvider,
    Invitation,
    Provider,
)
from tests.cast import provider
from tests.console.administration.forms import last_event, submit
from tests.pages import presses, read
from tests.tenants.kit import text


def test_a_provider_is_added_and_renamed_with_its_audit_lines(admin, cast):
    admin.post("/admin/tenants/provider/add/", {"slug": "tailspin", "name": "Tailspin"})
    tailspin = Provider.objects.get(slug="tailspin")
    assert (last_event().action, last_event().actor_email) == ("provider.created", cast.staff.email)
    admin.post(f"/admin/tenants/provider/{tailspin.pk}/change/", {"name": "Tailspin Toys"})
    assert Provider.objects.get(slug="tailspin").name == "Tailspin Toys"
    assert last_event().action == "provider.renamed"


def test_by_which_clock_a_providers_days_are_counted_is_chosen_and_told(admin):
    northwind = provider("northwind")
    page = admin.get(url := f"/admin/tenants/provider/{northwind.pk}/change/")
    assert "UTC (universal time)" in text(page)
    admin.post(url, {"name": "Northwind IT", "time_zone": "Europe/Berlin", "initial-time_zone": "UTC"})
    assert provider("northwind").time_zone == "Europe/Berlin"
    assert (last_event().action, last_event().data["after"]) == (
        "provider.time-zone-set",
        {"time_zone": "Europe/Berlin"},
    )
    admin.post(url, {"name": "Northwind IT", "time_zone": "Nowhere", "initial-time_zone": "Europe/Berlin"})
    admin.post(url, {"name": "Northwind"})  # an old page says nothing of it
    assert provider("northwind").time_zone == "Europe/Berlin"


def test_a_customer_gets_its_schema_and_host(admin, cast, client_for):
    provider = Provider.objects.get(slug="northwind")
    answer = admin.post(
        "/admin/tenants/customer/add/", {"slug": "umbrella", "name": "Umbrella", "provider": provider.pk}
    )
    assert answer.status_code == 302
    assert last_event().action == "customer.created"
    assert client_for(cast.owner, host="umbrella").get("/mailboxes/").status_code == 200


@pytest.mark.parametrize("slug", ["www", "acme", "A B", "inbound"])
def test_a_short_name_that_can_not_be_is_said_beside_its_field(admin, cast, settings, slug):
    settings.MAIL_DOMAIN = "inbound.portal.localhost"
    provider = Provider.objects.get(slug="northwind")
    before = Customer.objects.count()
    answer = admin.post("/admin/tenants/customer/add/", {"slug": slug, "name": "X", "provider": provider.pk})
    assert answer.status_code == 200
    assert "slug" in answer.context["adminform"].form.errors
    assert Customer.objects.count() == before


@pytest.mark.parametrize(
    ("kind", "said"),
    [("customer", "such as acme.portal.localhost"), ("provider", "What commands call the provider")],
)
def test_what_a_short_name_becomes_and_may_be_is_said_where_it_is_chosen(admin, acme, kind, said):
    adding = text(admin.get(f"/admin/tenants/{kind}/add/"))
    assert said in adding and "2 to 40 lower-case letters and digits" in adding
    kept = text(
        admin.get(f"/admin/tenants/{kind}/{acme.pk if kind == 'customer' else acme.provider_id}/change/")
    )
    assert "lower-case" not in kept


def test_a_customers_limits_are_changed_and_recorded(admin, acme):
    url = f"/admin/tenants/customer/{acme.pk}/change/"
    wrong = submit(admin, url, allowed_networks="nonsense")
    assert "allowed_networks" in wrong.context["adminform"].form.errors
    page = admin.get(url)
    right = {
        "name": "Acme Ltd",
        "allowed_networks": "192.0.2.0/24\r\n2001:db8::/32",
        "mailbox_quota_octets": "5000000000",
    }
    assert presses(page, "Save changes", **right).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.allowed_networks, acme.mailbox_quota_octets, acme.slug) == (
        "Acme Ltd",
        ["192.0.2.0/24", "2001:db8::/32"],
        5_000_000_000,
        "acme",
    )
    assert last_event().data == {
        "name": "Acme Ltd",
        "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"],
        "mailbox_quota_octets": 5_000_000_000,
    }
    again = read(admin.get(url))
    assert again.xpath("string(//textarea)").split() == ["192.0.2.0/24", "2001:db8::/32"]
    assert (
        again.xpath("string(//input[@name='mailbox_quota_octets']/@value)") == "5000000000 bytes"
    )  # exactly
    submit(
        admin, url, allowed_networks="", mailbox_quota_octets=""
    )  # as the page says: from everywhere, no limit
    acme.refresh_from_db()
    assert (acme.allowed_networks, acme.mailbox_quota_octets) == ([], None)


def test_a_customer_or_provider_with_any_name_that_a_command_takes_can_be_changed(admin):
    call_command("create_provider", "booking", "--name=Booking.com")
    call_command("create_customer", "shop", "--provider=booking", "--name=Shop.example 0800 1234567")
    shop = Customer.objects.get(slug="shop")
    page = f"/admin/tenants/customer/{shop.pk}/change/"
    assert "errors" not in text(submit(admin, page, mailbox_quota_octets="5000000000"))
    shop.refresh_from_db()
    assert shop.mailbox_quota_octets == 5_000_000_000
    submit(admin, f"/admin/tenants/provider/{shop.provider_id}/change/", name="Booking.com BV")
    assert Provider.objects.get(slug="booking").name == "Booking.com BV"


def test_a_name_that_an_older_rule_took_stays_while_the_rest_is_changed(admin, acme, cast):
    call_command("create_provider", "tailspin", "--name=Tailspin")
    Provider.objects.filter(slug="tailspin").update(name="\u2067yaP")
    Customer.objects.filter(pk=acme.pk).update(name="\u2067yaP")
    User.objects.filter(pk=cast.viewer.pk).update(name="Bo 0800 1234567")
    tailspin = Provider.objects.get(slug="tailspin")
    for page, change in (
        (f"tenants/customer/{acme.pk}", {"mailbox_quota_octets": "5000000000"}),
        (f"tenants/provider/{tailspin.pk}", {"owner_email": "boss@tailspin.example"}),
        (f"accounts/user/{cast.viewer.pk}", {"language": "de"}),
    ):
        saved = submit(admin, f"/admin/{page}/change/", **change)
        assert "was changed successfully" in text(saved), page
    acme.refresh_from_db()
    cast.viewer.refresh_from_db()
    assert (acme.name, acme.mailbox_quota_octets) == ("\u2067yaP", 5_000_000_000)
    assert (cast.viewer.name, cast.viewer.language) == ("Bo 0800 1234567", "de")
    assert Invitation.objects.filter(provider=tailspin).exists()
    another = submit(admin, f"/admin/accounts/user/{cast.viewer.pk}/change/", name="Bo 0800 7654321")
    assert "The name must not have an address" in text(another)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("\u200b", "Type a name of 1 to"), ("Z" + "\u030d" * 9, "marks"), ("\u2067yaP", "Type a name")],
)
def test_a_name_that_the_verb_refuses_is_said_beside_its_field(admin, acme, name, refusal):
    for page in (
        f"/admin/tenants/customer/{acme.pk}/change/",
        f"/admin/tenants/provider/{acme.provider_id}/change/",
    ):
        answer = submit(admin, page, name=name)
        assert refusal in answer.context["adminform"].form.errors["name"][0]
    acme.refresh_from_db()
    assert acme.name == "Acme"


@pytest.fixture
def identity_provider(cast):
    """Of a provider, for Northwind's domain."""

    def make(slug, *, active):
        app = SocialApp.objects.create(provider="openid_connect", provider_id=slug, name=slug, client_id="x")
        return IdentityProvider.objects.create(
            provider=provider(slug),
            app=app,
            kind="oidc",
            email_domains=["northwind.example"],
            active=active,
        )

    return make


def test_staff_switch_an_identity_provider_off_and_the_trail_tells(admin, cast, identity_provider):
    northwinds = identity_provider("northwind", active=True)
    page = f"/admin/tenants/identityprovider/{northwinds.pk}/change/"
    admin.post(page, {"active": "on"})
    assert not AuditEvent.objects.filter(action__startswith="identity-provider")
    admin.post(page, {})
    northwinds.refresh_from_db()
    assert not northwinds.active
    event = AuditEvent.objects.filter(action="identity-provider.switched-off").get()
    assert (event.actor_email, event.provider_id) == (cast.staff.email, northwinds.provider_id)


def test_staff_can_not_switch_one_on(admin, identity_provider):
    identity_provider("northwind", active=True)
    fabrikams = identity_provider("fabrikam", active=False)
    page = f"/admin/tenants/identityprovider/{fabrikams.pk}/change/"
    assert 'name="active"' not in admin.get(page).content.decode()
    admin.post(page, {"active": "on"})
    fabrikams.refresh_from_db()
    assert not fabrikams.active


@pytest.mark.parametrize("model", ["customer", "provider"])
def test_nobody_deletes_a_customer_or_provider_here(admin, acme, model):
    pk = acme.pk if model == "customer" else acme.provider_id
    assert admin.post(f"/admin/tenants/{model}/{pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("page", ["customer/add/", "membership/add/"])
def test_beside_a_choice_stands_nothing_that_leads_away_from_the_form(admin, page):
    form = html.fromstring(admin.get(f"/admin/tenants/{page}").content)
    assert form.xpath("//select[@name='provider']")
    assert not form.xpath("//*[contains(@class, 'related-widget-wrapper')]")


def test_all_fields_for_a_line_of_text_are_as_wide(admin):
    form = html.fromstring(admin.get("/admin/tenants/provider/add/").content)
    fields = form.xpath("//main//input[@type='text' or @type='email']")
    assert {field.get("class") for field in fields} == {"vTextField"} and len(fields) == 3
