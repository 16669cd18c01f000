"""A provider's identity provider: set up, change, switch on or off, forget a person's account there.

The client's id and secret stand in allauth's SocialApp; the secret is encrypted, is never read back by anything but a
sign-in, and belongs to the address that it was typed for.
"""

import re
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from allauth.socialaccount.models import SocialAccount, SocialApp
from django.core.exceptions import ValidationError
from django.core.validators import DomainNameValidator
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.actors import Actor
from accounts.openid.errors import ProviderFault, TooManyAtOnce
from accounts.openid.outbound import check_scheme, one_of_few
from accounts.openid.protocol import discover
from accounts.openid.secrets import encrypt
from accounts.openid.sign_in import ENCRYPTED_SECRET
from tenants import audit
from tenants.access import Right, require, require_held
from tenants.identity import domains
from tenants.identity.errors import (
    AlreadySetUp,
    ConsentsLost,
    DomainTaken,
    InvalidClient,
    InvalidDomain,
    InvalidTenant,
    NobodyThere,
    NotConnected,
    NotProven,
    OtherConsentsLost,
    SecretNeeded,
    UnknownProtocol,
)
from tenants.identity.gate import domain_of, people_of
from tenants.merging import merged
from tenants.models import Customer, IdentityProvider, Membership, ProvenDomain, Provider

ENTRA_HOST = "https://login.microsoftonline.com"
CLIENT_ID_LENGTH = 191  # allauth's column
DOMAINS_LOCK = 0x6964656E  # "iden": one transaction at a time may claim domains
APP_KIND = "openid_connect"  # allauth's name for it


@dataclass(frozen=True)
class Configuration:
    """What an owner types. Of issuer and tenant only the one that belongs to the kind counts."""

    kind: str
    issuer: str
    tenant: str
    client_id: str
    email_domains: tuple[str, ...]

    @property
    def server_url(self) -> str:
        """Raises InvalidTenant, or NotEncrypted (accounts.openid.errors)."""
        if self.kind == IdentityProvider.Kind.ENTRA_ID:
            return f"{ENTRA_HOST}/{self.directory}/v2.0"
        check_scheme(self.issuer)
        return self.issuer.rstrip("/")

    @property
    def service(self) -> str:
        """As IdentityProvider has it, to which customers were asked to consent. Raises what server_url does."""
        return f"{self.server_url} {self.client_id}"

    def changed_since(self, shown: "Configuration", now: "Configuration") -> "Configuration":
        """What is so by `now`, but for what differs here from what was `shown`: the service as a whole, for half of one and
        half of another is none, and of the domains those that were added or taken out.
        """
        named = merged(now.email_domains, shown=shown.email_domains, wanted=self.email_domains)
        of_service = ("kind", "issuer", "tenant", "client_id")
        touched = any(getattr(self, field) != getattr(shown, field) for field in of_service)
        return replace(self if touched else now, email_domains=tuple(named))

    @property
    def directory(self) -> str:
        """The tenant ID, or nothing for OpenID Connect. Raises InvalidTenant."""
        if self.kind != IdentityProvider.Kind.ENTRA_ID:
            return ""
        try:
            return str(uuid.UUID(self.tenant))
        except ValueError:
            raise InvalidTenant from None


@dataclass(frozen=True)
class Consents:
    """What a change takes from customers: how many would be asked anew, and what who accepts that loss brings back, which
    stands for just these customers and just this service.
    """

    customers: int
    loss: str


def of(provider: Provider, *, by: Actor) -> IdentityProvider | None:
    """The provider's own, if it has set one up. Raises NotAllowed."""
    require(by, provider, Right.SET_SECURITY)
    return _of(provider)


def offered_to(customer: Customer, *, by: Actor) -> IdentityProvider | None:
    """The one of the customer's provider, for who may be asked to consent to it. Raises NotAllowed."""
    require(by, customer, Right.MANAGE_PEOPLE)
    return _of(customer.provider)


def _of(provider: Provider) -> IdentityProvider | None:
    return IdentityProvider.objects.select_related("app", "provider").filter(provider=provider).first()


def configuration_of(identity_provider: IdentityProvider, *, by: Actor) -> Configuration:
    """As it was saved. Without the secret, which nobody gets to see. Raises NotAllowed."""
    require(by, identity_provider.provider, Right.SET_SECURITY)
    return _configuration_of(identity_provider)


