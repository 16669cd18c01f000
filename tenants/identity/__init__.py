"""A provider's identity provider, and the domains that it speaks for."""

from tenants.identity.configuring import (
    CLIENT_ID_LENGTH,
    Configuration,
    Consents,
    change,
    check,
    configuration_of,
    connected,
    consents_lost,
    domains_from,
    end_dispute,
    forget,
    of,
    offered_to,
    proofs_of,
    prove,
    set_up,
    switch,
)
from tenants.identity.domains import GRACE

__all__ = [
    "CLIENT_ID_LENGTH",
    "GRACE",
    "Configuration",
    "Consents",
    "change",
    "check",
    "configuration_of",
    "connected",
    "consents_lost",
    "domains_from",
    "end_dispute",
    "forget",
    "of",
    "offered_to",
    "proofs_of",
    "prove",
    "set_up",
    "switch",
]
