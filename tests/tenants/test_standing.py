"""Platform staff, and whoever stands at the server, become nobody else in silence: the trail tells, and the person hears."""

import html
import io
import re
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.errors import InvalidPersonName, UnknownLanguage, UnknownTheme, UnknownTimeZone
from accounts.mails import outbox
from accounts.models import PendingMail, User
from accounts.services import create_person, reset_link
from accounts.tasks import send_mails
from tenants import services
from tenants.errors import LastOwner, NotAllowed
from tenants.mails import notices
from tenants.models import AuditEvent, Invitation, Membership, Provider
from tests.accounts.factors import is_signed_in, sign_in
from tests.cast import PASSWORD
from tests.console.administration.forms import fields_of, submit
from tests.tenants.kit import at_once, page, path_of, text

PHRASE = "seven long words nobody has heard"
ELSEWHERE = "somebody@elsewhere.example"


@pytest.fixture
def admin(cast, client_for):
    return client_for(cast.staff, host=None)


def page_of(user):
    return f"/admin/accounts/user/{user.pk}/change/"


def events(action):
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def opens(client_for, link):
    """Whether the link leads to a form for a new password."""
    page = client_for(None, host=None).get(urlsplit(link).path, follow=True)
    return 'name="password1"' in page.content.decode()


def accepts(visitor, mail):
    visitor.get(path_of(mail), follow=True)
    visitor.post("/invitations/", {"name": "Ada", "password": PHRASE})


# --- Another address ---
def test_an_address_that_staff_change_is_written_down_and_told_to_the_old_one_and_the_new(
    cast, acme, admin, post
):
    before = cast.admin.email
    with post.of() as mails:
        submit(admin, page_of(cast.admin), email="Somebody@Elsewhere.example")
    (event,) = events("person.address-changed")
    assert (event.actor_email, event.customer_id, event.target_id) == (
        cast.staff.email,
        acme.pk,
        str(cast.admin.pk),
    )
    assert event.data == {"before": before, "email": ELSEWHERE}
    assert [mail.to for mail in mails] == [[before], [ELSEWHERE]]
    for mail in mails:
        assert f"from {before} to {ELSEWHERE}" in " ".join(mail.body.split())


@pytest.mark.parametrize("closed", ["the old", "the new"])
def test_an_address_that_its_server_refuses_keeps_nothing_from_the_other_and_repeats_nothing_there(
    cast, admin, mail_server, closed
):
    """It is closed, which is why it is changed; or it was misspelled."""
    addresses = {"the old": cast.admin.email, "the new": ELSEWHERE}
    mail_server.unknown = {addresses.pop(closed)}
    submit(admin, page_of(cast.admin), email=ELSEWHERE)
    for _round in range(3):
        PendingMail.objects.update(due_at=timezone.now())
        send_mails()
    assert mail_server.taken == list(addresses.values())
    PendingMail.objects.update(due_at=timezone.now(), at=timezone.now() - outbox.LIFE)
    send_mails()
    assert mail_server.taken == list(addresses.values()) and not PendingMail.objects.exists()


def test_with_the_address_all_sessions_links_and_invitations_of_the_person_end(cast, acme, admin, client_for):
    browser = client_for(None, host="acme")
    sign_in(browser, cast.admin.email)
    link = reset_link(User.objects.get(pk=cast.admin.pk), by=SYSTEM)
    assert opens(client_for, link)
    services.invite(acme, "alter-ego@acme.example", role="admin", by=cast.admin)
    before = cast.admin.email
    submit(admin, page_of(cast.admin), email=ELSEWHERE)
    assert not is_signed_in(client_for(None, host="acme")) and browser.get("/mailboxes/").status_code == 302
    assert not opens(client_for, link)
    assert Invitation.objects.get().withdrawn_at is not None
    submit(admin, page_of(cast.admin), email=before)
    assert not opens(client_for, link)


def test_an_address_that_somebody_has_is_refused_beside_its_field(cast, admin):
    answer = submit(admin, page_of(cast.admin), email=cast.viewer.email.upper())
    assert "email" in answer.context["adminform"].form.errors
    assert not events("person.address-changed")


