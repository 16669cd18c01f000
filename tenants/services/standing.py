"""Who somebody is here: the address that they sign in by, and what they may do in the administration.

Whoever can change another's address can open their account, by a link for a forgotten password. So this is the one way
to do it: written down, told to the old address, with sessions ended and links void.
"""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from accounts.addresses import check as check_address
from accounts.models import User
from accounts.services import end_all_sessions, void_reset_links
from tenants import audit, staff_notices
from tenants.access import PLATFORM, SYSTEM, Actor, Right, require, rights_of
from tenants.errors import NotAllowed, PersonExists
from tenants.models import Invitation
from tenants.services.authority import lock_all, may_change_superusers, place_of
from tenants.services.withdrawal import withdraw


@transaction.atomic(durable=True)
def change_person(
    user: User, *, email: str, is_staff: bool, is_superuser: bool, groups: Collection[Group], by: Actor
) -> None:
    """Platform staff give a person another address, or other rights in the administration; what is the same stays.

    The person is told. With another address, or more or less than staff, all sessions end, and links for a forgotten
    password are void; invitations that they sent from the old address are withdrawn. Raises NotAllowed unless `by` is
    a superuser (of who has no role and is no staff, other staff may change the address), and PersonExists.
    """
    require(by, PLATFORM, Right.CHANGE_PERSON)
    email = check_address(email)
    known = User.objects.get(pk=user.pk)  # `user` may have the new address on it already
    if email != known.email:
        lock_all([place_of(invitation) for invitation in _invitations_of(known)])
    current = User.objects.select_for_update().get(pk=user.pk)
    address_before = current.email
    access: dict[str, Any] = {"is_staff": is_staff, "is_superuser": is_superuser}
    changed: dict[str, Any] = {
        field: value for field, value in access.items() if getattr(current, field) != value
    }
    before: dict[str, Any] = {field: getattr(current, field) for field in changed}
    names, names_before = _names(groups), _names(current.groups.all())
    if (changed or names != names_before or current.is_superuser) and not may_change_superusers(by):
        raise NotAllowed
    if email != address_before and not may_change_address(current, by=by):
        raise NotAllowed
    if email != address_before:
        _change_address(current, email, by=by)
    if changed or names != names_before:
        User.objects.filter(pk=current.pk).update(**access)
        current.groups.set(groups)
        if names != names_before:
            changed, before = {**changed, "groups": names}, {**before, "groups": names_before}
        event, *_elsewhere = audit.record_everywhere(
            "person.access-changed", current, by=by, data={"before": before, "after": changed}
        )
        staff_notices.announce(event)
    if email != address_before or {"is_staff", "is_superuser"} & set(changed):
        end_all_sessions(current, by=SYSTEM)
        void_reset_links(current, by=SYSTEM)


def may_change_address(user: User, *, by: Actor) -> bool:
    """Whether they may give the person another address, and so take the account over: of who has a role or is staff
    only superusers may, or any staff could be anybody.
    """
    if may_change_superusers(by):
        return True
    current = User.objects.get(pk=user.pk)
    plain = not (current.is_staff or current.is_superuser or current.memberships.exists())
    return plain and Right.CHANGE_PERSON in rights_of(by, PLATFORM)


def _change_address(user: User, email: str, *, by: Actor) -> None:
    for invitation in _invitations_of(user).select_for_update(of=("self",)):
        withdraw(invitation, by=by)  # or whoever gets that address next would stand for it
    before, user.email = user.email, email
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(email=email)
    except IntegrityError as error:
        raise PersonExists(email=email) from error
    event, *_elsewhere = audit.record_everywhere(
        "person.address-changed", user, by=by, data={"before": before, "email": email}
    )
    staff_notices.announce(event)


def _invitations_of(user: User) -> Any:
    """Those that are open and that the person stands for."""
    open_ones = Invitation.objects.filter(invited_by_email=user.email, accepted_at=None, withdrawn_at=None)
    return open_ones.select_related("provider", "customer").order_by("pk")


def _names(groups: Any) -> list[str]:
    return sorted(group.name for group in groups)
