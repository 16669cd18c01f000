"""Inviting: who may ask whom in, as what, how often, and what happens when two do it at once."""

from datetime import timedelta
from threading import Thread

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.utils import timezone

from accounts.errors import InvalidAddress
from accounts.models import User
from tenants import errors, services
from tenants.models import AuditEvent, Invitation, Membership
from tests.cast import provider
from tests.locks import until_they_wait
from tests.mailboxes.backups import before_its_guards
from tests.tenants.kit import at_once, page

NEW = "newcomer@northwind.example"
PHRASE = "seven long words nobody has heard"


@pytest.fixture
def invite(cast, northwind):
    def act(email=NEW, *, place=None, role="operator", by=None, **details):
        return services.invite(place or northwind, email, role=role, by=by or cast.owner, **details)

    return act


@pytest.fixture
def an_hour_later(monkeypatch):
    """Moves the clock: what the trail holds can't be moved back."""
    now = timezone.now
    return lambda: monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(hours=1))


def age(invitation, **delta):
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=invitation.expires_at - timedelta(**delta))


# --- Refusals ---
@pytest.mark.parametrize(
    "email",
    [
        "",
        "nobody",
        "a@b",
        "a b@c.example",
        "x\x00@y.example",
        "a@b.example\nBcc: c@d.example",
        f"{'a' * 250}@acme.example",
    ],
)
def test_what_is_no_address_is_refused(invite, email, mailoutbox):
    with pytest.raises(InvalidAddress):
        invite(email)
    assert not mailoutbox


def test_an_address_is_the_same_in_capital_letters(cast, invite):
    invite(f" {NEW.upper()} ")
    assert Invitation.objects.get().email == NEW
    with pytest.raises(errors.AlreadyInvited):
        invite(NEW)
    with pytest.raises(errors.AlreadyMember):
        invite(cast.auditor.email.title())


def test_an_expired_invitation_gives_way_to_a_new_one(invite):
    first = invite()
    age(first, days=7)
    second = invite(role="auditor")
    first.refresh_from_db()
    assert first.withdrawn_at is not None
    assert second.withdrawn_at is None


@pytest.mark.parametrize("who", ["auditor", "admin", "rival", "staff"])
def test_only_owners_invite_into_a_team(cast, northwind, invite, who):
    invitation = invite()
    by = getattr(cast, who)
    age(invitation, minutes=5)
    for act in (
        lambda: services.invite(northwind, "x@y.example", role="auditor", by=by),
        lambda: services.send_invitation_again(northwind, invitation.pk, by=by),
        lambda: services.withdraw_invitation(northwind, invitation.pk, by=by),
    ):
        with pytest.raises(errors.NotAllowed):
            act()
    assert Invitation.objects.count() == 1


@pytest.mark.parametrize("who", ["auditor", "viewer", "mallory", "rival", "staff"])
def test_only_administrators_and_the_providers_owners_invite_into_a_customer(cast, acme, who):
    with pytest.raises(errors.NotAllowed):
        services.invite(acme, "x@y.example", role="viewer", by=getattr(cast, who))


def test_invitations_of_other_places_are_not_found(cast, northwind, acme, globex, invite):
    invitation = invite(place=globex, role="viewer")
    for act in (services.send_invitation_again, services.withdraw_invitation):
        for place in (northwind, acme):
            with pytest.raises(errors.NoSuchInvitation):
                act(place, invitation.pk, by=cast.owner)
        with pytest.raises(errors.NotAllowed):
            act(provider("fabrikam"), invitation.pk, by=cast.owner)


def test_limits_that_make_no_sense_are_refused(cast, invite, acme):
    for role, limit in [("owner", [acme]), ("operator", [])]:
        with pytest.raises(errors.InvalidLimit):
            invite(role=role, customers=limit)
    with pytest.raises(errors.InvalidLimit):
        invite(place=acme, role="viewer", customers=[acme])
    with pytest.raises(errors.InvalidRole):
        invite(place=acme, role="owner")


def test_the_portal_sends_no_bulk_mail(cast, invite, acme, an_hour_later):
    for number in range(50):
        invite(f"p{number}@northwind.example")
    with pytest.raises(errors.TooManyInvitations):
        invite()
    invite(place=acme, role="viewer")  # each place counts for itself
    an_hour_later()
    invite()