def test_only_superusers_change_the_address_of_who_has_a_role_or_is_staff(cast, client_for):
    clerk = User.objects.create(email="clerk@gatehouse.example", is_staff=True)
    clerk.user_permissions.add(
        *Permission.objects.filter(
            codename__in=["change_user", "view_user"], content_type__app_label="accounts"
        )
    )
    colleague = User.objects.create(email="colleague@gatehouse.example", is_staff=True)
    at_work = client_for(clerk, host=None)
    for person in (colleague, cast.owner, cast.admin, cast.viewer):
        answer = submit(at_work, page_of(person), email=ELSEWHERE)
        assert "Only superusers" in str(answer.context["adminform"].form.errors["email"])
        with pytest.raises(NotAllowed):
            services.change_person(person, **page(person, email=ELSEWHERE), by=clerk)
    assert not events("person.address-changed")
    submit(at_work, page_of(cast.stranger), email=ELSEWHERE)
    assert User.objects.get(pk=cast.stranger.pk).email == ELSEWHERE


def test_whose_role_was_taken_keeps_the_address_that_only_superusers_change(cast, acme, client_for, post):
    clerk = User.objects.create(email="clerk@gatehouse.example", is_staff=True)
    clerk.user_permissions.add(
        *Permission.objects.filter(
            codename__in=[
                "change_user",
                "view_user",
                "delete_membership",
                "view_membership",
                "add_membership",
            ]
        )
    )
    at_work = client_for(clerk, host=None)
    role = cast.admin.memberships.get()
    with post.of() as mails:
        at_work.post(f"/admin/tenants/membership/{role.pk}/delete/", {"post": "yes"})
    assert not cast.admin.memberships.exists()
    (mail,) = mails
    assert mail.to == [cast.admin.email] and "Acme" in mail.subject
    assert "The role “Administrator” was taken from" in " ".join(mail.body.split())
    answer = submit(at_work, page_of(cast.admin), email=ELSEWHERE)
    assert "Only superusers" in str(answer.context["adminform"].form.errors["email"])
    with pytest.raises(NotAllowed):
        services.change_person(cast.admin, **page(cast.admin, email=ELSEWHERE), by=clerk)


def test_who_gets_a_role_or_another_from_staff_hears_of_it(cast, acme, admin, post):
    add = "/admin/tenants/membership/add/"
    Provider.objects.filter(slug="northwind").update(name="Pay at evil.example")
    for place, name in (
        ({"provider": Provider.objects.get(slug="northwind").pk, "customer": ""}, "northwind"),
        ({"provider": "", "customer": acme.pk}, "Acme"),
    ):
        role = "viewer" if place["customer"] else "auditor"
        with post.of() as mails:
            admin.post(add, {"user": cast.stranger.pk, "role": role, **place})
        (mail,) = mails
        assert mail.to == [cast.stranger.email]
        assert mail.subject == f"Your role at {name} was changed"
        assert f"changed your role at {name}." in mail.body
    with post.of() as mails:
        submit(admin, f"/admin/tenants/membership/{cast.viewer.memberships.get().pk}/change/", role="admin")
    (mail,) = mails
    assert mail.to == [cast.viewer.email]
    assert "is “Administrator” now" in " ".join(mail.body.split())
    with post.of() as mails:  # what the people of a place do is their own affair
        services.change_member(acme, cast.viewer.memberships.get().pk, role="viewer", by=cast.admin)
    assert mails == []


def test_a_page_saved_as_it_is_changes_and_tells_nothing(cast, admin, post):
    count = AuditEvent.objects.count()
    with post.of() as mails:
        submit(admin, page_of(cast.admin))
    assert (AuditEvent.objects.count(), mails) == (count, [])


# --- Other rights ---
def test_who_becomes_staff_or_superuser_is_written_down_and_told(cast, admin, post, client_for):
    browser = client_for(None, host=None)
    sign_in(browser, cast.stranger.email)
    with post.of() as mails:
        submit(admin, page_of(cast.stranger), is_staff="on", is_superuser="on")
    (event,) = events("person.access-changed")
    assert event.actor_email == cast.staff.email
    assert event.data == {
        "before": {"is_staff": False, "is_superuser": False},
        "after": {"is_staff": True, "is_superuser": True},
    }
    assert [mail.to for mail in mails] == [[cast.stranger.email]]
    assert browser.get("/settings/").status_code == 302
    assert User.objects.get(pk=cast.stranger.pk).is_superuser


