"""The audit trail's only pen. The row goes into the caller's transaction: no act without its line, no line without."""

from contextvars import ContextVar
from typing import Any

from django.db.models import Model

from tenants.models import AuditEvent, Customer, Provider

# The network address of who is being served; middleware sets it. Empty for commands and background tasks.
origin: ContextVar[str] = ContextVar("audit_origin", default="")

Target = tuple[str, Any, str]


def record(
    action: str,
    *,
    by: Any = None,
    customer: Customer | None = None,
    provider: Provider | None = None,
    target: Model | Target | None = None,
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write down that `by` did `action` (dotted, as "mailbox.created"); None means the system itself.

    `target` is a saved object or (type, id, name). `data` is plain JSON and never holds a secret.
    """
    kind, pk, name = _describe(target)
    provider_id = provider.pk if provider else customer.provider_id if customer else None
    return AuditEvent.objects.create(
        action=action,
        actor_id=by.pk if by else None,
        actor_email=by.email if by else "",
        origin=origin.get(),
        provider_id=provider_id,
        customer_id=customer.pk if customer else None,
        target_type=kind,
        target_id=pk,
        target_name=name,
        data=data or {},
    )


def _describe(target: Model | Target | None) -> Target:
    if target is None:
        return "", "", ""
    kind, pk, name = (
        (target._meta.model_name or "", target.pk, str(target)) if isinstance(target, Model) else target
    )
    return kind, str(pk), name[:254]
