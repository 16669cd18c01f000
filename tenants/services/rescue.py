"""The way back in for who is locked out, from the server's command line."""

from dataclasses import dataclass

from django.db import transaction

from accounts.actors import SYSTEM, Actor
from accounts.demo import is_beside_the_demo
from accounts.models import User
from accounts.services import remove_factors, reset_link
from tenants import access
from tenants.errors import NoSuchPerson, PersonIsOfTheDemo, PersonIsSwitchedOff
from tenants.mails import notices
from tenants.models import Membership, Provider
from tenants.services.authority import lock
from tenants.services.people import assign, enrol


@dataclass(frozen=True)
class WayIn:
    """What has been done for the person, and the link that sets a new password, once."""

    user: User
    link: str
    factors_removed: int


@transaction.atomic(durable=True)
def let_in(
    email: str, *, by: Actor, remove_second_factor: bool = False, owner_of: Provider | None = None
) -> WayIn:
    """Make a link with which the person sets a new password; on demand also remove what else stands in the way.

    The link works until the password changes or the person signs in, for PASSWORD_RESET_TIMEOUT seconds at most.
    For who stands at the server. Raises NotAllowed, NoSuchPerson, PersonIsSwitchedOff, PersonIsOfTheDemo.
    """
    access.require(by, access.PLATFORM, access.Right.LET_IN)
    if owner_of is not None:
        lock(owner_of)  # before the person, as everywhere
    user = User.objects.select_for_update(no_key=True).filter(email=email).first()
    if user is None:
        raise NoSuchPerson(email=email)
    if not user.is_active:
        raise PersonIsSwitchedOff(email=user.email)
    if user.is_demo and not is_beside_the_demo():
        raise PersonIsOfTheDemo(email=user.email)
    if owner_of is not None:
        _make_owner(user, owner_of, by=by)
    removed = remove_factors(user, by=SYSTEM) if remove_second_factor else 0
    notices.record("person.let-in", user, by=by, data={"second_factors_removed": removed})
    return WayIn(user, reset_link(user, by=SYSTEM), removed)


def _make_owner(user: User, provider: Provider, *, by: Actor) -> None:
    membership = Membership.objects.filter(user=user, provider=provider).first()
    if membership is None:
        enrol(user, role=Membership.Role.OWNER, provider=provider, customer=None, by=by)
    elif membership.role != Membership.Role.OWNER:
        assign(membership, role=Membership.Role.OWNER, customers=None, by=by)
