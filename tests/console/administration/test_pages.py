"""The administration: through the services, and without a way to lose mail or see a key."""

import re
import uuid

import pytest
from allauth.socialaccount.models import SocialApp
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from lxml import html

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import directory, services
from tenants.errors import OwnAccess
from tenants.models import (
    AuditEvent,
    Customer,
    DirectoryEntry,
    IdentityProvider,
    Invitation,
    Membership,
    Provider,
)
from tests.cast import PASSWORD, provider
from tests.console.administration.forms import submit
from tests.pages import follows, presses, read, text_of
from tests.tenants.kit import at_once, text

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
    assert "In bytes, now 4.7\xa0GB." in again.text_content()
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


def test_a_role_is_given_changed_and_taken(admin, cast, acme):
    place = {"user": cast.stranger.pk, "customer": acme.pk, "provider": ""}
    assert admin.post("/admin/tenants/membership/add/", place | {"role": "viewer"}).status_code == 302
    membership = Membership.objects.get(user=cast.stranger)
    assert last_event().action == "membership.added"
    url = f"/admin/tenants/membership/{membership.pk}/"
    assert admin.post(f"{url}change/", {"role": "admin"}).status_code == 302
    assert last_event().data == {"role": "admin", "before": "viewer", "as_staff": True}
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


def test_the_last_owner_stays_and_nothing_else_is_said(admin, cast):
    membership = cast.owner.memberships.get()
    for answer in (
        admin.post(f"/admin/tenants/membership/{membership.pk}/delete/", {"post": "yes"}, follow=True),
        admin.post(
            "/admin/tenants/membership/",
            {"action": "delete_selected", "_selected_action": [membership.pk], "post": "yes"},
            follow=True,
        ),
        admin.post(f"/admin/tenants/membership/{membership.pk}/change/", {"role": "operator"}),
    ):
        assert "This is the last owner." in text(answer)
        assert "successfully" not in text(answer).lower()
    membership.refresh_from_db()
    assert membership.role == "owner"
    assert not LogEntry.objects.exists()


def test_the_last_owner_is_not_offered_to_be_removed_and_the_role_says_why(admin, cast):
    pages = {
        who: admin.get(f"/admin/tenants/membership/{getattr(cast, who).memberships.get().pk}/change/")
        for who in ("owner", "admin")
    }
    offered = {who: "Remove…" in text(page) for who, page in pages.items()}
    assert offered == {"owner": False, "admin": True}
    told = {who: "This is the last owner." in text(page) for who, page in pages.items()}
    assert told == {"owner": True, "admin": False}


@pytest.mark.parametrize("box", ["is_active", "is_staff", "is_superuser"])
def test_nobody_takes_away_their_own_access_by_a_slip(admin, cast, box):
    page = f"/admin/accounts/user/{cast.staff.pk}/change/"

    answer = presses(admin.get(page), "Save changes", **{box: False})

    assert answer.status_code == 200 and "You can't take away your own access." in text_of(read(answer))
    assert getattr(User.objects.get(pk=cast.staff.pk), box)
    assert admin.get("/admin/").status_code == 200
    with pytest.raises(OwnAccess):
        services.change_person(**_as_it_is(cast.staff) | {box: False})


def _as_it_is(person):
    kept = ("email", "name", "language", "time_zone", "theme", "is_active", "is_staff", "is_superuser")
    return {name: getattr(person, name) for name in kept} | {"user": person, "groups": [], "by": person}


def test_who_may_only_look_at_roles_sees_the_last_owners_too(cast, client_for):
    cast.viewer.is_staff = True
    cast.viewer.save()
    cast.viewer.user_permissions.add(Permission.objects.get(codename="view_membership"))
    last = cast.owner.memberships.get()

    page = client_for(cast.viewer, None).get(f"/admin/tenants/membership/{last.pk}/change/")

    assert page.status_code == 200
    assert "Save changes" not in text(page)


def test_a_role_is_taken_in_the_words_of_the_people_of_its_place(admin, cast):
    membership = cast.viewer.memberships.get()
    page = admin.get(f"/admin/tenants/membership/{membership.pk}/change/")
    assert shown(page, "h1") == str(membership)
    assert presses(page, "Save changes").status_code == 302
    asked = follows(page, "Remove…")
    assert shown(asked, "h1") == f"Remove {cast.viewer.get_display_name()} from Acme"
    assert f"{cast.viewer.email} loses access at once" in text(asked)
    assert follows(asked, "Cancel").status_code == 200
    assert presses(asked, "Remove").status_code == 302
    assert not Membership.objects.filter(pk=membership.pk).exists()


