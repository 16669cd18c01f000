"""An invitation ends before it was accepted: because somebody says so, or because who sent it loses the right to.

Also the one line in the trail for all that happens to an invitation.
"""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.actors import Actor
from tenants import audit
from tenants.models import Invitation, Membership, Provider
from tenants.services.authority import limit_of, named, place_of, placed


def withdraw(invitation: Invitation, *, by: Actor) -> None:
    """In the caller's transaction; the row is locked."""
    invitation.withdrawn_at = timezone.now()
    invitation.save(update_fields=["withdrawn_at"])
    record("invitation.withdrawn", invitation, by=by)


def withdraw_those_of(membership: Membership, *, by: Actor) -> None:
    """Who loses the right to invite must not come back through a link that they sent to themselves before."""
    place = place_of(membership)
    here = (
        Q(provider=place) | Q(customer__provider=place) if isinstance(place, Provider) else Q(customer=place)
    )
    open_ones = Invitation.objects.filter(
        here, invited_by_email=membership.user.email, accepted_at=None, withdrawn_at=None
    )
    for invitation in open_ones.select_for_update(of=("self",)).order_by("pk"):
        withdraw(invitation, by=by)


def record(action: str, invitation: Invitation, *, by: Actor, **more: Any) -> None:
    """What the trail tells of every act on an invitation, and `more`."""
    data = {"role": invitation.role, **named(limit_of(invitation)), **more}
    audit.record(action, by=by, **placed(place_of(invitation)), target=invitation, data=data)