def _configuration_of(identity_provider: IdentityProvider) -> Configuration:
    app = identity_provider.app
    return Configuration(
        kind=identity_provider.kind,
        issuer="" if identity_provider.kind == IdentityProvider.Kind.ENTRA_ID else app.settings["server_url"],
        tenant=app.settings.get("tenant", ""),
        client_id=app.client_id,
        email_domains=tuple(identity_provider.email_domains),
    )


def check(provider: Provider, configuration: Configuration, *, by: Actor) -> str:
    """Ask the identity provider for its configuration; where it sends people to sign in.

    Raises NotAllowed, InvalidTenant, or what accounts.openid.protocol.discover does.
    """
    require(by, provider, Right.SET_SECURITY)
    try:
        return str(discover(configuration.server_url)["authorization_endpoint"])
    except ProviderFault as fault:
        if configuration.kind == IdentityProvider.Kind.ENTRA_ID:
            fault.about("tenant")  # of which its address is made
        raise


@transaction.atomic(durable=True)
def set_up(provider: Provider, wanted: Configuration, *, client_secret: str, by: Actor) -> IdentityProvider:
    """Switched on at once. Raises NotAllowed, UnknownProtocol, NotEncrypted, or what stands in tenants.identity.errors."""
    _begin(provider, by)
    _check(provider, wanted)
    if IdentityProvider.objects.filter(provider=provider).exists():
        raise AlreadySetUp
    if not client_secret:
        raise SecretNeeded
    app = SocialApp(provider=APP_KIND, provider_id=provider.slug, name=provider.name[:40])
    _describe(app, wanted, encrypt(client_secret, provider_id=provider.slug))
    app.save()
    made = IdentityProvider.objects.create(
        provider=provider,
        app=app,
        kind=wanted.kind,
        email_domains=list(wanted.email_domains),
    )
    _record("identity-provider.set-up", made, by=by, data=_told(wanted))
    return made


@transaction.atomic(durable=True)
def change(
    identity_provider: IdentityProvider,
    wanted: Configuration,
    *,
    client_secret: str,
    loss_accepted: str = "",
    shown: Configuration | None = None,
    by: Actor,
) -> None:
    """Of what is `wanted` only what differs from what was `shown` (None: all of it). An empty secret keeps the saved one, unless the address or the client changes: then people's accounts there are
    forgotten too, for another service may give their names to others, and customers are asked for their consent anew.
    `loss_accepted` is the `loss` of consents_lost(). Raises what set_up() does, and ConsentsLost or OtherConsentsLost
    where it is not the one of by now.
    """
    provider = identity_provider.provider
    _begin(provider, by)
    current = IdentityProvider.objects.select_for_update().select_related("app").get(pk=identity_provider.pk)
    app, before = current.app, _configuration_of(current)
    if shown:
        wanted = wanted.changed_since(shown, before)
    _check(provider, wanted)
    moved = current.service != wanted.service
    if moved:
        # Nobody consents meanwhile: that takes the row which is held here. These are held, too, so that none withdraws.
        losing = _consenting(provider).select_for_update().order_by("pk")
        consents = _consents(losing, wanted)
        if consents.customers and loss_accepted != consents.loss:
            raise (OtherConsentsLost if loss_accepted else ConsentsLost)(consents=consents)
        if not client_secret:
            raise SecretNeeded
    require(by, provider, Right.SET_SECURITY)  # once more, after the lines in which they waited
    encrypted_secret = (
        encrypt(client_secret, provider_id=app.provider_id)
        if client_secret
        else app.settings[ENCRYPTED_SECRET]
    )
    _describe(app, wanted, encrypted_secret)
    app.save()
    current.kind = wanted.kind
    current.save(update_fields=["kind"])
    current.speak_for(wanted.email_domains)
    if moved:
        SocialAccount.objects.filter(provider=app.provider_id).delete()
        _withdraw_consents(losing, provider, by=by)
    if client_secret or wanted != before:
        told = _told(wanted) | {"client_secret_changed": bool(client_secret)}
        _record("identity-provider.changed", current, by=by, data=told, domains_before=before.email_domains)


