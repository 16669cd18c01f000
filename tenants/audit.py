"""The audit trail's only pen. The row goes into the caller's transaction: no act without its line, no line without."""

from contextvars import ContextVar
from typing import Any
from uuid import UUID

from django.db.models import Model

from accounts.actors import Actor, System
from tenants import details
from tenants.errors import TooMuchToTell
from tenants.models import SPELLING, AuditEvent, Customer, Membership, Provider, Side

# The IP address of who is being served; middleware sets it. Empty for commands and background tasks.
origin: ContextVar[str] = ContextVar("audit_origin", default="")

# The short name of the provider whose identity provider says who is being served; middleware sets it. Else empty.
voucher: ContextVar[str] = ContextVar("audit_voucher", default="")

Target = tuple[str, Any, str]


def record(
    action: str,
    *,
    by: Actor,
    customer: Customer | None = None,
    provider: Provider | None = None,
    target: Model | Target | None = None,
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write down that `by` did `action`: the thing and what happened to it, as in "mailbox.password-reset".

    `target` is a saved object or (type, id, name). `data` is plain JSON and never holds a secret. Raises ValueError for
    an action of another spelling: scripts and other programs tell acts by these names; TooMuchToTell.
    """
    if not SPELLING.fullmatch(action):
        raise ValueError(f"not the spelling of an action: {action}")
    data = details.storable(data or {})
    if data and details.is_too_much(data):
        raise TooMuchToTell
    kind, pk, name = details.storable(_describe(target))
    provider_id = provider.pk if provider else customer.provider_id if customer else None
    customer_id = customer.pk if customer else None
    return AuditEvent.objects.create(
        action=action,
        actor_id=by.pk,
        actor_email=by.email,
        actor_side=_side_of(by, provider_id, customer_id),
        origin=origin.get(),
        vouched_by=_voucher(),
        provider_id=provider_id,
        customer_id=customer_id,
        target_type=kind,
        target_id=pk,
        target_name=name,
        data=data,
    )


def record_everywhere(
    action: str, person: Any, *, by: Actor, data: dict[str, Any] | None = None
) -> list[AuditEvent]:
    """Write down what concerns a person at each provider and customer where they have a role, for there people look.

    Of who has none it is written down all the same, without a place: there is at least one event.
    """
    roles = Membership.objects.filter(user=person.pk).select_related("provider", "customer").order_by("pk")
    places = [(role.provider, role.customer) for role in roles] or [(None, None)]
    return [
        record(action, by=by, provider=provider, customer=customer, target=person, data=data)
        for provider, customer in places
    ]


def _voucher() -> str:
    slug = voucher.get()
    return (Provider.objects.filter(slug=slug).values_list("name", flat=True).first() or slug) if slug else ""


def _side_of(by: Actor, provider_id: int | None, customer_id: UUID | None) -> str:
    """Where the person belongs, as seen from there and now; nothing for who has no role there."""
    if isinstance(by, System):
        return ""
    roles: set[Any] = set(Membership.objects.filter(user=by.pk).values_list("provider", "customer"))
    if (provider_id, None) in roles:
        return Side.PROVIDER
    if (None, customer_id) in roles:
        return Side.CUSTOMER
    return Side.STAFF if by.is_staff else ""


def _describe(target: Model | Target | None) -> Target:
    if target is None:
        return "", "", ""
    kind, pk, name = (
        (target._meta.model_name or "", target.pk, str(target)) if isinstance(target, Model) else target
    )
    return kind, str(pk), name[:254]
