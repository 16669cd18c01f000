"""People and their roles at /admin/: through the services, and nobody is left without an owner."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from lxml import html

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import services
from tenants.errors import OwnAccess
from tenants.models import (
    AuditEvent,
    Invitation,
    Membership,
)
from tests.cast import PASSWORD, provider
from tests.console.administration.forms import last_event, submit
from tests.pages import follows, presses, read, text_of
from tests.tenants.kit import at_once, text


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


def test_a_role_for_what_is_nothing_is_asked_for_once_more(admin, cast):
    """By a link that somebody made by hand, or an old one; the form then has nothing chosen."""
    path, nothing = "/admin/tenants/membership/add/", {"user": "abc", "provider": "-5", "customer": "abc"}
    assert admin.get(path, nothing).status_code == 200
    answer = admin.post(path, {**nothing, "role": "viewer"})
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) >= {"user", "provider", "customer"}
    assert admin.get(path, {"user": cast.viewer.pk}).context["adminform"].form.initial["user"]
    assert (
        f'<option value="{cast.viewer.pk}" selected'
        in admin.get(path, {"user": cast.viewer.pk}).content.decode()
    )


def test_who_may_not_look_for_people_or_places_reads_no_names_of_a_link_either(cast, client_for, acme):
    giving = Permission.objects.get(codename="add_membership")
    looking = Permission.objects.filter(codename__in=["view_user", "view_customer"])
    User.objects.filter(pk=cast.stranger.pk).update(is_staff=True)
    cast.stranger.user_permissions.add(giving)
    path, chosen = "/admin/tenants/membership/add/", {"user": cast.owner.pk, "customer": str(acme.pk)}
    few = client_for(User.objects.get(pk=cast.stranger.pk), host=None)
    for answer in (few.get(path, chosen), few.post(path, {**chosen, "provider": "", "role": "owner"})):
        assert answer.status_code == 200
        assert cast.owner.email not in text(answer) and "Acme" not in text(answer)
    cast.stranger.user_permissions.add(*looking)
    told = text(few.get(path, chosen))
    assert cast.owner.email in told and "Acme" in told


def test_a_form_for_a_role_says_which_place_is_for_whom_and_has_no_choice_of_dashes(admin, cast):
    page = admin.get("/admin/tenants/membership/add/")
    for said in ("who has an account", "leave the customer empty", "leave the provider empty"):
        assert said in text(page)
    first = read(page).xpath("//select[@name='role']/option")[0]
    assert (first.get("value"), text_of(first)) == ("", "Please choose")
    first = read(admin.get("/admin/tenants/customer/add/")).xpath("//select[@name='provider']/option")[0]
    assert (first.get("value"), text_of(first)) == ("", "Please choose")


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


@pytest.fixture
def saved(admin):
    """Staff saves a person's page, with the box *Active* ticked or not."""

    def act(user, *, active):
        return submit(admin, f"/admin/accounts/user/{user.pk}/change/", is_active="on" if active else None)

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


def test_groups_are_boxes_to_tick_in_the_readers_language(admin, cast):
    cast.staff.language = "ar"
    cast.staff.save()
    page = admin.get(f"/admin/accounts/user/{cast.viewer.pk}/change/")
    assert html.fromstring(page.content).xpath("//input[@type='checkbox'][@name='groups']")
    assert "المترجمون" in text_of(read(page)), "and so is the one group that is there from the start"
    assert "SelectFilter2" not in page.content.decode(), "its words are English in some languages"
