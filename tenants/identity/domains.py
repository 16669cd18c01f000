"""Proof by DNS that an email domain agrees to an identity provider: a TXT record that only its owner can publish.

A record is looked up when an owner presses *Check*, and once a day. A proof whose record is gone holds for two weeks
more, so that a mistake in a zone locks nobody out at once; a name server that does not answer changes nothing.
"""

import logging
from datetime import datetime, timedelta

import dns.exception
import dns.resolver
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.actors import SYSTEM
from tenants import audit
from tenants.models import IdentityProvider, ProvenDomain, Provider

log = logging.getLogger(__name__)

LABEL = "_gatehouse"  # RFC 8552: a name of its own, so that no other record of the domain is touched
LOOK_UP_SECONDS = 5
GRACE = timedelta(days=14)  # a proof whose record is gone holds so long
SALT = "tenants.domain-proof"


class NoAnswer(Exception):
    """The name servers could not be asked, so nothing is known."""


def record_of(provider: Provider, domain: str) -> tuple[str, str]:
    """Name and text of the TXT record. Another provider's for the same domain is another one."""
    mark = salted_hmac(SALT, f"{provider.pk}:{domain}", algorithm="sha256").hexdigest()[:32]
    return f"{LABEL}.{domain}", f"gatehouse-identity-provider={mark}"


def is_published(provider: Provider, domain: str) -> bool:
    """Raises NoAnswer."""
    name, text = record_of(provider, domain)
    try:
        answer = resolver().resolve(f"{name}.", "TXT", lifetime=LOOK_UP_SECONDS, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return False
    except dns.exception.DNSException as error:
        raise NoAnswer(type(error).__name__) from error
    return any(constant_time_compare(b"".join(record.strings), text) for record in answer.rrset or ())


def holds_until(proof: ProvenDomain) -> datetime | None:
    """When a proof lapses unless its record is back: not before, and with the look of the day after. None while the
    record is there.
    """
    return proof.missing_since + GRACE if proof.missing_since else None


def all_proofs() -> list[int]:
    """To be looked up again one by one: whose name server lets us wait holds up nobody else's."""
    return list(ProvenDomain.objects.order_by("pk").values_list("pk", flat=True))


def recheck(proof_id: int) -> None:
    """Look a proof up again; one that has been without its record for longer than GRACE lapses."""
    proof = ProvenDomain.objects.select_related("provider").filter(pk=proof_id).first()
    if proof is None:
        return
    try:
        found = is_published(proof.provider, proof.domain)
    except NoAnswer as error:
        log.warning("the proof of %s could not be looked up: %s", proof.domain, error)
        return
    now, until = timezone.now(), holds_until(proof)
    if found:
        ProvenDomain.objects.filter(pk=proof.pk).update(checked_at=now, missing_since=None)
    elif until is None:
        ProvenDomain.objects.filter(pk=proof.pk).update(missing_since=now)
        log.warning("the record that proves %s is gone", proof.domain)
    elif now > until:
        _lapse(proof)


@transaction.atomic
def _lapse(proof: ProvenDomain) -> None:
    # Unless an owner has shown the record while we looked for it.
    if not ProvenDomain.objects.filter(pk=proof.pk, missing_since=proof.missing_since).delete()[0]:
        return
    identity_provider = IdentityProvider.objects.filter(provider=proof.provider).first()
    audit.record(
        "identity-provider.domain-lapsed",
        by=SYSTEM,
        provider=proof.provider,
        target=identity_provider or proof.provider,
        data={"email_domains": [proof.domain]},
    )


def resolver() -> dns.resolver.Resolver:
    """Asks where GATEHOUSE_DNS_SERVER says, or as the system does."""
    host, _colon, port = settings.DNS_SERVER.rpartition(":")
    found = dns.resolver.Resolver(configure=not host)
    if host:
        found.nameservers, found.port = [host.strip("[]")], int(port)
    return found
