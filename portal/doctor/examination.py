"""All of it, one look after the other."""

import dataclasses
import os

from accounts.demo import is_beside_the_demo

from . import parts, ports, variables, zone
from .findings import Finding, Level, without_secrets
from .zone import Outside, Record

__all__ = ["Finding", "Level", "Outside", "Record", "examine"]

DATABASE_AWAY = "gatehouse.E016"
OF_THE_DEMO = Finding(
    "demo",
    Level.OK,
    "This is the demo of `make run`, for this machine alone: neither DNS nor HTTPS, backups, alarms or mail to people are expected "
    "of it, and its people with their public password are. An installation has names and a database of its own "
    "(docs/deployment.md).",
)


def examine(outside: Outside, mail_to: str = "") -> tuple[list[Finding], list[Record]]:
    """What was found, and the DNS records wanted. Asks one after the other, each for seconds at most."""
    found = parts.checks() + variables.of_this_process(os.environ)
    if not any(finding.id == DATABASE_AWAY for finding in found):
        found += [
            *parts.database(),
            *parts.cluster_nodes(),
            *parts.clock(),
            *parts.workers(),
            *parts.backups(),
        ]
    found += [*parts.store_works(), *parts.mail_out(mail_to), *parts.alarms()]
    if is_beside_the_demo():
        return _told([*found, OF_THE_DEMO]), []
    names = zone.Names()
    seen = zone.Seen(names, outside)
    at_gateway, certificate = ports.gateway(seen)
    found += [
        *zone.findings(seen, certificate),
        *at_gateway,
        *ports.portal(seen),
        *ports.policy_is_served(seen),
    ]
    return _told(found), zone.wanted(seen, certificate)


def _told(found: list[Finding]) -> list[Finding]:
    return [
        dataclasses.replace(
            finding, seen=without_secrets(finding.seen), advice=without_secrets(finding.advice)
        )
        for finding in found
    ]
