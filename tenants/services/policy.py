"""What a provider demands of everybody's sign-in."""

from django.db import transaction

from accounts.actors import Actor
from accounts.models import User
from accounts.second_factor import has_second_factor
from tenants import audit
from tenants.access import Right, require
from tenants.errors import OwnSecondFactorMissing
from tenants.models import Provider
from tenants.services.authority import lock


@transaction.atomic(durable=True)
def set_security_policy(provider: Provider, *, require_second_factor: bool, by: Actor) -> None:
    """Demand a second factor of the provider's people and its customers' people, or no longer.

    Raises NotAllowed, and OwnSecondFactorMissing: who demands it must have one, or would be the first locked out.
    """
    require(by, provider, Right.SET_SECURITY)
    lock(provider)
    if require_second_factor and isinstance(by, User) and not has_second_factor(by):
        raise OwnSecondFactorMissing
    before = Provider.objects.values_list("require_second_factor", flat=True).get(pk=provider.pk)
    provider.require_second_factor = require_second_factor
    if before != require_second_factor:
        provider.save(update_fields=["require_second_factor"])
        audit.record(
            "provider.security-changed",
            by=by,
            provider=provider,
            target=provider,
            data={"require_second_factor": require_second_factor, "before": before},
        )