@transaction.atomic(durable=True)
def switch(identity_provider: IdentityProvider, *, active: bool, by: Actor) -> None:
    """On or off, for sign-ins to come and for sessions that it has opened (portal.gates.admission).

    Raises NotAllowed, or DomainTaken and NobodyThere for on.
    """
    provider = identity_provider.provider
    require(by, provider, Right.SET_SECURITY)
    if active:
        _begin(provider, by)
    held = IdentityProvider.objects.select_for_update(of=("self",)).select_related("app")
    current = held.get(pk=identity_provider.pk)
    require(by, provider, Right.SET_SECURITY)  # once more, after the lines in which they waited
    if active:
        _check(provider, _configuration_of(current))
    _switch(current, active=active, by=by)


@transaction.atomic(durable=True)
def end_dispute(identity_provider: IdentityProvider, *, by: Actor) -> None:
    """Off, by platform staff, when two providers claim a domain. Raises NotAllowed."""
    require_held(by, Right.END_DISPUTE)
    _switch(identity_provider, active=False, by=by)


@transaction.atomic(durable=True)
def forget(identity_provider: IdentityProvider, *, email: str, by: Actor) -> None:
    """The person's next sign-in may come with another account there, and what this one has opened ends.

    Raises NotAllowed or NotConnected.
    """
    provider = identity_provider.provider
    require(by, provider, Right.SET_SECURITY)
    known = SocialAccount.objects.filter(provider=identity_provider.app.provider_id, user__email=email)
    account = known.select_for_update(of=("self",)).select_related("user").first()
    require(by, provider, Right.SET_SECURITY)  # once more, after the line in which they waited
    if account is None:
        raise NotConnected(email=email)
    # Told where the person works: who is limited to other customers may not know their address.
    theirs: list[Customer | None] = [*provider.customers.filter(memberships__user=account.user)]
    for customer in theirs or [None]:
        audit.record(
            "identity-provider.person-forgotten",
            by=by,
            provider=provider,
            customer=customer,
            target=account.user,
        )
    account.delete()


def prove(identity_provider: IdentityProvider, domain: str, *, by: Actor) -> None:
    """Look for the record by which the domain's owner agrees; from then on people are led to the identity provider.

    Raises NotAllowed, InvalidDomain for one that it does not name, NotProven.
    """
    provider = identity_provider.provider
    require(by, provider, Right.SET_SECURITY)
    if domain not in identity_provider.email_domains:
        raise InvalidDomain(domain=domain).about("domain")
    try:
        with one_of_few(domain):
            found = domains.is_published(provider, domain)
    except (domains.NoAnswer, TooManyAtOnce):
        found = False
    if not found:
        raise NotProven(name=domains.record_of(provider, domain)[0])
    with transaction.atomic(durable=True):
        _proof, is_new = ProvenDomain.objects.update_or_create(
            provider=provider,
            domain=domain,
            defaults={"checked_at": timezone.now(), "missing_since": None},
        )
        # Once more, after the answer from the network and the line for the proof's row.
        require(by, provider, Right.SET_SECURITY)
        if is_new:
            audit.record(
                "identity-provider.domain-proven",
                by=by,
                provider=provider,
                target=identity_provider,
                data={"email_domains": [domain]},
            )


def proofs_of(identity_provider: IdentityProvider, *, by: Actor) -> list[dict[str, Any]]:
    """Of each domain the record to publish, its proof if there is one, and until when it holds if its record is gone.
    Raises NotAllowed.
    """
    provider = identity_provider.provider
    require(by, provider, Right.SET_SECURITY)
    proven = {proof.domain: proof for proof in provider.proven_domains.all()}
    return [
        dict(zip(("name", "text"), domains.record_of(provider, domain), strict=True))
        | {"domain": domain, "proof": proof, "holds_until": domains.holds_until(proof) if proof else None}
        for domain in identity_provider.email_domains
        for proof in (proven.get(domain),)
    ]


def connected(identity_provider: IdentityProvider, *, by: Actor) -> int:
    """How many people have signed in by it. Raises NotAllowed."""
    require(by, identity_provider.provider, Right.SET_SECURITY)
    return int(SocialAccount.objects.filter(provider=identity_provider.app.provider_id).count())


def consents_lost(
    identity_provider: IdentityProvider,
    wanted: Configuration,
    *,
    shown: Configuration | None = None,
    by: Actor,
) -> Consents:
    """Those that such a change() would take back. Raises NotAllowed, and InvalidTenant or NotEncrypted for what is no
    service.
    """
    provider = identity_provider.provider
    require(by, provider, Right.SET_SECURITY)
    if shown:
        wanted = wanted.changed_since(shown, _configuration_of(identity_provider))
    return _consents(() if identity_provider.service == wanted.service else _consenting(provider), wanted)


