"""Switching a person's account off, and on again. Nobody is deleted: the trail and their roles still name them."""

from django.db import transaction
from django.db.models import QuerySet

from accounts.actors import SYSTEM, Actor, System
from accounts.models import User
from accounts.services import end_all_sessions
from tenants import access
from tenants.errors import NotAllowed
from tenants.mails import notices
from tenants.models import Membership
from tenants.services.authority import (
    Place,
    check_owner_stays,
    hold_to_change,
    may_change_superusers,
    place_of,
)
from tenants.services.withdrawal import withdraw_those_of


@transaction.atomic(durable=True)
def switch_off(user: User, *, by: Actor) -> None:
    """The person is signed out everywhere and can't sign in; open invitations of theirs are withdrawn, roles stay. They
    are told.

    Raises NotAllowed, and LastOwner, but not for the system: who stands at the server can put it right.
    """
    close(_held(user, by=by), by=by)


@transaction.atomic(durable=True)
def switch_on(user: User, *, by: Actor) -> None:
    """The person can sign in again, with the roles that are left, and is told. Raises NotAllowed."""
    reopen(_held(user, by=by), by=by)


def close(user: User, *, by: Actor) -> None:
    """switch_off inside another act's transaction, under its lock of the person and their places."""
    memberships = _memberships(user)
    if not isinstance(by, System):
        check_owner_stays(memberships)
    if not User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        return
    end_all_sessions(user, by=SYSTEM)  # or they would come to life again with the account, as would a link
    for membership in memberships:
        withdraw_those_of(membership, by=by)
    notices.record("person.switched-off", user, by=by)


def reopen(user: User, *, by: Actor) -> None:
    """switch_on inside another act's transaction."""
    if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        notices.record("person.switched-on", user, by=by)


def places_of(user: User) -> list[Place]:
    """Where the person has a role, to be locked before it is decided about them."""
    return [place_of(membership) for membership in _memberships(user)]


def _memberships(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user.pk).select_related("provider", "customer", "user")


def _held(user: User, *, by: Actor) -> User:
    """The person as they are now, under lock. Raises NotAllowed."""
    access.require(by, access.PLATFORM, access.Right.CHANGE_PERSON)
    current = hold_to_change(user, by=by, places=places_of)
    if current.is_superuser and not may_change_superusers(by):
        raise NotAllowed
    return current
