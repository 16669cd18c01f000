"""What a provider demands of everybody's sign-in."""

from django.db import transaction
from django.db.models import Q

from accounts.actors import Actor
from accounts.models import User
from accounts.second_factor import has_second_factor
from tenants import audit
from tenants.access import Right, require, rights_of
from tenants.errors import NotAllowed, OwnSecondFactorMissing
from tenants.identity.errors import OtherIdentityProvider
from tenants.models import Customer, IdentityProvider, Membership, Provider
from tenants.services.authority import lock


@transaction.atomic(durable=True)
def set_security_policy(provider: Provider, *, require_second_factor: bool, by: Actor) -> None:
    """Demand a second factor of the provider's people and its customers' people, or no longer.

    Raises NotAllowed, and OwnSecondFactorMissing: who demands it must have one, or would be the first locked out.
    """
    require(by, provider, Right.SET_SECURITY)
    lock(provider)
    require(by, provider, Right.SET_SECURITY)  # once more, after the line in which they waited
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


def people_under_policy(provider: Provider, *, by: Actor) -> int:
    """Of how many people the policy demands something: whoever has a role at the provider or at one of its customers.

    Raises NotAllowed.
    """
    require(by, provider, Right.SET_SECURITY)
    theirs = Q(memberships__provider=provider) | Q(memberships__customer__provider=provider)
    return User.objects.who_can_sign_in().filter(theirs).distinct().count()


def second_factor_required_by(user: Actor) -> Provider | None:
    """A provider that demands a second factor of the person, or None."""
    theirs = Q(memberships__user=user.pk) | Q(customers__memberships__user=user.pk)
    return Provider.objects.filter(theirs, require_second_factor=True).order_by("name", "pk").first()


def may_consent(user: Actor, customer: Customer) -> bool:
    """Whether the person is an administrator of the customer's own. Who has the right to manage its people as the
    provider's can't consent in its place.
    """
    own = Membership.objects.filter(user=user.pk, customer=customer, role=Membership.Role.ADMIN)
    return Right.MANAGE_PEOPLE in rights_of(user, customer) and own.exists()


@transaction.atomic(durable=True)
def consent_to_identity_provider(customer: Customer, *, given: bool, service: str = "", by: Actor) -> None:
    """Let the provider's identity provider sign in this customer's people, or no longer: sessions that it has opened
    end with their next request (portal.gates.admission).

    `service` is the one that was shown to who consents (IdentityProvider.service). Raises NotAllowed, and
    OtherIdentityProvider if it is that one no more.
    """
    require(by, customer, Right.MANAGE_PEOPLE)
    if not may_consent(by, customer):
        raise NotAllowed
    if given:
        # Held, so that a change that takes the consents back comes either before or after. What it says is read then.
        held = IdentityProvider.objects.select_for_update().filter(provider=customer.provider_id).first()
        if held is None or held.service != service:
            raise OtherIdentityProvider
    lock(customer)
    if not may_consent(by, customer):  # once more, after the lines in which they waited
        raise NotAllowed
    if Customer.objects.filter(pk=customer.pk).set_consent(given=given):
        action = "identity-provider.consent-given" if given else "identity-provider.consent-withdrawn"
        audit.record(action, by=by, customer=customer, target=customer.provider)