def _consents(losing: Iterable[Customer], wanted: Configuration) -> Consents:
    customers = sorted(str(customer.pk) for customer in losing)
    return Consents(len(customers), sha256(" ".join([*customers, wanted.service]).encode()).hexdigest())


def _consenting(provider: Provider) -> QuerySet[Customer]:
    return Customer.objects.filter(provider=provider, identity_provider_consent=True)


def _withdraw_consents(losing: Iterable[Customer], provider: Provider, *, by: Actor) -> None:
    """They were given to another service."""
    for customer in losing:
        Customer.objects.filter(pk=customer.pk).set_consent(given=False)
        audit.record("identity-provider.consent-withdrawn", by=by, customer=customer, target=provider)


def _switch(identity_provider: IdentityProvider, *, active: bool, by: Actor) -> None:
    if IdentityProvider.objects.filter(pk=identity_provider.pk).switch(active=active):
        action = "identity-provider.switched-on" if active else "identity-provider.switched-off"
        _record(action, identity_provider, by=by, data={})


def _begin(provider: Provider, by: Actor) -> None:
    """Before any row is held: of two who claim domains one waits here, and is asked once more then."""
    require(by, provider, Right.SET_SECURITY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DOMAINS_LOCK])
    require(by, provider, Right.SET_SECURITY)


def _check(provider: Provider, wanted: Configuration) -> None:
    if wanted.kind not in IdentityProvider.Kind.values:
        raise UnknownProtocol(value=wanted.kind)
    _ = wanted.server_url  # raises for what is none
    if not 1 <= len(wanted.client_id) <= CLIENT_ID_LENGTH or not wanted.client_id.isprintable():
        raise InvalidClient(most=CLIENT_ID_LENGTH)
    _check_domains(provider, wanted.email_domains)


def _check_domains(provider: Provider, named: tuple[str, ...]) -> None:
    for domain in named or ("",):
        try:
            DomainNameValidator()(domain)
        except ValidationError:
            raise InvalidDomain(domain=domain) from None
        if not people_of(provider).filter(email__iendswith=f"@{domain}").exists():
            raise NobodyThere(domain=domain)
        others = IdentityProvider.objects.exclude(provider=provider).filter(active=True)
        if others.filter(email_domains__contains=[domain]).exists():
            raise DomainTaken(domain=domain)


def domains_from(text: str) -> tuple[str, ...]:
    """Each once, in lower case: as people type them, on lines or with commas, with or without an @ before."""
    words = (domain_of(f"@{word}") for word in re.split(r"[\s,;]+", text))
    return tuple(dict.fromkeys(word for word in words if word))


def _describe(app: SocialApp, wanted: Configuration, encrypted_secret: str) -> None:
    app.client_id = wanted.client_id
    app.settings = {"server_url": wanted.server_url, ENCRYPTED_SECRET: encrypted_secret}
    if wanted.directory:
        app.settings["tenant"] = wanted.directory


def _told(wanted: Configuration) -> dict[str, Any]:
    return {
        "kind": str(wanted.kind),
        "issuer": wanted.server_url,
        "client_id": wanted.client_id,
        "email_domains": list(wanted.email_domains),
    }


def _record(
    action: str,
    identity_provider: IdentityProvider,
    *,
    by: Actor,
    data: dict[str, Any],
    domains_before: Iterable[str] = (),
) -> None:
    """At the provider, and at each customer whose people's sign-in depends on it: its service can act as them.

    A customer reads of its own people's domains only; the others would tell who the other customers are.
    """
    provider, named = identity_provider.provider, data.get("email_domains", identity_provider.email_domains)
    audit.record(action, by=by, provider=provider, target=identity_provider, data=data)
    for customer, theirs in _customers_at(provider, {*named, *domains_before}).items():
        told = data | {"email_domains": [domain for domain in named if domain in theirs]}
        audit.record(action, by=by, customer=customer, target=identity_provider, data=told)


def _customers_at(provider: Provider, named: Collection[str]) -> dict[Customer, set[str]]:
    """The provider's customers with people at these domains, and at which of them."""
    roles = Membership.objects.filter(customer__provider=provider, user__in=people_of(provider))
    found: dict[Customer, set[str]] = {}
    for role in roles.select_related("customer", "user").order_by("customer__name", "pk"):
        if role.customer and (domain := domain_of(role.user.email)) in named:
            found.setdefault(role.customer, set()).add(domain)
    return found