def test_who_is_switched_off_or_on_hears_of_it(cast, admin, post):
    for active, word in ((None, "off"), ("on", "on again")):
        with post.of() as mails:
            submit(admin, page_of(cast.viewer), is_active=active)
        (mail,) = mails
        assert mail.to == [cast.viewer.email]
        for said in (mail.subject, " ".join(mail.body.split())):
            assert f"The account of {cast.viewer.email} was switched {word}." in said


def test_groups_are_written_down_once(cast, admin):
    translators = Group.objects.get(name="translators")
    submit(admin, page_of(cast.viewer), groups=[str(translators.pk)])
    assert [event.data for event in events("person.access-changed")] == [
        {"before": {"groups": []}, "after": {"groups": ["translators"]}}
    ]
    assert list(cast.viewer.groups.all()) == [translators]


@pytest.mark.parametrize("change", [{"is_superuser": True}, {"is_staff": True}])
def test_staff_who_are_no_superusers_make_none(cast, change):
    clerk = User.objects.create(email="clerk@gatehouse.example", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="change_user"))
    with pytest.raises(NotAllowed):
        services.change_person(cast.stranger, **page(cast.stranger, **change), by=clerk)
    with pytest.raises(NotAllowed):  # and a superuser's address would be their account
        services.change_person(cast.staff, **page(cast.staff, email=ELSEWHERE), by=clerk)
    with pytest.raises(NotAllowed):
        services.change_person(clerk, **page(clerk, is_staff=False), by=cast.owner)
    assert not events("person.access-changed") and not events("person.address-changed")


def test_staff_who_are_no_superusers_shut_none_out_and_what_is_refused_is_refused_as_a_whole(
    cast, client_for
):
    clerk = User.objects.create(email="clerk@gatehouse.example", is_staff=True)
    clerk.user_permissions.add(
        *Permission.objects.filter(
            codename__in=["change_user", "view_user"], content_type__app_label="accounts"
        )
    )
    at_work = client_for(clerk, host=None)
    submit(at_work, page_of(cast.staff), is_active=None)
    submit(at_work, page_of(cast.stranger), is_active=None, is_staff="on")
    assert User.objects.filter(pk__in=[cast.staff.pk, cast.stranger.pk], is_active=True).count() == 2
    with pytest.raises(NotAllowed):
        services.switch_off(cast.staff, by=clerk)
    submit(at_work, page_of(cast.stranger), is_active=None)
    assert not User.objects.get(pk=cast.stranger.pk).is_active


@pytest.mark.parametrize(
    "shut_out",
    [
        lambda user, by: services.change_person(user, **page(user, is_superuser=False), by=by),
        lambda user, by: services.change_person(user, **page(user, is_active=False), by=by),
        lambda user, by: services.switch_off(user, by=by),
    ],
    ids=["no superuser", "switched off by the page", "switched off"],
)
def test_of_two_superusers_who_shut_each_other_out_at_once_one_stays(committed_db, cast, shut_out):
    other, _ = create_person("other@gatehouse.example", password=PASSWORD, staff=True, by=SYSTEM)
    for superuser in (other, cast.staff):  # as somebody who was a clerk before has it
        superuser.user_permissions.add(Permission.objects.get(codename="change_user"))
    outcomes = at_once(lambda: shut_out(other, cast.staff), lambda: shut_out(cast.staff, other))
    assert outcomes == ["done", "not-allowed"]
    assert User.objects.filter(is_superuser=True, is_active=True).count() == 1


# --- The page as a whole ---
def test_who_is_renamed_by_staff_is_in_the_trail_with_who_did_it(cast, acme, admin):
    submit(admin, page_of(cast.viewer), name="Vera", time_zone="Europe/Berlin")
    (event,) = events("person.details-changed")
    assert (event.actor_email, event.customer_id, event.target_id) == (
        cast.staff.email,
        acme.pk,
        str(cast.viewer.pk),
    )
    assert event.data == {
        "before": {"name": "Viewer", "time_zone": ""},
        "after": {"name": "Vera", "time_zone": "Europe/Berlin"},
    }
    assert User.objects.get(pk=cast.viewer.pk).name == "Vera"