def test_mails_of_days_to_come_keep_nobody_from_inviting(northwind, invite, monkeypatch):
    now = timezone.now()
    with monkeypatch.context() as ahead, before_its_guards():
        ahead.setattr(timezone, "now", lambda: now + timedelta(days=300))
        for _ in range(50):
            AuditEvent.objects.create(action="invitation.created", provider_id=northwind.pk)
    invite()


def test_sending_the_same_one_again_and_again_is_bulk_mail_too(
    cast, northwind, invite, mailoutbox, an_hour_later
):
    invitation = invite()
    for _ in range(49):
        invitation.refresh_from_db()
        age(invitation, minutes=1)
        services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    invitation.refresh_from_db()
    age(invitation, minutes=1)
    with pytest.raises(errors.TooManyInvitations):
        services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    with pytest.raises(errors.TooManyInvitations):
        invite("another@northwind.example")
    assert len(mailoutbox) == 50
    an_hour_later()
    services.send_invitation_again(northwind, invitation.pk, by=cast.owner)


def test_the_trail_tells_an_invitations_whole_life(cast, northwind, invite):
    invitation = invite()
    age(invitation, minutes=5)
    services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    services.withdraw_invitation(northwind, invitation.pk, by=cast.owner)
    with pytest.raises(errors.NoSuchInvitation):
        services.withdraw_invitation(northwind, invitation.pk, by=cast.owner)
    events = AuditEvent.objects.filter(target_type="invitation", target_name=NEW).order_by("id")
    assert [event.action for event in events] == [
        "invitation.created",
        "invitation.resent",
        "invitation.withdrawn",
    ]
    assert {event.actor_email for event in events} == {cast.owner.email}
    assert {event.provider_id for event in events} == {northwind.pk}


# --- At once ---
def test_of_two_who_accept_at_once_one_wins(committed_db, invite):
    invitation = invite()
    outcomes = at_once(
        *[lambda: services.accept_invitation_as_newcomer(invitation, name="N", password=PHRASE)] * 2
    )
    assert outcomes == ["done", "invitation-used"]
    assert Membership.objects.filter(user__email=NEW).count() == 1


def test_two_invitations_accepted_at_once_make_one_person(committed_db, cast, invite, acme):
    first = invite()
    second = invite(place=acme, role="viewer")
    outcomes = at_once(
        *[
            lambda one=one: services.accept_invitation_as_newcomer(one, name="N", password=PHRASE)
            for one in (first, second)
        ]
    )
    assert outcomes == ["done", "sign-in-first"]


def test_of_two_invitations_of_one_address_at_once_one_is_sent(committed_db, cast, northwind, mailoutbox):
    outcomes = at_once(*[lambda: services.invite(northwind, NEW, role="auditor", by=cast.owner)] * 2)
    assert outcomes == ["already-invited", "done"]
    assert len(mailoutbox) == 1


def test_withdrawing_and_accepting_at_once_end_in_one_of_both(committed_db, cast, northwind, invite):
    invitation = invite()
    outcomes = at_once(
        lambda: services.withdraw_invitation(northwind, invitation.pk, by=cast.owner),
        lambda: services.accept_invitation_as_newcomer(invitation, name="N", password=PHRASE),
    )
    assert outcomes in (["done", "invitation-withdrawn"], ["done", "no-such-invitation"])
    invitation.refresh_from_db()
    assert (invitation.accepted_at is None) != (invitation.withdrawn_at is None)


def test_the_address_stays_while_an_invitation_is_accepted(committed_db, cast, invite, acme):
    """Else the role that was meant for one address would be with another, past the rule for people with a role."""
    clerk = User.objects.create(email="clerk@gatehouse.example", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="change_user"))
    invitation = invite(cast.stranger.email, place=acme, role="viewer")
    moved = page(cast.stranger, email="somebody@elsewhere.example")
    outcomes = []
    accepting = Thread(
        target=lambda: outcomes.extend(
            at_once(lambda: services.accept_invitation(invitation, by=cast.stranger))
        )
    )
    moving = Thread(
        target=lambda: outcomes.extend(
            at_once(lambda: services.change_person(cast.stranger, **moved, by=clerk))
        )
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "LOCK TABLE tenants_membership IN SHARE MODE"
        )  # readers go on: the role can't be written yet
        accepting.start()
        until_they_wait(cursor, 1)
        moving.start()
        until_they_wait(cursor, 2, or_ended=lambda: not moving.is_alive())
    accepting.join(timeout=60)
    moving.join(timeout=60)
    assert sorted(outcomes) == ["done", "not-allowed"]
    role = Membership.objects.get(user=cast.stranger)
    assert role.user.email == invitation.email
