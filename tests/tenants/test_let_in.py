"""The way back in for who is locked out, as the person at the server's terminal uses it."""

import io
import json
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import activity
from tenants.access import Right, rights_of
from tenants.models import AuditEvent
from tenants.services import add_membership
from tenants.services.authority import limit_of, limit_to
from tests.cast import provider

PHRASE = "seven long words nobody has heard"


def let_in(*args):
    out = io.StringIO()
    call_command("let_in", *args, stdout=out)
    return out.getvalue()


def told(*args):
    return json.loads(let_in(*args, "--json"))


def test_the_link_sets_a_new_password_once(cast, client_for):
    facts = told(cast.owner.email.upper())
    assert facts["email"] == cast.owner.email
    link = urlsplit(facts["link"])
    assert f"{link.scheme}://{link.netloc}" == "http://portal.localhost:8000"
    browser = client_for(None, host=None)
    form = browser.get(link.path, follow=True)
    page = form.redirect_chain[-1][0]
    browser.post(page, {"password1": PHRASE, "password2": PHRASE})
    cast.owner.refresh_from_db()
    assert cast.owner.check_password(PHRASE)
    another = client_for(None, host=None)
    page = another.get(link.path, follow=True).request["PATH_INFO"]
    another.post(page, {"password1": "another " + PHRASE, "password2": "another " + PHRASE})
    cast.owner.refresh_from_db()
    assert cast.owner.check_password(PHRASE)


def test_nothing_else_changes_without_being_asked_for(cast):
    Authenticator.objects.create(user=cast.owner, type=Authenticator.Type.TOTP, data={})
    assert told(cast.owner.email)["second_factors_removed"] == 0
    assert Authenticator.objects.filter(user=cast.owner).count() == 1


def test_second_factors_are_removed_on_demand_and_of_this_person_only(cast):
    for user in (cast.owner, cast.auditor):
        for kind in Authenticator.Type:
            Authenticator.objects.create(user=user, type=kind, data={})
    assert told(cast.owner.email, "--remove-second-factor")["second_factors_removed"] == 3
    assert not Authenticator.objects.filter(user=cast.owner).exists()
    assert Authenticator.objects.filter(user=cast.auditor).count() == 3
    event = AuditEvent.objects.get(action="person.let-in")
    assert (event.actor_email, event.target_name) == ("", cast.owner.email)
    assert event.data == {"second_factors_removed": 3}


def test_it_is_told_wherever_the_person_has_a_role(cast, acme, globex):
    add_membership(cast.viewer, customer=globex, role="viewer", by=SYSTEM)
    let_in(cast.viewer.email, "--owner-of=fabrikam")
    for trail in (
        activity.activity_at(acme, by=cast.admin),
        activity.activity_at(globex, by=cast.mallory),
        activity.activity_for(cast.rival),
    ):
        newest = activity.read(trail, activity.Asked(kind="sign-in")).entries[0]
        assert newest.sentence == "viewer@acme.example, who was locked out, was let in again."
        assert newest.who.name == "Platform staff, on the command line"
        assert "fabrikam" not in str(newest.details)


def test_who_has_no_role_is_in_the_trail_all_the_same(cast):
    let_in(cast.stranger.email)
    event = AuditEvent.objects.get(action="person.let-in")
    assert (event.target_name, event.provider_id, event.customer_id) == (cast.stranger.email, None, None)


@pytest.mark.parametrize("who", ["auditor", "stranger", "owner"])
def test_somebody_becomes_an_owner_on_demand(cast, acme, who):
    user = getattr(cast, who)
    facts = told(user.email, "--owner-of", "northwind")
    assert facts["owner_of"] == "northwind"
    assert Right.MANAGE_TEAM in rights_of(user, acme.provider)
    assert user.memberships.filter(provider=acme.provider).count() == 1


def test_an_auditor_limited_to_some_customers_becomes_an_owner_of_all(cast, acme):
    limit_to(cast.auditor.memberships.get(), [acme])
    let_in(cast.auditor.email, "--owner-of=northwind")
    assert limit_of(cast.auditor.memberships.get()) is None


def test_the_link_is_not_in_the_trail_nor_the_database(cast):
    link = told(cast.owner.email)["link"]
    key = link.rstrip("/").rsplit("-", 1)[-1]
    assert key not in str(list(AuditEvent.objects.values()))


def test_without_json_it_reads_like_a_letter(cast):
    said = let_in(cast.owner.email, "--remove-second-factor", "--owner-of=northwind")
    assert "Set a new password here, once, within an hour:" in said
    assert "There was no second factor to remove." in said
    assert f"{cast.owner.email} is an owner of northwind." in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nobody@nowhere.example"], "There is no person"),
        (["operator@northwind.example", "--owner-of=nobody"], "no provider"),
        (["stranger@nowhere.example", "--owner-of=fabrikam"], "switched off"),
        (["mallory@globex.example", "--owner-of=fabrikam"], "the demo's people"),  # and this is not the demo
    ],
)
def test_what_can_not_be_is_refused_in_one_line_and_changes_nothing(cast, settings, args, says):
    settings.DATABASE_IS_EMBEDDED = False
    User.objects.filter(email="stranger@nowhere.example").update(is_active=False)
    User.objects.filter(email="mallory@globex.example").update(is_demo=True)
    before = AuditEvent.objects.count()
    with pytest.raises(CommandError, match=says):
        let_in(*args, "--remove-second-factor")
    assert AuditEvent.objects.count() == before
    assert provider("fabrikam").memberships.count() == 1
