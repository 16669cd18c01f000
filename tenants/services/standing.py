"""Who somebody is here: the address that they sign in by, what they may do in the administration, and what they are called.

Whoever can change another's address can open their account, by a link for a forgotten password. So this is the one way
to do it: written down, told to the old address, with sessions ended and links void.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Unpack

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from accounts.actors import SYSTEM, Actor
from accounts.addresses import check as check_address
from accounts.errors import PersonExists
from accounts.models import User
from accounts.names import unless_kept
from accounts.services import Settings, end_all_sessions, save_settings
from tenants import audit
from tenants.access import PLATFORM, Right, require, rights_of
from tenants.errors import NotAllowed, OwnAccess
from tenants.mails import notices
from tenants.merging import merged
from tenants.models import ROLE_ACTIONS, AuditEvent, Invitation
from tenants.services.authority import Place, hold_to_change, may_change_superusers, place_of
from tenants.services.switching import close, places_of, reopen
from tenants.services.withdrawal import withdraw

ACCESS = ("is_staff", "is_superuser")


class PersonChanges(Settings, total=False):
    """What stands on a person's page. Of `groups` only what differs from `groups_shown` is given and taken."""

    email: str
    is_active: bool
    is_staff: bool
    is_superuser: bool
    groups: Collection[Group]
    groups_shown: Collection[Group]


@transaction.atomic(durable=True)
def change_person(user: User, *, by: Actor, **changes: Unpack[PersonChanges]) -> None:
    """Platform staff save what they changed on a person's page, as a whole or not at all; what is not named stays as it is
    under the lock, and so does what is the same.

    The person is told of another address, of other rights in the administration, and of being switched off or on. With
    another address, or more or less than staff, all sessions end, and links for a forgotten password are void;
    invitations that they sent from the old address are withdrawn. Raises NotAllowed unless `by` is a superuser (other
    staff may change names and settings, switch off and on, and change the address of who never had a role),
    InvalidAddress, PersonExists, OwnAccess, and what save_settings() and switch_off() do.
    """
    require(by, PLATFORM, Right.CHANGE_PERSON)
    current = hold_to_change(user, by=by, places=_places_concerned)
    wanted: dict[str, Any] = dict(changes)
    email = unless_kept(wanted.pop("email", current.email), current.email, check_address)
    is_active = wanted.pop("is_active", current.is_active)
    access: dict[str, Any] = {field: wanted.pop(field) for field in ACCESS if field in wanted}
    before, other_access = _changes(current, access)
    after = dict(other_access)
    groups_before = list(current.groups.all())
    shown = wanted.pop("groups_shown", groups_before)
    groups = merged(groups_before, shown=shown, wanted=wanted.pop("groups", shown))
    if set(groups) != set(groups_before):
        before["groups"], after["groups"] = _names(groups_before), _names(groups)
    if (after or current.is_superuser) and not may_change_superusers(by):
        raise NotAllowed
    check_own_access(current, access | {"is_active": is_active}, by=by)
    address_before = current.email
    if email != address_before and not may_change_address(current, by=by):
        raise NotAllowed
    if email != address_before:
        _change_address(current, email, by=by)
    if after:
        User.objects.filter(pk=current.pk).update(**other_access)
        current.groups.set(groups)
        notices.record("person.access-changed", current, by=by, data={"before": before, "after": after})
    if is_active != current.is_active:
        (reopen if is_active else close)(current, by=by)
    _change_details(current, by=by, **wanted)
    if email != address_before or other_access:
        end_all_sessions(current, by=SYSTEM)


def check_own_access(user: User, wanted: Mapping[str, Any], *, by: Actor) -> None:
    """Raises OwnAccess where people would take away their own: who does so by a slip may be the last who could undo it.
    Of `wanted`, the fields of a person, what is not there stays.
    """
    for field in ("is_active", "is_staff", "is_superuser"):
        if by.pk == user.pk and getattr(user, field) and not wanted.get(field, True):
            raise OwnAccess().about(field)


def may_change_address(user: User, *, by: Actor) -> bool:
    """Whether they may give the person another address, and so take the account over: of who is staff, has a role or
    ever had one only superusers may. Else any staff could be anybody, by taking the role away and giving it back.
    """
    if may_change_superusers(by):
        return True
    current = User.objects.get(pk=user.pk)
    plain = not (current.is_staff or current.is_superuser or _has_ever_belonged(current))
    return plain and Right.CHANGE_PERSON in rights_of(by, PLATFORM)


def _has_ever_belonged(user: User) -> bool:
    """The trail is asked too: it is what nobody can tidy."""
    told = AuditEvent.objects.of(*ROLE_ACTIONS).filter(
        target_type=User._meta.model_name, target_id=str(user.pk)
    )
    return user.memberships.exists() or told.exists()


def _changes(user: User, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What would be another value: before and after."""
    after = {field: value for field, value in wanted.items() if getattr(user, field) != value}
    return {field: getattr(user, field) for field in after}, after


def _change_details(user: User, *, by: Actor, **wanted: str) -> None:
    before, after = _changes(user, wanted)
    if after:
        save_settings(user, by=SYSTEM, **after)
        audit.record_everywhere(
            "person.details-changed", user, by=by, data={"before": before, "after": after}
        )


def _change_address(user: User, email: str, *, by: Actor) -> None:
    for invitation in _invitations_of(user).select_for_update(of=("self",)):
        withdraw(invitation, by=by)  # or whoever gets that address next would stand for it
    before, user.email = user.email, email
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(email=email)
    except IntegrityError as error:
        raise PersonExists(email=email) from error
    notices.record("person.address-changed", user, by=by, data={"before": before, "email": email})


def _places_concerned(user: User) -> list[Place]:
    """Where the person has a role, or has asked somebody in."""
    return [*places_of(user), *(place_of(invitation) for invitation in _invitations_of(user))]


def _invitations_of(user: User) -> Any:
    """Those that are open and that the person stands for."""
    open_ones = Invitation.objects.filter(invited_by_email=user.email, accepted_at=None, withdrawn_at=None)
    return open_ones.select_related("provider", "customer").order_by("pk")


def _names(groups: Iterable[Group]) -> list[str]:
    return sorted(group.name for group in groups)
