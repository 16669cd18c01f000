"""Team and People: who may look, who may act, and for whom neither exists."""

import re

import pytest

from tenants import services
from tenants.models import Invitation, Membership
from tests.tenants.kit import text

TEAM, PEOPLE = "/team/", "/people/"


@pytest.mark.parametrize(
    ("who", "looks", "acts"),
    [
        ("owner", 200, 200),
        ("auditor", 200, 403),
        ("admin", 404, 404),
        ("rival", 200, 404),  # of their own team, and nobody of this one
        ("staff", 404, 404),
        ("stranger", 404, 404),
    ],
)
def test_who_may_what_on_team(cast, team, northwind, who, looks, acts):
    membership = cast.auditor.memberships.get()
    invitation = services.invite(northwind, "new@northwind.example", role="auditor", by=cast.owner)
    client = team(getattr(cast, who))
    page = client.get(TEAM)
    assert page.status_code == looks
    assert ("Northwind" in text(page)) == (who in ("owner", "auditor"))
    for path in (f"/team/{membership.pk}/", f"/team/{membership.pk}/remove/"):
        assert client.get(path).status_code == acts
    if who == "owner":
        return
    assert client.post(f"/team/{membership.pk}/", {"role": "owner", "reach": "all"}).status_code == acts
    assert client.post(f"/team/{membership.pk}/remove/").status_code == acts
    for verb in ("again", "withdraw"):
        assert client.post(f"/team/invitations/{invitation.pk}/{verb}/").status_code == acts
    if who != "rival":
        assert client.post("/team/invite/", {"email": "x@y.example"}).status_code == acts
        assert client.post("/team/security/", {"require_second_factor": "on"}).status_code == acts
    assert cast.auditor.memberships.get().role == "auditor"
    assert Invitation.objects.filter(withdrawn_at=None).count() == 1


@pytest.mark.parametrize(
    ("who", "looks", "acts"),
    [
        ("owner", 200, 200),
        ("admin", 200, 200),
        ("auditor", 200, 403),
        ("viewer", 200, 403),
        ("mallory", 404, 404),
        ("rival", 404, 404),
        ("staff", 404, 404),
    ],
)
def test_who_may_what_on_people(cast, client_for, acme, who, looks, acts):
    membership = cast.viewer.memberships.get()
    invitation = services.invite(acme, "new@acme.example", role="viewer", by=cast.admin)
    client = client_for(getattr(cast, who))
    assert client.get(PEOPLE).status_code == looks
    for path in ("/people/invite/", f"/people/{membership.pk}/", f"/people/{membership.pk}/remove/"):
        assert client.get(path).status_code == acts
    if acts == 200:
        return
    assert client.post(f"/people/{membership.pk}/", {"role": "admin"}).status_code == acts
    assert client.post(f"/people/{membership.pk}/remove/").status_code == acts
    assert client.post("/people/invite/", {"email": "x@y.example", "role": "admin"}).status_code == acts
    for verb in ("again", "withdraw"):
        assert client.post(f"/people/invitations/{invitation.pk}/{verb}/").status_code == acts
    assert cast.viewer.memberships.get().role == "viewer"


def test_who_may_only_look_sees_no_way_to_act(cast, team, client_for):
    for page in (text(team(cast.auditor).get(TEAM)), text(client_for(cast.viewer).get(PEOPLE))):
        assert "Invite somebody" not in page
        assert not re.search(r'href="/(team|people)/\d', page)
    assert "Only owners can change this" in text(team(cast.auditor).get(TEAM))


def test_ids_of_another_customer_are_not_found(cast, client_for, acme, globex):
    foreign = cast.mallory.memberships.get()
    invitation = services.invite(globex, "new@globex.example", role="viewer", by=cast.mallory)
    for who in (cast.admin, cast.owner):
        client = client_for(who)
        for path in (f"/people/{foreign.pk}/", f"/people/{foreign.pk}/remove/"):
            assert client.get(path).status_code == 404
            assert client.post(path, {"role": "viewer"}).status_code == 404
        for verb in ("again", "withdraw"):
            assert client.post(f"/people/invitations/{invitation.pk}/{verb}/").status_code == 404
    assert cast.mallory.memberships.get().role == "admin"


def test_each_page_is_on_its_own_host(cast, client_for, team):
    assert client_for(cast.owner).get(TEAM).status_code == 404
    assert team(cast.owner).get(PEOPLE).status_code == 404


def test_the_anonymous_are_asked_to_sign_in(team, client_for, db):
    assert team(None).get(TEAM)["Location"].startswith("/accounts/login/")
    assert client_for(None).get(PEOPLE)["Location"].startswith("/accounts/login/")


def test_forms_of_other_sites_change_nothing(cast, client_for):
    client = client_for(cast.admin, enforce_csrf_checks=True)
    membership = cast.viewer.memberships.get()
    assert client.post(f"/people/{membership.pk}/remove/").status_code == 403
    assert Membership.objects.filter(pk=membership.pk).exists()
