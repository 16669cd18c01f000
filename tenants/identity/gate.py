"""Whose addresses an identity provider speaks for: what accounts.openid.sign_in asks through settings.SOCIAL_GATE."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.addresses import canonical
from accounts.models import User
from tenants import audit
from tenants.models import Customer, IdentityProvider, Membership, Provider


class Gate:
    """An identity provider signs in its own provider's people and its customers', at its own domains, if switched on;
    customers' people where each of their customers has consented.
    """

    def provider_for(self, email: str) -> str | None:
        """By the domain alone, so that nobody learns whether the address exists."""
        domain = domain_of(email)
        found = IdentityProvider.objects.filter(
            active=True, email_domains__contains=[domain], provider__proven_domains__domain=domain
        )
        return found.values_list("app__provider_id", flat=True).order_by("pk").first()

    def admission(self, user: Any, provider_id: str) -> frozenset[str]:
        """Each by its row, and by a number where the row outlives what is taken back: so none comes a second time."""
        domain = domain_of(user.email)
        found = IdentityProvider.objects.filter(active=True, app__provider_id=provider_id).first()
        if (
            found is None
            or domain not in found.email_domains
            or not people_of(found.provider).filter(pk=user.pk).exists()
        ):
            return frozenset()
        proofs = [f"domain {proof.pk}" for proof in found.provider.proven_domains.filter(domain=domain)]
        customers = list(_customers_of(user))
        if not proofs or not all(customer.identity_provider_consent for customer in customers):
            return frozenset()
        consents = [f"consent {customer.pk} {customer.consent_series}" for customer in customers]
        held = Membership.objects.filter(user=user.pk).values_list("pk", "series")
        roles = [f"role {role} {series}" for role, series in held]
        return frozenset([f"identity provider {found.pk} {found.series}", *proofs, *consents, *roles])

    def replaces_factor(self, user: Any, provider_id: str) -> bool:
        """At a customer it does not, whatever it says: the service is the provider's, the person is the customer's."""
        return not _customers_of(user).exists()

    def signed_in(self, user: Any, provider_id: str) -> None:
        voucher = audit.voucher.set(provider_id)  # which is the provider's short name
        try:
            audit.record_everywhere("person.signed-in-by-identity-provider", user, by=user)
        finally:
            audit.voucher.reset(voucher)


def people_of(provider: Provider) -> QuerySet[Any]:
    """Those who can sign in and whose every role is at this provider or its customers.

    Not platform staff, and nobody who works for two: a provider's identity provider could be made to say anything, and
    what it says must open nothing that isn't this provider's.
    """
    roles = Membership.objects.filter(user=OuterRef("pk"))
    here = Q(provider=provider.pk) | Q(customer__provider=provider.pk)
    return User.objects.who_can_sign_in().filter(
        Exists(roles.filter(here)), ~Exists(roles.exclude(here)), is_staff=False, is_superuser=False
    )


def _customers_of(user: Any) -> QuerySet[Customer]:
    return Customer.objects.filter(memberships__user=user.pk)


def domain_of(email: str) -> str:
    return canonical(email).rpartition("@")[2]
