"""What can go wrong when a provider sets up its identity provider.

IdentityProviderError
    AlreadySetUp
    InvalidTenant, InvalidClient, UnknownProtocol, SecretNeeded
    InvalidDomain, NobodyThere, DomainTaken
    NotConnected
    ConsentsLost, OtherConsentsLost
    OtherIdentityProvider
"""

from django.utils.translation import gettext_lazy as _

from accounts.errors import NO_CHOICE
from tenants.errors import TenantError


class IdentityProviderError(TenantError):
    """Base of all here."""

    code = "identity-provider-error"


class AlreadySetUp(IdentityProviderError):
    code = "identity-provider-set-up"
    template = _("An identity provider has been set up meanwhile. Load the page again to change it.")


class InvalidTenant(IdentityProviderError):
    code = "invalid-tenant"
    status = 422
    field = "tenant"
    template = _(
        "Type the directory's tenant ID, such as 9f2c5a1e-7d1b-4c0a-8a55-0d6d5c1f3b7a. "
        "“common” and the like would let in people of every directory."
    )


class InvalidClient(IdentityProviderError):
    code = "invalid-client"
    status = 422
    field = "client_id"
    template = _("Type the client ID that the identity provider shows, of up to %(most)s characters.")


class UnknownProtocol(IdentityProviderError):
    """Of a service that is neither of those that we speak to."""

    code = "unknown-protocol"
    status = 422
    field = "kind"
    template = NO_CHOICE


class SecretNeeded(IdentityProviderError):
    """So that nobody reads the saved one by naming another address to send it to."""

    code = "client-secret-needed"
    status = 422
    field = "client_secret"
    template = _(
        "Type the client secret: it is kept only for the address and client ID that it was typed for."
    )


class ConsentsLost(IdentityProviderError):
    """`consents` are those at stake (tenants.identity.Consents), and nobody has accepted their loss yet."""

    code = "consents-lost"
    field = "loss_accepted"
    template = _(
        "Customers allow their people to sign in with the saved service, and would have to allow this one anew. "
        "Accept that first."
    )


class OtherConsentsLost(ConsentsLost):
    """What was accepted is the loss of others."""

    code = "other-consents-lost"
    template = _(
        "Other customers than those accepted would have to allow the service anew, or it is another service. "
        "Accept that first."
    )


class InvalidDomain(IdentityProviderError):
    code = "invalid-domain"
    status = 422
    field = "email_domains"
    template = _("“%(domain)s” is no email domain. Type domains such as northwind.example, one on each line.")


class NobodyThere(IdentityProviderError):
    """A domain is proved by a person who took up an invitation that was sent there."""

    code = "nobody-at-domain"
    field = "email_domains"
    template = _(
        "None of your people has an address at “%(domain)s”. Invite one first: that shows that the domain is "
        "yours or your customer's. People who also work for another provider don't count."
    )


class DomainTaken(IdentityProviderError):
    code = "domain-taken"
    field = "email_domains"
    template = _(
        "Another provider's identity provider speaks for “%(domain)s”. If that is wrong, ask the platform's staff."
    )


class NotProven(IdentityProviderError):
    code = "domain-not-proven"
    field = "domain"
    template = _(
        "There is no TXT record with that text at “%(name)s” yet. New records may take an hour to be seen; then check again."
    )


class NotConnected(IdentityProviderError):
    code = "not-connected"
    field = "email"
    template = _("“%(email)s” has not signed in by this identity provider yet.")


class OtherIdentityProvider(IdentityProviderError):
    """What is consented to is what was shown."""

    code = "other-identity-provider"
    field = "service"
    template = _(
        "The provider has changed its identity provider since this page was shown to you, and nothing was allowed. "
        "Look at its address below, and press again to allow that one."
    )