def test_several_roles_are_taken_in_these_words_too(admin, cast):
    membership = cast.viewer.memberships.get()
    listed = admin.get("/admin/tenants/membership/")
    assert "Remove those chosen" in text(listed)
    asked = admin.post(
        "/admin/tenants/membership/", {"action": "delete_selected", "_selected_action": [membership.pk]}
    )
    assert shown(asked, "h1") == "Take these roles away"
    assert str(membership) in text(asked)
    presses(asked, "Remove")
    assert not Membership.objects.filter(pk=membership.pk).exists()


@pytest.mark.parametrize(
    ("path", "crumbs"),
    [
        ("/admin/accounts/", ["People"]),
        ("/admin/accounts/user/", ["People"]),
        ("/admin/tenants/provider/add/", ["Providers and customers", "Providers", "Add provider"]),
        ("/admin/tenants/customer/{pk}/change/", ["Providers and customers", "Customers", "Acme"]),
        (
            "/admin/tenants/customer/{pk}/history/",
            ["Providers and customers", "Customers", "Acme", "History"],
        ),
    ],
)
def test_the_way_to_a_page_is_shown_as_on_all_others(admin, acme, path, crumbs):
    page = admin.get(path.format(pk=acme.pk))
    (way,) = html.fromstring(page.content).xpath("//nav[@aria-label='You are here']")
    steps = way.xpath(".//a | .//*[@aria-current='page']")
    assert [step.text_content().strip() for step in steps] == ["Gatehouse administration", *crumbs]
    assert [admin.get(step.get("href")).status_code for step in steps[:-1]] == [200] * len(crumbs)


def shown(answer, element):
    return " ".join(html.fromstring(answer.content).xpath(f"string(//{element})").split())


def test_all_owners_at_once_are_not_removed_either(admin, cast):
    northwind = provider("northwind")
    services.add_membership(cast.stranger, role="owner", provider=northwind, by=SYSTEM)
    owners = Membership.objects.filter(provider=northwind, role="owner")
    answer = admin.post(
        "/admin/tenants/membership/",
        {
            "action": "delete_selected",
            "_selected_action": list(owners.values_list("pk", flat=True)),
            "post": "yes",
        },
        follow=True,
    )
    assert "This is the last owner." in text(answer)
    assert owners.count() == 2


def test_of_two_changes_at_once_that_leave_no_owner_one_is_noted(committed_db, cast, client_for):
    northwind = provider("northwind")
    services.add_membership(cast.stranger, role="owner", provider=northwind, by=SYSTEM)
    owners = Membership.objects.filter(provider=northwind, role="owner")

    def step_down(membership):
        return lambda: client_for(cast.staff, host=None).post(
            f"/admin/tenants/membership/{membership.pk}/change/", {"role": "operator"}
        )

    at_once(*map(step_down, owners.all()))
    assert owners.count() == 1
    assert LogEntry.objects.count() == 1


def test_a_role_that_does_not_exist_there_is_said_beside_its_field(admin, cast, acme):
    membership = cast.admin.memberships.get()
    answer = admin.post(f"/admin/tenants/membership/{membership.pk}/change/", {"role": "owner"})
    assert answer.context["adminform"].form.errors["role"] == [
        "“Owner” is no role here. Choose one of: Administrator, Viewer."
    ]
    nowhere = {"user": cast.stranger.pk, "provider": "", "customer": "", "role": "admin"}
    assert admin.post("/admin/tenants/membership/add/", nowhere).status_code == 200
    assert not Membership.objects.filter(user=cast.stranger)


# --- People ---
@pytest.fixture
def saved(admin):
    """Staff saves a person's page, with the box *Active* ticked or not."""

    def act(user, *, active):
        fields = {"email": user.email, "name": user.name, "theme": user.theme}
        boxes = {name: "on" for name in ("is_staff", "is_superuser") if getattr(user, name)}
        return admin.post(
            f"/admin/accounts/user/{user.pk}/change/",
            fields | boxes | ({"is_active": "on"} if active else {}),
            follow=True,
        )

    return act