def test_a_zones_old_name_stays_the_persons_choice_while_staff_change_something_else(cast, admin):
    User.objects.filter(pk=cast.viewer.pk).update(time_zone="Asia/Calcutta")
    submit(admin, page_of(cast.viewer), name="Vera")
    (event,) = events("person.details-changed")
    assert event.data == {"before": {"name": "Viewer"}, "after": {"name": "Vera"}}


def test_staff_choose_for_a_person_what_the_person_can_choose_and_nothing_else(cast, admin, client_for):
    submit(admin, page_of(cast.viewer), language="xx", time_zone="Europe/Berlin")
    submit(admin, page_of(cast.viewer), language="de", time_zone="Mars/Base")
    assert not events("person.details-changed")
    offered = [
        dict(re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)<', select))
        for html in (
            admin.get(page_of(cast.viewer)).content.decode(),
            client_for(cast.viewer).get("/settings/").content.decode(),
        )
        for select in re.findall(r'<select[^>]*name="(?:language|time_zone)".*?</select>', html, re.S)
    ]
    assert len(offered) == 4 and offered[:2] == offered[2:] and offered[0]["de"] and offered[1]["Asia/Tokyo"]


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"is_active": False}, LastOwner),
        ({"name": "Ada\nEve"}, InvalidPersonName),
        ({"language": "xx"}, UnknownLanguage),
        ({"time_zone": "Mars/Base"}, UnknownTimeZone),
        ({"theme": "pink"}, UnknownTheme),
    ],
)
def test_what_is_refused_of_a_page_is_refused_with_the_rest_of_it(cast, wrong, refusal):
    count = AuditEvent.objects.count()
    with pytest.raises(refusal):
        services.change_person(
            cast.owner, **page(cast.owner, email=ELSEWHERE, is_staff=True, **wrong), by=cast.staff
        )
    known = User.objects.get(pk=cast.owner.pk)
    assert (known.email, known.is_staff, known.name) == (cast.owner.email, False, "Owner")
    assert AuditEvent.objects.count() == count and not PendingMail.objects.exists()


# --- Who is made, whatever the door ---
def test_a_superuser_of_djangos_own_command_is_in_the_trail(db, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PHRASE)
    call_command("createsuperuser", interactive=False, email="root@gatehouse.example", stdout=io.StringIO())
    (event,) = AuditEvent.objects.filter(target_name="root@gatehouse.example")
    assert (event.action, event.data, event.actor_email) == ("person.created", {"staff": True}, "")


def test_staff_of_our_command_are_in_the_trail_once(db):
    call_command("create_user", "root@gatehouse.example", "--staff", stdout=io.StringIO())
    (event,) = AuditEvent.objects.filter(target_name="root@gatehouse.example")
    assert (event.action, event.data) == ("person.created", {"staff": True})


def test_no_command_sets_somebody_elses_password(cast):
    with pytest.raises(CommandError, match="let_in"):
        call_command("changepassword", cast.owner.email)
    cast.owner.refresh_from_db()
    assert cast.owner.check_password(PASSWORD)


def test_who_is_let_in_from_the_server_hears_of_it(cast, post):
    with post.of() as mails:
        call_command("let_in", cast.owner.email, stdout=io.StringIO())
    (mail,) = mails
    assert mail.to == [cast.owner.email]
    assert "/accounts/password/reset/key/" not in mail.body


def test_a_forged_notice_says_nothing_that_the_trail_does_not(cast, acme, mailoutbox):
    services.change_person(cast.viewer, **page(cast.viewer, email=ELSEWHERE), by=SYSTEM)
    PendingMail.objects.all().delete()
    told = events(notices.ADDRESS_CHANGED)
    for event in AuditEvent.objects.all():
        for address in ("", "mallory@globex.example"):
            if event not in told or address:  # without one it is one of the release before
                notices.send(PendingMail(kind=notices.KIND, email=address, details={"event": event.pk}))
    notices.send(PendingMail(kind=notices.KIND, email=ELSEWHERE, details={"event": 10**9}))
    send_mails()
    assert mailoutbox == []