def test_people_are_not_deleted_but_switched_off(admin, cast):
    assert admin.post(f"/admin/accounts/user/{cast.owner.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [cast.viewer.pk], "post": "yes"}
    admin.post("/admin/accounts/user/", chosen)
    for user in (cast.owner, cast.viewer):
        user.refresh_from_db()


def test_the_last_owner_is_not_switched_off(saved, cast):
    assert "This is the last owner." in text(saved(cast.owner, active=False))
    cast.owner.refresh_from_db()
    assert cast.owner.is_active
    services.add_membership(cast.stranger, role="owner", provider=provider("northwind"), by=SYSTEM)
    saved(cast.owner, active=False)
    cast.owner.refresh_from_db()
    assert not cast.owner.is_active


def test_of_two_owners_who_are_switched_off_at_once_one_stays(committed_db, cast):
    northwind = provider("northwind")
    services.add_membership(cast.stranger, role="owner", provider=northwind, by=SYSTEM)
    acts = [
        lambda user=user: services.switch_off(user, by=cast.staff) for user in (cast.owner, cast.stranger)
    ]
    assert at_once(*acts) == ["done", "last-owner"]
    owners = Membership.objects.filter(provider=northwind, role="owner", user__is_active=True)
    assert owners.count() == 1


def test_who_is_switched_off_is_out_at_once_and_stays_out(saved, cast, client_for):
    browser = client_for()
    browser.post("/accounts/login/", {"login": cast.admin.email, "password": PASSWORD})
    assert browser.get("/mailboxes/").status_code == 200
    saved(cast.admin, active=False)
    assert browser.get("/mailboxes/").status_code == 302
    saved(cast.admin, active=True)
    assert browser.get("/mailboxes/").status_code == 302
    browser.post("/accounts/login/", {"login": cast.admin.email, "password": PASSWORD})
    assert browser.get("/mailboxes/").status_code == 200


def test_the_invitations_of_who_is_switched_off_are_withdrawn(saved, cast, acme):
    services.invite(acme, "alter-ego@acme.example", role="admin", by=cast.admin)
    saved(cast.admin, active=False)
    assert Invitation.objects.get().withdrawn_at is not None


def test_each_place_reads_who_was_switched_off_and_on(saved, cast, acme, globex):
    services.add_membership(cast.viewer, role="viewer", customer=globex, by=SYSTEM)
    saved(cast.viewer, active=False)
    saved(cast.viewer, active=False)
    saved(cast.viewer, active=True)
    saved(cast.stranger, active=False)
    events = AuditEvent.objects.filter(action__startswith="person.switched").order_by("pk")
    assert {(event.action, event.customer_id, event.target_name) for event in events} == {
        ("person.switched-off", acme.pk, cast.viewer.email),
        ("person.switched-off", globex.pk, cast.viewer.email),
        ("person.switched-on", acme.pk, cast.viewer.email),
        ("person.switched-on", globex.pk, cast.viewer.email),
        ("person.switched-off", None, cast.stranger.email),
    }
    assert {event.actor_email for event in events} == {cast.staff.email}
    assert len(events) == 5


def test_its_bar_leads_to_the_settings_that_everybody_has_and_signs_out_as_everywhere(admin):
    page = admin.get("/admin/")
    assert "Appearance" in text(follows(page, "Settings"))
    assert presses(page, "Sign out")["Location"] == "/accounts/login/"
    assert admin.get("/admin/").status_code == 302


def test_the_administration_changes_nobodys_password_past_the_rules(admin, cast):
    assert admin.get("/admin/password_change/")["Location"] == "/settings/password/"
    new = {
        "usable_password": "true",
        "password1": "of somebody's choice",
        "password2": "of somebody's choice",
    }
    own = {"old_password": PASSWORD, "new_password1": "of my own choice", "new_password2": "of my own choice"}
    admin.post("/admin/password_change/", own)
    for user in (cast.staff, cast.owner):
        admin.post(f"/admin/accounts/user/{user.pk}/password/", new)
        page = admin.get(f"/admin/accounts/user/{user.pk}/change/")
        assert page.status_code == 200
        assert "/password/" not in page.content.decode().replace("/settings/password/", "")
        user.refresh_from_db()
        assert user.check_password(PASSWORD)


# --- Identity providers ---
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


# --- To look at ---
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
    page = admin.get(f"/admin/tenants/{model}/")
    found = presses(page, "Search", q="acme")
    assert found.status_code == 200 and found.context["cl"].query == "acme"
    assert found.context["cl"].result_count < page.context["cl"].result_count
    assert follows(found, "Show all").context["cl"].query == ""


def test_the_search_of_a_list_is_labelled_in_the_readers_language(admin, cast):
    cast.staff.language = "ar"
    cast.staff.save()
    page = html.fromstring(admin.get("/admin/tenants/customer/").content)
    assert page.xpath("string(//form[@role='search']//label)") == "بحث"
    assert not page.xpath("//form[@role='search']//img")


def test_the_trail_is_told_in_words_beside_what_was_recorded(admin, cast, acme):
    services.edit_customer(acme, name="Acme Ltd", allowed_networks=[], mailbox_quota_octets=2**30, by=SYSTEM)
    event = last_event()
    listed = text_of(read(admin.get("/admin/tenants/auditevent/")))
    assert "The settings of the customer “Acme Ltd” were changed." in listed
    assert "customer.changed" in listed
    page = read(admin.get(f"/admin/tenants/auditevent/{event.pk}/change/"))
    assert text_of(page.xpath("//h1")[0]) == "The settings of the customer “Acme Ltd” were changed."
    told = [text_of(line) for line in page.xpath("//dd//li")]
    assert {"Name: Acme Ltd", "Limit for each mailbox: 1.0 GB"} <= set(told)
    assert facts_of(page)["Action"] == "customer.changed"


def facts_of(page):
    return {text_of(label): text_of(label.getnext()) for label in page.xpath("//dt")}


def test_a_page_of_the_trail_says_in_words_whom_and_what_it_speaks_of_and_when(admin, cast, acme):
    cast.staff.language, cast.staff.time_zone = "de", "Europe/Berlin"
    cast.staff.save()
    services.edit_customer(
        acme, name="Acme Ltd", allowed_networks=[], mailbox_quota_octets=None, by=cast.staff
    )
    facts = facts_of(read(admin.get(f"/admin/tenants/auditevent/{last_event().pk}/change/")))
    assert (facts["Gehörte zu"], facts["Art des Objekts"]) == ("Plattformpersonal", "Kunde")
    assert re.search(r"\d\d:\d\d (CET|MEZ|CEST|MESZ)$", facts["Zeit"])


def test_every_time_on_a_page_says_its_zone(admin, cast, acme):
    for page in (
        f"accounts/user/{cast.viewer.pk}",
        f"tenants/customer/{acme.pk}",
        f"tenants/provider/{acme.provider_id}",
    ):
        told = text_of(read(admin.get(f"/admin/{page}/change/")).xpath("//main")[0])
        assert re.search(r"\d\d:\d\d UTC", told)
        assert not re.search(r"\d\d:\d\d(?! UTC)", told)


def test_lists_count_and_say_yes_or_no_in_words(admin, cast):
    page = admin.get("/admin/accounts/user/")
    assert f"Entries: {User.objects.count()}" in text(page)
    (row,) = html.fromstring(page.content).xpath(f"//tr[contains(., '{cast.owner.email}')]")
    said = [text_of(row.xpath(f"./td[@data-label='{label}']")[0]) for label in ("Platform staff", "Active")]
    assert said == ["no", "yes"]
    assert not row.xpath(".//img")


@pytest.mark.parametrize("page", ["customer/add/", "membership/add/"])
def test_beside_a_choice_stands_nothing_that_leads_away_from_the_form(admin, page):
    form = html.fromstring(admin.get(f"/admin/tenants/{page}").content)
    assert form.xpath("//select[@name='provider']")
    assert not form.xpath("//*[contains(@class, 'related-widget-wrapper')]")


def test_all_fields_for_a_line_of_text_are_as_wide(admin):
    form = html.fromstring(admin.get("/admin/tenants/provider/add/").content)
    fields = form.xpath("//main//input[@type='text' or @type='email']")
    assert {field.get("class") for field in fields} == {"vTextField"} and len(fields) == 3


def test_groups_are_boxes_to_tick_in_the_readers_language(admin, cast):
    cast.staff.language = "ar"
    cast.staff.save()
    page = admin.get(f"/admin/accounts/user/{cast.viewer.pk}/change/")
    assert html.fromstring(page.content).xpath("//input[@type='checkbox'][@name='groups']")
    assert "SelectFilter2" not in page.content.decode(), "its words are English in some languages"


def test_an_audit_event_can_be_read_but_not_changed(admin, acme):
    event = last_event()
    assert admin.get(f"/admin/tenants/auditevent/{event.pk}/change/").status_code == 200
    assert admin.post(f"/admin/tenants/auditevent/{event.pk}/change/", {"action": "x"}).status_code == 403
    assert admin.post(f"/admin/tenants/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403


def test_others_have_no_administration(cast, client_for):
    assert client_for(cast.owner, host=None).get("/admin/tenants/customer/").status_code != 200