def test_a_notice_that_waits_since_the_release_before_is_sent(cast, acme, admin, post):
    with post.of() as mails:
        submit(admin, page_of(cast.admin), email=ELSEWHERE)
    (event,) = events("person.address-changed")
    with post.of() as again:
        PendingMail.objects.create(kind="tenants/staff_notice", details={"event": event.pk})
    assert [mail.to for mail in again] == [mail.to for mail in mails]


def test_no_page_of_the_administration_has_a_field_for_a_password_or_makes_people(cast, admin):
    assert admin.get("/admin/accounts/user/add/").status_code == 403
    elsewhere = admin.get(f"/admin/accounts/user/{cast.owner.pk}/password/", follow=True)
    assert 'type="password"' not in elsewhere.content.decode()
    assert "password" not in fields_of(admin.get(page_of(cast.owner)), "user_form")


@pytest.mark.parametrize(
    "question", ["password__startswith=md5", "email__contains=a", "memberships__role=owner"]
)
def test_lists_of_people_answer_no_question_for_what_they_do_not_show(cast, admin, question):
    assert admin.get(f"/admin/accounts/user/?{question}").status_code == 400


# --- A provider begins ---
def test_one_form_makes_a_provider_and_invites_its_first_owner(cast, admin, client_for, mailoutbox):
    answer = submit(
        admin,
        "/admin/tenants/provider/add/",
        slug="tailspin",
        name="Tailspin",
        owner_email="Ada@Tailspin.example",
    )
    assert "was added successfully" in text(answer)
    assert "An invitation went to ada@tailspin.example." in text(answer)
    tailspin = Provider.objects.get(slug="tailspin")
    (mail,) = mailoutbox
    assert mail.to == ["ada@tailspin.example"]
    accepts(client_for(None, host=None), mail)
    owner = Membership.objects.get(provider=tailspin)
    assert (owner.user.email, owner.role) == ("ada@tailspin.example", "owner")
    invited = AuditEvent.objects.get(action="invitation.created")
    assert (invited.actor_email, invited.provider_id) == (cast.staff.email, tailspin.pk)


def test_until_it_has_an_owner_another_can_be_invited_and_the_earlier_link_is_dead(
    cast, admin, client_for, mailoutbox
):
    submit(
        admin,
        "/admin/tenants/provider/add/",
        slug="tailspin",
        name="Tailspin",
        owner_email="adda@typo.example",
    )
    page = f"/admin/tenants/provider/{Provider.objects.get(slug='tailspin').pk}/change/"
    assert "adda@typo.example, valid until" in text(admin.get(page))
    submit(admin, page, owner_email="ada@tailspin.example")
    for mail, joins in zip(mailoutbox, (False, True), strict=True):
        accepts(client_for(None, host=None), mail)
        assert Membership.objects.filter(provider__slug="tailspin").exists() == joins
    assert "owner_email" not in fields_of(admin.get(page), "provider_form")


def test_a_provider_with_an_owner_gets_no_other_from_staff(cast):
    northwind = Provider.objects.get(slug="northwind")
    with pytest.raises(NotAllowed):
        services.invite_first_owner(northwind, ELSEWHERE, by=cast.staff)
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nobody", "valid email address"),
        ("\u212ate@example.com", "only looks like the one that you mean"),  # the sign for kelvin
        (f"{'a' * 288}@example.com", "at most 254 characters (it has 300)"),
        ("a@" + "\u00fc" * 60 + ".example", "valid email address"),  # longer in ASCII than any label
    ],
)
def test_an_address_that_is_none_makes_no_provider(cast, admin, address, said):
    answer = submit(
        admin, "/admin/tenants/provider/add/", slug="tailspin", name="Tailspin", owner_email=address
    )
    (line,) = answer.context["adminform"].form.errors["owner_email"]
    assert said in line and line in html.unescape(answer.content.decode())
    assert not Provider.objects.filter(slug="tailspin").exists()
